"""What decides the rows of an evaluation of spec knowledge. Loads neither torch nor inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from midspec.evals.battery.config import BatteryConfig, BatteryStepConfig, known_parts
from midspec.evals.battery.made import load_questions, questions_step
from midspec.evals.battery.verdict import STATEMENT_VERDICT
from midspec.experiment import WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.steps.step import Step
from midspec.train.models import ModelRef

VERSION = 1
MAKE = "make-knowledge"
"""The command that makes the questions."""

PartName = Literal["likelihood", "letter", "open"]
PARTS: tuple[PartName, ...] = ("likelihood", "letter", "open")


class KnowledgeConfig(BatteryConfig):
    """One run of the evaluation."""

    parts: tuple[PartName, ...] = Field(default=PARTS, min_length=1)
    """`likelihood`: a statement of the spec against its distortion, as replies, for local models; `letter`: both shown
    under letters, in both orders; `open`: a question whose answer a judge compares with the statement."""

    @field_validator("parts")
    @classmethod
    def _known(cls, value: tuple[PartName, ...]) -> tuple[PartName, ...]:
        return known_parts(value, PARTS, "spec knowledge")


class KnowledgeStepConfig(BatteryStepConfig):
    """What decides the rows of one run on one checkpoint."""

    eval: KnowledgeConfig


def knowledge_step(
    name: str,
    model: ModelRef | str,
    entry: KnowledgeConfig,
    questions: Path | Step,
    judge: WriterConfig,
    *,
    checkpoint: Step | None = None,
) -> Step:
    """Ask the made questions in a folder, or those of the step that makes them, of one checkpoint, or of the model.

    Raises InputError for a checkpoint of a model that is not local, and for a folder that holds no made questions.
    """
    config = KnowledgeStepConfig(
        model=model,
        eval=entry,
        items_sha256=None if isinstance(questions, Step) else load_questions(questions, MAKE).sha256,
        prompt=STATEMENT_VERDICT.fingerprint,
        judge=judge,
        judge_version=offline_version(judge),
    )
    function = "midspec.evals.knowledge.step:run"
    return questions_step(name, function, config, questions, version=VERSION, checkpoint=checkpoint)
