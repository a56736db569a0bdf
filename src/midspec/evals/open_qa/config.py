"""What decides the rows of open QA: questions, sampling, spec, judges. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.open_qa.grading import GRADE
from midspec.evals.open_qa.questions import OpenQuestion, load_questions, questions_sha256, select
from midspec.experiment import Config, WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.imported import import_step
from midspec.steps.step import Step
from midspec.train.models import ModelRef

VERSION = 1
MAKE_VERSION = 1


class OpenQAConfig(Config):
    """One run of the evaluation."""

    split: Literal["dev", "test", "all"] = "dev"
    """Tune on dev; open test once."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many questions, spread over dimensions with a fixed seed; None = all."""
    samples: int = Field(default=1, ge=1)
    """Answers to each question. (ours)"""
    temperature: float | None = Field(default=0.7, ge=0)
    """None = the provider's own. (ours: as in the paper's agentic evaluation)"""
    max_tokens: int = Field(default=1024, ge=16)
    """Longest answer, thinking included; the judge reads what there is of an answer that is cut there. (ours)"""
    judge_sees: Literal["answer", "everything"] = "answer"
    """Whether the judge reads what a model wrote between `<think>` and `</think>`. (ours)"""
    seed: int = 0
    """Of sampling, for models that take one."""


PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "paper-like": MappingProxyType({}),
        "quick": MappingProxyType({"limit": 14, "temperature": 0.0, "max_tokens": 96}),
    }
)
"""`paper-like`: every question of the split, the judge with the whole spec; not identical, since the questions are
ours. `quick`: two questions of each dimension, greedy and short, to see that everything runs."""


def from_preset(name: str, **changes: Any) -> OpenQAConfig:
    """The settings of a preset with `changes` to single fields; a change of None keeps the preset's value.

    Raises InputError for a preset or a setting that is not known.
    """
    if name not in PRESETS:
        raise InputError(f"open-QA preset {name!r} is not known; expected one of: {', '.join(PRESETS)}")
    from midspec.recipe import validated

    changed = {key: value for key, value in changes.items() if value is not None}
    return validated(OpenQAConfig, **{**PRESETS[name], **changed})


class OpenQAStepConfig(Config):
    """What decides the rows of one run on one checkpoint."""

    model: ModelRef | str
    """A local model, or the Inspect AI name of any other."""
    eval: OpenQAConfig
    questions_sha256: str | None
    """Of the questions asked from, all splits; None where the step `questions` makes them, which then decides."""
    spec_text: str
    identity: Identity
    judges: tuple[WriterConfig, ...] = Field(min_length=1, max_length=2)
    """The first one's grades are the scores; a second one's stand beside, for agreement."""
    judge_versions: tuple[int | None, ...]
    """Of the offline judge; None for a language model."""
    prompt: str
    """Fingerprint of the judges' prompt."""


def open_qa_step(
    name: str,
    model: ModelRef | str,
    entry: OpenQAConfig,
    spec: ModelSpec,
    identity: Identity,
    judges: Sequence[WriterConfig],
    *,
    checkpoint: Step | None = None,
    questions: Path | Step | None = None,
) -> Step:
    """Ask the questions of one checkpoint, or of the model as it is, and have the answers graded by `spec`.

    `questions`: a JSONL file, or the step that makes them; None = the packaged set. Raises InputError for a checkpoint
    of a model that is not local, for questions that cannot be used, and where the split holds none.
    """
    if checkpoint is not None and isinstance(model, str):
        raise InputError(f"a checkpoint belongs to a local model, and {model!r} is not one; expected midspec/<model>")
    inputs: dict[str, Step] = {} if checkpoint is None else {"checkpoint": checkpoint}
    sha256: str | None = None
    if isinstance(questions, Step):
        inputs["questions"] = questions
    else:
        asked = load_questions(questions)
        sha256 = questions_sha256(asked)
        if not select(asked, entry.split, entry.limit):
            raise InputError(f"open QA has no questions in split {entry.split!r}; expected dev, test or all")
        if questions is not None:
            inputs["questions"] = import_step("import", "questions", questions, "questions.jsonl")
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.open_qa.step:run",
        config=OpenQAStepConfig(
            model=model,
            eval=entry,
            questions_sha256=sha256,
            spec_text=spec.text,
            identity=identity,
            judges=tuple(judges),
            judge_versions=tuple(offline_version(judge) for judge in judges),
            prompt=GRADE.fingerprint,
        ),
        version=VERSION,
        inputs=inputs,
        resumable=True,
    )


class QuestionsConfig(Config):
    """Questions to make for a spec."""

    count: int = Field(default=150, ge=1)
    """(the paper has 151)"""
    max_similarity: float = Field(default=0.91, gt=0, le=1)
    """A question whose embedding has a higher cosine with an earlier one is a near-duplicate. (paper, of chat data)"""
    seed: int = 0
    """Seed of writing. (ours)"""


class QuestionsStepConfig(Config):
    """What decides a set of made questions."""

    questions: QuestionsConfig
    spec_text: str
    identity: Identity
    writer: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model."""
    prompt: str
    """Fingerprint of the prompt."""


def questions_step(
    name: str, questions: QuestionsConfig, spec: ModelSpec, identity: Identity, writer: WriterConfig
) -> Step:
    """The step that makes questions for a spec; `name` is for people."""
    from midspec.evals.open_qa.make import QUESTIONS

    return Step(
        kind="questions",
        name=name,
        function="midspec.evals.open_qa.make_step:run",
        config=QuestionsStepConfig(
            questions=questions,
            spec_text=spec.text,
            identity=identity,
            writer=writer,
            writer_version=offline_version(writer),
            prompt=QUESTIONS.fingerprint,
        ),
        version=MAKE_VERSION,
    )


def asked_questions(config: OpenQAStepConfig, inputs: Mapping[str, Path]) -> list[OpenQuestion]:
    """The questions of a step, from its inputs. Raises InputError where they changed since it was planned."""
    folder = inputs.get("questions")
    everything = load_questions(folder / "questions.jsonl" if folder else None)
    if config.questions_sha256 not in (None, questions_sha256(everything)):
        raise InputError("the questions of open QA have changed since this run was planned; start the run again")
    chosen = select(everything, config.eval.split, config.eval.limit)
    if not chosen:
        raise InputError(f"open QA has no questions in split {config.eval.split!r}; expected dev, test or all")
    return chosen
