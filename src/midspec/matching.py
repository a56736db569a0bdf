"""Whether arms that are compared were trained on as many tokens, in as many updates, by one trainer. Pure functions.

An arm that was trained more differs from another by that too: a table says so beside every such difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, NamedTuple

from midspec.steps.record import StepRecord

Stage = Literal["midtraining", "fine-tuning", "further training"]

TOLERANCE = 0.02
"""Relative difference of tokens or updates that counts as none: what packing and the end of a corpus make (ours)."""
_TRAINER = ("torch", "transformers", "peft")


class Amount(NamedTuple):
    """How much one stage of an arm was trained, on average over its seeds."""

    tokens: float
    """All tokens of all epochs."""
    updates: float
    """Of the optimizer."""
    replayed: float = 0.0
    """Those of the tokens that are general text mixed in."""

    @property
    def own(self) -> float:
        """Tokens of the data that the stage is about: the dose."""
        return self.tokens - self.replayed

    def equals(self, other: Amount) -> bool:
        """Within TOLERANCE, or one update."""
        return _near(self.tokens, other.tokens) and (
            _near(self.updates, other.updates) or abs(self.updates - other.updates) <= 1
        )


class Apart(NamedTuple):
    """A stage in which two arms differ."""

    stage: Stage
    arm: Amount | None
    """None: the arm has no such stage."""
    versus: Amount | None

    @property
    def words(self) -> str:
        """E.g. `midtraining: 112,000 tokens in 55 updates against none`."""
        return f"{self.stage}: {_said(self.arm)} against {_said(self.versus)}"


@dataclass(frozen=True)
class Match:
    """Two compared arms side by side."""

    arm: str
    versus: str
    apart: tuple[Apart, ...]
    """Stages in which they differ; none = matched in tokens and in updates."""

    @property
    def matched(self) -> bool:
        """Whether they were trained equally much in every stage."""
        return not self.apart

    @property
    def words(self) -> str:
        """A clause for tables."""
        if self.matched:
            return "matched in tokens and updates"
        return "not matched: " + "; ".join(one.words for one in self.apart)


def amounts(runs: Sequence[Sequence[tuple[str, Mapping[str, Any]]]]) -> dict[Stage, Amount]:
    """What an arm was trained on, from its training steps: for each seed (kind, summary) of its lineage, first to last.

    `kind`: `midtrain` or `finetune`; summaries hold `tokens`, `updates` and, with replay, `replayed_tokens`. A second
    fine-tuning is further training.
    """
    found: dict[Stage, list[Amount]] = {}
    for run in runs:
        tuned = 0
        for kind, summary in run:
            tuned += kind == "finetune"
            stage: Stage = "midtraining" if kind == "midtrain" else "fine-tuning" if tuned == 1 else "further training"
            amount = Amount(summary["tokens"], summary["updates"], summary.get("replayed_tokens", 0))
            found.setdefault(stage, []).append(amount)
    return {
        stage: Amount(*(fmean(getattr(one, name) for one in some) for name in Amount._fields))
        for stage, some in found.items()
    }


def matching(
    pairs: Iterable[tuple[str, str]], trained: Mapping[str, Mapping[Stage, Amount]]
) -> dict[tuple[str, str], Match]:
    """(arm, versus) -> whether they are matched. `pairs`: of `midspec.arms.compared`; `trained`: arm -> `amounts`."""
    return {(arm, versus): _match(arm, versus, trained[arm], trained[versus]) for arm, versus in pairs}


def _match(arm: str, versus: str, mine: Mapping[Stage, Amount], theirs: Mapping[Stage, Amount]) -> Match:
    stages: tuple[Stage, ...] = ("midtraining", "fine-tuning", "further training")
    apart = [Apart(stage, mine.get(stage), theirs.get(stage)) for stage in stages if stage in mine or stage in theirs]
    equal = [one.arm is not None and one.versus is not None and one.arm.equals(one.versus) for one in apart]
    return Match(arm, versus, tuple(one for one, same in zip(apart, equal, strict=True) if not same))


def trainers(records: Iterable[StepRecord]) -> dict[str, list[str]]:
    """Which trainer made which training steps: its version and packages in words -> `kind/name-fingerprint`.

    More than one entry: a table of these arms compares trainers, too. (re-runs of the paper: one published gap was half
    the trainer's)
    """
    made: dict[str, list[str]] = {}
    training = [record for record in records if record.kind in ("midtrain", "finetune")]
    versions = {
        kind: max(one.version for one in training if one.kind == kind) for kind in {one.kind for one in training}
    }
    for record in training:
        old = "" if record.version == versions[record.kind] else f"{record.kind} version {record.version}, "
        packages = ", ".join(f"{name} {record.packages[name]}" for name in _TRAINER if name in record.packages)
        made.setdefault(old + (packages or "packages not recorded"), []).append(
            f"{record.kind}/{record.name}-{record.fingerprint}"
        )
    return made


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE * max(one, other)


def _said(amount: Amount | None) -> str:
    if amount is None:
        return "none"
    replayed = f" ({amount.replayed:,.0f} replayed)" if amount.replayed else ""
    return f"{amount.tokens:,.0f} tokens{replayed} in {amount.updates:,.0f} updates"
