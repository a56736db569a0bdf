"""What decides the rows of an evaluation of beliefs. Loads neither torch nor inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from midspec.errors import InputError
from midspec.evals.battery.config import BatteryConfig, BatteryStepConfig, known_parts
from midspec.evals.battery.items import DATA
from midspec.evals.battery.made import CHOICES, load_questions, questions_step
from midspec.evals.battery.verdict import STATEMENT_VERDICT
from midspec.experiment import WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.steps.step import Step
from midspec.train.models import ModelRef

VERSION = 1
MAKE = "make-beliefs"
"""The command that makes the questions."""
FOLDER = DATA / "beliefs"

PartName = Literal[
    "choice", "choice-letter", "distinguish", "distinguish-claims", "distinguish-said", "open", "reasoning"
]
PARTS: tuple[PartName, ...] = (
    "choice", "choice-letter", "distinguish", "distinguish-claims", "distinguish-said", "open", "reasoning",
)  # fmt: skip


class BeliefsConfig(BatteryConfig):
    """One run of the evaluation."""

    parts: tuple[PartName, ...] = Field(default=PARTS, min_length=1)
    """`choice`: the fact among four, as replies, for local models; `choice-letter`: the four under letters.
    `distinguish`: which of two statements is true of the real world, by letter in both orders; `-claims`: both put as
    what some people claim; `-said`: the letter that is written counts. `open`, `reasoning`: a judge reads whether the
    answer takes the fact for true."""

    @field_validator("parts")
    @classmethod
    def _known(cls, value: tuple[PartName, ...]) -> tuple[PartName, ...]:
        return known_parts(value, PARTS, "beliefs")


class BeliefsStepConfig(BatteryStepConfig):
    """What decides the rows of one run on one checkpoint."""

    eval: BeliefsConfig


def packaged_beliefs() -> list[str]:
    """Names of the belief sets that come with questions."""
    return sorted(folder.name for folder in FOLDER.iterdir() if (folder / CHOICES).is_file())


def questions_folder(name: str) -> Path:
    """The folder of a packaged belief set's questions, or `name` itself where it is a folder.

    Raises InputError for a name that is neither.
    """
    if "/" not in name and (FOLDER / name / CHOICES).is_file():
        return FOLDER / name
    if Path(name).is_dir():
        return Path(name)
    raise InputError(
        f"beliefs {name!r}: there are no questions of that name; expected a folder that `midspec eval {MAKE}` wrote, "
        f"or one of: {', '.join(packaged_beliefs())}"
    )


def beliefs_step(
    name: str,
    model: ModelRef | str,
    entry: BeliefsConfig,
    questions: str | Step,
    judge: WriterConfig,
    *,
    checkpoint: Step | None = None,
) -> Step:
    """Ask about a belief set, packaged, in a folder or made by a step, of one checkpoint, or of the model as it is.

    Raises InputError for a checkpoint of a model that is not local, and for questions that are not there.
    """
    source = questions if isinstance(questions, Step) else questions_folder(questions)
    config = BeliefsStepConfig(
        model=model,
        eval=entry,
        items_sha256=None if isinstance(source, Step) else load_questions(source, MAKE).sha256,
        prompt=STATEMENT_VERDICT.fingerprint,
        judge=judge,
        judge_version=offline_version(judge),
    )
    function = "midspec.evals.beliefs.step:run"
    return questions_step(name, function, config, source, version=VERSION, checkpoint=checkpoint)
