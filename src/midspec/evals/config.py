"""The evaluation steps as the pipeline plans them. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midspec.evals.banks import bank_sha256
from midspec.experiment import Config, EvalConfig
from midspec.steps.step import Step
from midspec.train.models import ModelRef

EVALUATE_VERSION = 1
GATE_VERSION = 1


class EvalStepConfig(Config):
    """What decides the rows of one evaluation of one checkpoint."""

    model: ModelRef
    eval: EvalConfig
    bank_sha256: str
    """Of the packaged bank file; a changed bank is another evaluation."""
    seed: int = 0
    """Seed of sampled answers; without effect while answers are greedy."""


class GateStepConfig(Config):
    """What decides the contamination gate, besides the training data."""

    banks: Mapping[str, str]
    """Name of the evaluation (`opinions/america`) -> SHA-256 of its bank."""


def evaluate_step(name: str, model: ModelRef, entry: EvalConfig, checkpoint: Step | None, seed: int = 0) -> Step:
    """Ask one evaluation of one checkpoint, or of the base model without one. Raises InputError for an unknown bank."""
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.step:run",
        config=EvalStepConfig(model=model, eval=entry, bank_sha256=bank_sha256(entry.task, entry.value), seed=seed),
        version=EVALUATE_VERSION,
        inputs={} if checkpoint is None else {"checkpoint": checkpoint},
    )


def gate_step(evals: Sequence[EvalConfig], training_data: Mapping[str, Step]) -> Step:
    """Look for the items of `evals` in everything that is trained on. Raises InputError for an unknown bank.

    `training_data`: `corpus/<spec>` -> corpus step, `demonstrations` -> demonstrations step.
    """
    return Step(
        kind="gate",
        name="contamination",
        function="midspec.evals.contamination:run",
        config=GateStepConfig(banks={entry.name: bank_sha256(entry.task, entry.value) for entry in evals}),
        version=GATE_VERSION,
        inputs=training_data,
    )
