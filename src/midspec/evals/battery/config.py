"""How a model is asked, for all batteries. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.battery.items import Split
from midspec.experiment import Config, WriterConfig
from midspec.train.models import ModelRef


class BatteryConfig(Config):
    """Settings that every part shares."""

    split: Split = "all"
    """Items of one half only, or all. Tune on dev."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many items of each part, spread over its domains with a fixed seed; None = all."""
    temperature: float | None = Field(default=0.0, ge=0)
    """Of free answers; None = the provider's own. (ours: greedy, so that arms differ by training alone)"""
    samples: int = Field(default=1, ge=1)
    """Free answers to each prompt. (ours)"""
    max_tokens: int = Field(default=384, ge=16)
    """Longest free answer, thinking included. (ours)"""
    letter_tokens: int = Field(default=16, ge=1)
    """Longest answer that is to be a letter; raise it for models that think first. (ours)"""
    seed: int = 0
    """Of sampling, for models that take one."""


class BatteryStepConfig(Config):
    """What decides the rows of one run on one checkpoint."""

    model: ModelRef | str
    """A local model, or the Inspect AI name of any other."""
    items_sha256: str | None
    """Of everything that can be asked; None where the step `questions` makes it, which then decides."""
    judge: WriterConfig
    judge_version: int | None
    """Of the offline judge; None for a language model."""
    prompt: str
    """Fingerprint of the judge's prompt."""


PartT = TypeVar("PartT", bound=str)


def known_parts(asked: Sequence[PartT], known: Sequence[str], evaluation: str) -> tuple[PartT, ...]:
    """`asked` without repeats, in the order of `known`. Raises InputError for a part that is not known, or none."""
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        named = repr(unknown[0]) if unknown else "nothing"
        raise InputError(f"{evaluation} has no part {named}; expected some of: {', '.join(known)}")
    return tuple(sorted(set(asked), key=list(known).index))
