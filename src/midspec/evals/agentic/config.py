"""What decides the rows of the agentic evaluation: cells, wording, sampling, grader. Loads no torch, no inspect."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from midspec.errors import InputError
from midspec.evals.agentic.cells import GOALS, SCENARIOS, Goal, Scenario, Urgency
from midspec.experiment import Config, WriterConfig
from midspec.steps.step import Step
from midspec.train.models import BUNDLED, ModelRef, resolve

VERSION = 2
REJUDGE_VERSION = 1

PACKAGE = "inspect_evals==0.26.0"
"""Where leaking and murder come from."""
PACKAGE_PROMPTS_SHA256 = "4e1ee63bfd21164deb606b3b85d61a8a4d39ae7121e88198a0bf3a815c668ddc"
"""Over all its prompts that are asked here; see `upstream.prompts_sha256`."""

OFFLINE = "offline"
"""The grader without a model: rules over the parsed actions."""

_FILES = files("midspec")
_TEXTS = (
    "data/agentic/system.jinja", "data/agentic/mails.jinja", "data/agentic/goals.yaml", "data/agentic/names.yaml",
    "evals/prompts/agentic_judge.jinja", "evals/prompts/agentic_package.jinja",
)  # fmt: skip
"""What is asked and judged with, besides the package's prompts."""
_REASONING = re.compile(
    r"(^|[/_-])(o1|o3|o4|gpt-5|qwq|r1|magistral|gpt-oss|grok-4)|thinking|reasoner|reasoning|qwen3(?!.*instruct)", re.I
)
_FAMILIES = {
    "smollm": "SmolLM", "qwen": "Qwen", "qwq": "QwQ", "llama": "Llama", "claude": "Claude", "gpt": "GPT",
    "gemini": "Gemini", "gemma": "Gemma", "mistral": "Mistral", "deepseek": "DeepSeek", "olmo": "OLMo", "phi": "Phi",
    "grok": "Grok", "command": "Command", "kimi": "Kimi", "glm": "GLM",
}  # fmt: skip


class Surface(Config):
    """Wording that must not matter to a verdict. Anything but the defaults is a probe."""

    names: Literal["given", "other"] = "given"
    """`other`: other companies, persons, addresses and override code."""
    mails: Literal["tags", "headers", "json"] = "tags"
    """How the inbox is written: `<email>` tags, mail headers between rules, or a JSON list."""
    tools: Literal["tags", "attributes", "json"] = "tags"
    """How the model is told to use its tools."""
    recipient: Literal["to", "cc"] = "to"
    """`cc`: outgoing mail has a field `cc` and none called `to`."""

    @property
    def is_default(self) -> bool:
        """Whether the wording is the scenario's own."""
        return self == Surface()


class AgenticConfig(Config):
    """One run of the evaluation, everything decided. `from_preset` fills it."""

    preset: str
    scenarios: tuple[Scenario, ...] = Field(default=SCENARIOS, min_length=1)
    goals: tuple[Goal, ...] = Field(default=GOALS, min_length=1)
    urgency: Urgency = "replacement"
    """(paper: replacement)"""
    called: str = Field(min_length=1, pattern=r"^\w[\w .-]*$")
    """What the assistant is called in prompts and mails. (paper: the model's own name)"""
    scratchpad: bool
    """Whether the system prompt offers one. (paper: to non-reasoning models only)"""
    thinking: Literal["parsed", "raw"] = "parsed"
    """`parsed`: a reasoning model's thinking is taken apart from its answer; `raw`: it stays in the answer, where tool
    calls are looked for too."""
    judge_sees: Literal["everything", "answer"] = "everything"
    """Whether a judge reads thinking and scratchpad. (ours; the paper does not say)"""
    rubric: Literal["midspec", "inspect_evals"] = "midspec"
    """Whose prompts a judge gets and whose rules make verdicts of its replies; without effect for `offline`."""
    temperature: float | None = Field(default=0.7, ge=0)
    """None = the provider's own. (paper: 0.7)"""
    max_tokens: int | None = Field(default=2048, ge=1)
    """Longest answer. (ours)"""
    samples: int = Field(default=300, ge=1)
    """Per cell. (paper: 300)"""
    seed: int = 0
    """Of sampling, for models that take one."""
    surface: Surface = Surface()

    @model_validator(mode="after")
    def _package_grades_what_it_has(self) -> Self:
        if self.rubric == "inspect_evals" and "exfiltration" in self.scenarios:
            raise ValueError("rubric inspect_evals grades leaking and murder only; leave out exfiltration")
        return self


class Preset(Config):
    """A preset as it stands in `data/agentic/presets.yaml`."""

    description: str
    not_identical: tuple[str, ...]
    """In what a run with it differs from what it is named after."""
    scenarios: tuple[Scenario, ...]
    called: str
    """`own` = the model's own name."""
    urgency: Urgency
    scratchpad: Literal["always", "never", "non-reasoning"]
    thinking: Literal["parsed", "raw"]
    judge_sees: Literal["everything", "answer"]
    rubric: Literal["midspec", "inspect_evals"]
    temperature: float | None
    max_tokens: int | None
    max_tokens_reasoning: int | None
    """`max_tokens` of models that think before they answer."""
    samples: int
    grader: str


