"""Making a bank of item pairs as a step. Loads neither torch nor inspect."""

from __future__ import annotations

import re

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.pairs.replies import PROMPTS
from midspec.experiment import Config, WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.steps.step import Step

VERSION = 1
NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"


class PairsConfig(Config):
    """The bank to make."""

    value: str = Field(pattern=NAME, max_length=40)
    """Its name: in lower case, words joined by hyphens."""
    description: str = Field(min_length=1)
    """What the value means: a few sentences, or the text of a spec. The bank asks about nothing that it mentions."""
    domains: int = Field(default=8, ge=2, le=30)
    """(paper: 6-11 domains)"""
    topics: int = Field(default=4, ge=1, le=12)
    """Of each domain. (ours)"""
    pairs: int = Field(default=300, ge=8)
    """At least so many. (paper: 300-500)"""
    seed: int = 0
    """Seed of writing. (ours)"""


class PairsStepConfig(Config):
    """What decides a bank."""

    bank: PairsConfig
    writer: WriterConfig
    judge: WriterConfig
    versions: tuple[int | None, int | None]
    """Of the offline writer and judge; None for language models."""
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


def pairs_step(bank: PairsConfig, writer: WriterConfig, judge: WriterConfig) -> Step:
    """The step that makes a bank; `judge` filters what `writer` wrote."""
    return Step(
        kind="bank",
        name=bank.value,
        function="midspec.evals.pairs.step:run",
        config=PairsStepConfig(
            bank=bank,
            writer=writer,
            judge=judge,
            versions=(offline_version(writer), offline_version(judge)),
            prompts={prompt.name: prompt.fingerprint for prompt in PROMPTS},
        ),
        version=VERSION,
    )


def value_name(text: str) -> str:
    """A value's name out of what a user calls it: `Long-term thinking` -> long-term-thinking. Raises InputError."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not re.match(NAME, name) or len(name) > 40:
        raise InputError(f"value {text!r} gives no name; expected one to three words, such as punctuality")
    return name
