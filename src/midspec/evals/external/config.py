"""What decides the rows of a task of Inspect's. Loads neither torch nor inspect."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from midspec.evals.external.find import Found
from midspec.experiment import Config, WriterConfig
from midspec.steps.step import Step
from midspec.train.models import ModelRef

VERSION = 1


class ExternalConfig(Config):
    """How a task is run. None = as the task says."""

    args: dict[str, Any] = Field(default_factory=dict)
    """Its arguments, like `-T` of `inspect eval`."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many samples."""
    epochs: int | None = Field(default=None, ge=1)
    """Times each sample is asked."""
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0
    """Of sampling, for models that take one."""


class ExternalStepConfig(Config):
    """What decides the rows of one task asked of one checkpoint."""

    model: ModelRef
    task: str
    """As Inspect knows it."""
    code: str
    """Version of the package, or hash of the file."""
    eval: ExternalConfig
    grader: WriterConfig | None
    """Who answers for the model role `grader`; None = as the task says."""


def external_step(
    name: str,
    model: ModelRef,
    found: Found,
    entry: ExternalConfig,
    grader: WriterConfig | None,
    checkpoint: Step | None,
) -> Step:
    """Ask one task of one checkpoint, or of the base model without one."""
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.external.step:run",
        config=ExternalStepConfig(model=model, task=found.task, code=found.code, eval=entry, grader=grader),
        version=VERSION,
        inputs={} if checkpoint is None else {"checkpoint": checkpoint},
        resumable=True,
        source=found.file,
    )