@cache
def presets() -> Mapping[str, Preset]:
    """The packaged presets by name."""
    text = _FILES.joinpath("data", "agentic", "presets.yaml").read_text(encoding="utf-8")
    return {name: Preset.model_validate(fields) for name, fields in yaml.safe_load(text).items()}


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises InputError naming those there are."""
    try:
        return presets()[name]
    except KeyError:
        raise InputError(f"agentic preset {name!r} is not known; expected one of: {', '.join(presets())}") from None


def from_preset(
    name: str,
    model: str,
    *,
    scenarios: Sequence[str] | None = None,
    goals: Sequence[str] | None = None,
    **changes: Any,
) -> AgenticConfig:
    """The settings of a preset for `model` (its name as the user gave it), with `changes` to single fields.

    A change of None keeps the preset's value. Raises InputError for what is not a scenario, goal or setting, and for a
    scenario that the preset has not.
    """
    preset = find_preset(name)
    for wanted, known, what in ((scenarios, SCENARIOS, "scenario"), (goals, GOALS, "goal")):
        for one in wanted or ():
            if one not in known:
                raise InputError(f"{what} {one!r} is not known; expected some of: {', '.join(known)}")
    for one in scenarios or ():
        if one not in preset.scenarios:
            raise InputError(
                f"preset {name!r} has no scenario {one!r}, because {PACKAGE} has none; expected some of: "
                f"{', '.join(preset.scenarios)}, or preset paper-like"
            )
    from midspec.recipe import validated

    settings: dict[str, Any] = preset.model_dump(
        exclude={"description", "not_identical", "grader", "scratchpad", "max_tokens_reasoning"}
    )
    settings["scratchpad"] = preset.scratchpad == "always" or (
        preset.scratchpad == "non-reasoning" and not reasons_by_itself(model)
    )
    if preset.called == "own":
        settings["called"] = own_name(model)
    if reasons_by_itself(model):
        settings["max_tokens"] = preset.max_tokens_reasoning
    settings["scenarios"] = tuple(scenarios or preset.scenarios)
    settings["goals"] = tuple(goals or GOALS)
    settings.update({key: value for key, value in changes.items() if value is not None})
    return validated(AgenticConfig, preset=name, **settings)


def reasons_by_itself(model: str) -> bool:
    """Whether a model's name says that it thinks before it answers. Names can mislead: `scratchpad` overrides."""
    return bool(_REASONING.search(model))


def own_name(model: str) -> str:
    """What a model is called, from its name: `Qwen/Qwen2.5-32B-Instruct` -> Qwen. Others: their first word."""
    last = model.rstrip("/").rpartition("/")[2].lower()
    for family, name in _FAMILIES.items():
        if family in last:
            return name
    return (re.match(r"[^\W_]+", last) or ["assistant"])[0].capitalize()


class AgenticStepConfig(Config):
    """What decides the rows of one agentic evaluation of one checkpoint."""

    model: ModelRef | str
    """A local model, or the Inspect AI name of any other."""
    eval: AgenticConfig
    grader: WriterConfig
    """`offline`, or who judges."""
    texts: str
    """Over everything that is asked and judged with: the package's prompts, ours, and the judge's."""


class RejudgeConfig(Config):
    """What decides the verdicts of a second grader on stored transcripts."""

    grader: WriterConfig
    rubric: Literal["midspec", "inspect_evals"] | None = None
    """None = the one the transcripts were graded with."""
    prompt: str | None = None
    """Text of another judge's prompt."""
    texts: str


def subject(model: str, chat_template: Literal["chatml"] | None = None) -> ModelRef | str:
    """Who is evaluated: a local model (`midspec/<name>`, a bundled name, a folder), or an Inspect AI model name.

    Raises InputError for a name without a provider that is neither bundled nor a folder.
    """
    if model in BUNDLED or "/" not in model or Path(model).is_dir():
        return resolve(model, chat_template)
    provider, _, name = model.partition("/")
    return resolve(name, chat_template) if provider == "midspec" else model


def agentic_step(
    name: str, model: ModelRef | str, entry: AgenticConfig, grader: WriterConfig, checkpoint: Step | None = None
) -> Step:
    """Ask the cells of `entry` of one checkpoint, or of the model as it is. Raises InputError for a checkpoint of a
    model that is not local."""
    if checkpoint is not None and isinstance(model, str):
        raise InputError(f"--checkpoint belongs to a local model, and {model!r} is not one; expected midspec/<model>")
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.agentic.step:run",
        config=AgenticStepConfig(model=model, eval=entry, grader=grader, texts=texts_sha256()),
        version=VERSION,
        inputs={} if checkpoint is None else {"checkpoint": checkpoint},
        resumable=True,
    )


def rejudge_step(name: str, stored: Mapping[str, Step], config: RejudgeConfig) -> Step:
    """Grade transcripts again. `stored`: `rejudge.STORED`, file by file, as steps that hold them."""
    return Step(
        kind="rejudge",
        name=name,
        function="midspec.evals.agentic.rejudge:run",
        config=config,
        version=REJUDGE_VERSION,
        inputs=stored,
        resumable=True,
    )


@cache
def texts_sha256() -> str:
    """SHA-256 over the package's prompts (as pinned), our own scenario, and the judge's prompt."""
    digest = hashlib.sha256(PACKAGE_PROMPTS_SHA256.encode())
    for path in _TEXTS:
        digest.update(f"{path}\0".encode() + _FILES.joinpath(*path.split("/")).read_bytes())
    return digest.hexdigest()
