"""Made questions: the step that makes them from a text, the folder they lie in, the step that asks them.

Loads neither torch nor inspect.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.battery.config import BatteryStepConfig
from midspec.evals.battery.items import Choice, Judged, items_sha256, load_items
from midspec.evals.battery.making import STATEMENTS, Subject
from midspec.experiment import Config, WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.imported import import_step
from midspec.steps.step import Step

VERSION = 1
CHOICES, JUDGED = "choices.jsonl", "open.jsonl"
FOLDER = "questions"
"""Under which a folder of questions lies in the step that imports it."""


class Questions(NamedTuple):
    """A folder of made questions."""

    choices: list[Choice]
    judged: list[Judged]

    @property
    def sha256(self) -> str:
        """Identity of all of it."""
        return items_sha256([*self.choices, *self.judged])


class MakeConfig(Config):
    """What to make of a text."""

    kind: Subject
    per_passage: int = Field(default=4, ge=1)
    """Pairs of each passage of 20 to 120 words; half as many questions for a judge. (ours)"""
    max_similarity: float = Field(default=0.91, gt=0, le=1)
    """A true statement whose embedding has a higher cosine with an earlier one is a near-duplicate. (as for chats)"""
    seed: int = 0
    """Seed of writing. (ours)"""


class MakeStepConfig(Config):
    """What decides a set of made questions."""

    make: MakeConfig
    spec_text: str
    identity: Identity
    writer: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model."""
    prompt: str
    """Fingerprint of the prompt."""


def make_step(name: str, make: MakeConfig, spec: ModelSpec, identity: Identity, writer: WriterConfig) -> Step:
    """The step that makes questions from a text; `name` is for people."""
    return Step(
        kind="questions",
        name=name,
        function="midspec.evals.battery.make_step:run",
        config=MakeStepConfig(
            make=make,
            spec_text=spec.text,
            identity=identity,
            writer=writer,
            writer_version=offline_version(writer),
            prompt=STATEMENTS.fingerprint,
        ),
        version=VERSION,
    )


def load_questions(folder: Path, command: str) -> Questions:
    """What a folder of made questions holds. Raises InputError where it is none, naming the `command` that makes it."""
    for name in (CHOICES, JUDGED):
        if not (folder / name).is_file():
            raise InputError(f"{folder} has no {name}; expected a folder that `midspec eval {command}` wrote")
    return Questions(load_items(folder / CHOICES, Choice), load_items(folder / JUDGED, Judged))


def questions_step(
    name: str,
    function: str,
    config: BatteryStepConfig,
    questions: Path | Step,
    *,
    version: int,
    checkpoint: Step | None = None,
) -> Step:
    """The step that asks the questions in a folder, or those that a step makes: its input `questions`.

    Raises InputError for a checkpoint of a model that is not local.
    """
    if checkpoint is not None and isinstance(config.model, str):
        raise InputError(
            f"a checkpoint belongs to a local model, and {config.model!r} is not one; expected midspec/..."
        )
    source = questions if isinstance(questions, Step) else import_step("import", "questions", questions, FOLDER)
    inputs = {"questions": source}
    return Step(
        kind="evaluate",
        name=name,
        function=function,
        config=config,
        version=version,
        inputs=inputs if checkpoint is None else {**inputs, "checkpoint": checkpoint},
        resumable=True,
    )


def asked_questions(config: BatteryStepConfig, inputs: Mapping[str, Path], command: str) -> Questions:
    """The questions of a step, from its inputs. Raises InputError where they changed since it was planned."""
    folder = inputs["questions"]
    found = load_questions(folder / FOLDER if (folder / FOLDER).is_dir() else folder, command)
    if config.items_sha256 not in (None, found.sha256):
        raise InputError("the questions have changed since this run was planned; start the run again")
    return found
