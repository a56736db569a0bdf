"""The training steps as the pipeline plans them. Loads neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Sequence

from midspec.experiment import Config, InstructConfig, TrainConfig
from midspec.steps.step import Step
from midspec.train.instruct import InstructRef, resolve_instruct
from midspec.train.models import ModelRef

MIDTRAIN_VERSION = 1
FINETUNE_VERSION = 2


class MidtrainStepConfig(Config):
    """What decides a midtrained checkpoint, besides its corpus."""

    model: ModelRef
    train: TrainConfig
    seed: int


class FinetuneStepConfig(Config):
    """What decides a fine-tuned checkpoint, besides its parent and its demonstrations."""

    model: ModelRef
    train: TrainConfig
    seed: int
    instruct: tuple[InstructRef, ...] = ()
    cot: bool = False
    """Whether demonstrations keep their reasoning."""
    aft_samples: int | None = None
    """Only the first so many demonstrations, in the order they are stored; None = all."""


def midtrain_step(name: str, model: ModelRef, train: TrainConfig, seed: int, corpus: Step) -> Step:
    """Train `model` on the documents of the step `corpus`."""
    return Step(
        kind="midtrain",
        name=f"{name}-seed{seed}",
        function="midspec.train.step:midtrain",
        config=MidtrainStepConfig(model=model, train=train, seed=seed),
        version=MIDTRAIN_VERSION,
        inputs={"corpus": corpus},
        resumable=True,
    )


def finetune_step(
    name: str,
    model: ModelRef,
    train: TrainConfig,
    seed: int,
    parent: Step | None,
    demonstrations: Step | None,
    instruct: Sequence[InstructConfig],
    *,
    cot: bool = False,
    aft_samples: int | None = None,
) -> Step:
    """Train on demonstrations and the instruct mix, going on from `parent`, or from the base model without one.

    `cot`, `aft_samples`: as in `ArmConfig`; without demonstrations they decide nothing. Raises InputError where an
    instruct source cannot be found.
    """
    roles = {"parent": parent, "demonstrations": demonstrations}
    return Step(
        kind="finetune",
        name=f"{name}-seed{seed}",
        function="midspec.train.step:finetune",
        config=FinetuneStepConfig(
            model=model,
            train=train,
            seed=seed,
            instruct=tuple(resolve_instruct(source) for source in instruct),
            cot=cot and demonstrations is not None,
            aft_samples=aft_samples if demonstrations is not None else None,
        ),
        version=FINETUNE_VERSION,
        inputs={role: step for role, step in roles.items() if step is not None},
        resumable=True,
    )
