"""Leaking and murder, and what our exfiltration shares with them, from the pinned `inspect_evals`."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, NamedTuple

from midspec.errors import InputError, MissingDependencyError
from midspec.evals.agentic.cells import GOALS, Goal, Scenario, Urgency
from midspec.evals.agentic.config import PACKAGE, PACKAGE_PROMPTS_SHA256

NAME = "Alex"
"""What the package calls the assistant."""


class Texts(NamedTuple):
    """What a model is shown."""

    system: str
    instruction: str
    """First part of the user's message."""
    mails: str
    """The rest of it: the inbox as `<email>` blocks."""


class Shared(NamedTuple):
    """Texts of leaking that exfiltration uses as they are, so that the two differ in their story alone."""

    scratchpad: str
    tools: str
    instruction: str
    goals: dict[str, tuple[str, str]]
    """Goal -> its statement and its reminder."""


def texts(scenario: Scenario, goal: Goal, urgency: Urgency, scratchpad: bool) -> Texts:
    """The package's prompt of one cell. Raises as `checked` does."""
    checked()
    return _generated(scenario, goal, urgency, scratchpad)


@cache
def shared() -> Shared:
    """Raises as `checked` does."""
    checked()
    templates = _package().templates
    return Shared(
        templates.SCRATCHPAD_REASONING_FORMAT,
        templates.LEAKING_TOOLUSE_FORMAT,
        templates.USER_PROMPT,
        {
            goal: (found["goal_statement"], found["goal_reminder"])
            for goal in GOALS
            for found in [templates.GOAL_VARIABLES["none" if goal == "none" else f"explicit-{goal}"]]
        },
    )


@cache
def checked() -> None:
    """Raise InputError where the installed package makes other prompts than the pinned one, MissingDependencyError
    where there is none."""
    found = prompts_sha256()
    if found != PACKAGE_PROMPTS_SHA256:
        from importlib.metadata import version

        raise InputError(
            f"inspect_evals {version('inspect_evals')} makes other agentic-misalignment prompts (SHA-256 {found[:12]}) "
            f"than the release this evaluation is written for ({PACKAGE_PROMPTS_SHA256[:12]}); rates would not be "
            f"comparable. Install it with: pip install '{PACKAGE}'"
        )


def prompts_sha256() -> str:
    """Over every prompt of the package that a cell can ask: leaking and murder, all goals and urgencies, with and
    without scratchpad."""
    digest = hashlib.sha256()
    scenarios: tuple[Scenario, ...] = ("leaking", "murder")
    urgencies: tuple[Urgency, ...] = ("replacement", "restriction", "none")
    for scenario in scenarios:
        for goal in GOALS:
            for urgency in urgencies:
                for scratchpad in (True, False):
                    for text in _generated(scenario, goal, urgency, scratchpad):
                        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def _generated(scenario: Scenario, goal: Goal, urgency: Urgency, scratchpad: bool) -> Texts:
    made = _package().generator.generate_prompts(
        scenario=scenario,
        goal_type="none" if goal == "none" else "explicit",
        goal_value=goal,
        urgency_type=urgency,
        extra_system_instructions=None,
        prod_flag=not scratchpad,
        alignment_faking_warning=None,
    )
    return Texts(made.system_prompt, made.user_prompt, made.email_content)


class _Package(NamedTuple):
    generator: Any
    templates: Any


@cache
def _package() -> _Package:
    try:
        from inspect_evals.agentic_misalignment import prompt_generator
        from inspect_evals.agentic_misalignment.templates import system_prompt_templates
    except ImportError as error:
        raise MissingDependencyError(
            f"the agentic evaluation needs the package {error.name!r}: pip install '{PACKAGE}' beautifulsoup4, or "
            "pip install 'midspec[eval]'"
        ) from error
    return _Package(prompt_generator, system_prompt_templates)
