"""The training steps as the pipeline plans them. Loads neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from midspec.experiment import Config, TrainConfig
from midspec.steps.step import Step
from midspec.train.models import ModelRef

MIDTRAIN_VERSION = 1
FINETUNE_VERSION = 2
MATCH_VERSION = 1
CORPUS_ROLE = "corpus/"
"""Before the names of corpora that are inputs of a match."""
REPLAY_ROLE = "replay"
"""Input of a midtraining: the general text that is mixed into it."""


class MidtrainStepConfig(Config):
    """What decides a midtrained checkpoint, besides its corpus."""

    model: ModelRef
    train: TrainConfig
    seed: int


class ReplayedMidtrainStepConfig(MidtrainStepConfig):
    """The same where general text is mixed in."""

    share: float
    """Share of the tokens trained on that come from the input `replay`."""


class Replay(NamedTuple):
    """General text that is mixed into a midtraining."""

    step: Step
    """Leaves it as `documents.jsonl`."""
    share: float
    """Of the tokens trained on."""


class FinetuneStepConfig(Config):
    """What decides a fine-tuned checkpoint, besides its parent, its demonstrations and its instruct mix."""

    model: ModelRef
    train: TrainConfig
    seed: int
    cot: bool = False
    """Whether demonstrations keep their reasoning."""
    aft_samples: int | None = None
    """Only the first so many demonstrations, in the order they are stored; None = all."""


class MatchStepConfig(Config):
    """What decides how many tokens all corpora can give, besides the corpora."""

    model: ModelRef
    """Whose tokens are counted."""


def match_step(name: str, model: ModelRef, corpora: Mapping[str, Step]) -> Step:
    """Count what the smallest of `corpora` (name -> step) has in tokens of `model`; `name` is for people."""
    return Step(
        kind="match",
        name=name,
        function="midspec.train.match:run",
        config=MatchStepConfig(model=model),
        version=MATCH_VERSION,
        inputs={f"{CORPUS_ROLE}{name}": step for name, step in corpora.items()},
    )


def midtrain_step(
    name: str,
    model: ModelRef,
    train: TrainConfig,
    seed: int,
    corpus: Step,
    match: Step | None = None,
    replay: Replay | None = None,
) -> Step:
    """Train `model` on the documents of the step `corpus`; with `match`, on so many tokens as that step found.

    `replay`: general text that comes on top.
    """
    config = MidtrainStepConfig(model=model, train=train, seed=seed)
    inputs = {"corpus": corpus, "match": match}
    if replay is not None:
        config = ReplayedMidtrainStepConfig(**dict(config), share=replay.share)
        inputs[REPLAY_ROLE] = replay.step
    return Step(
        kind="midtrain",
        name=f"{name}-seed{seed}",
        function="midspec.train.step:midtrain",
        config=config,
        version=MIDTRAIN_VERSION,
        inputs={role: step for role, step in inputs.items() if step is not None},
        resumable=True,
    )


def finetune_step(
    name: str,
    model: ModelRef,
    train: TrainConfig,
    seed: int,
    parent: Step | None,
    demonstrations: Step | None,
    instruct: Step | None,
    *,
    cot: bool = False,
    aft_samples: int | None = None,
) -> Step:
    """Train on demonstrations and the instruct mix, going on from `parent`, or from the base model without one.

    `cot`, `aft_samples`: as in `ArmConfig`; without demonstrations they decide nothing.
    """
    roles = {"parent": parent, "demonstrations": demonstrations, "instruct": instruct}
    return Step(
        kind="finetune",
        name=f"{name}-seed{seed}",
        function="midspec.train.step:finetune",
        config=FinetuneStepConfig(
            model=model,
            train=train,
            seed=seed,
            cot=cot and demonstrations is not None,
            aft_samples=aft_samples if demonstrations is not None else None,
        ),
        version=FINETUNE_VERSION,
        inputs={role: step for role, step in roles.items() if step is not None},
        resumable=True,
    )
