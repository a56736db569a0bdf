"""From evaluation rows to plain answers: what is measured, what is missing, and what may share something."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from midspec.records import EvalRow
from midspec.stats.compare import difference, paired
from midspec.stats.missing import Bounded

Measure = Literal["rate", "shift", "score"]
"""`EvalRow.aligned` as 0 or 1; `log_odds` in nats; `score` as graded."""

Unit = Literal["topic", "item"]
"""What answers may share: items of one topic (banks), or only samples of one item or cell."""

Key = tuple[str, int]
"""Item and sample."""

RowsBySeed = Mapping[int, Sequence[EvalRow]]


class Answers(NamedTuple):
    """One arm on one evaluation."""

    values: dict[int, dict[Key, float | None]]
    """Training seed -> answers. None: no verdict (a failed judgement), which bounds have to deal with."""
    clusters: dict[Key, str]
    undecided: int
    """Answers without a choice, which count nowhere."""
    missing: int

    @property
    def seed_means(self) -> dict[int, float]:
        """Per seed, over the answers that are there; seeds without any are left out."""
        known = {seed: [value for value in every.values() if value is not None] for seed, every in self.values.items()}
        return {seed: sum(values) / len(values) for seed, values in known.items() if values}

    @property
    def mean(self) -> float | None:
        """Over all answers that are there."""
        known = [value for every in self.values.values() for value in every.values() if value is not None]
        return sum(known) / len(known) if known else None


def answers(rows: RowsBySeed, measure: Measure, *, unit: Unit = "topic", excluded: Collection[str] = ()) -> Answers:
    """Answers by seed, item and sample. Items in `excluded` (found in the training data) count nowhere."""
    values: dict[int, dict[Key, float | None]] = {}
    clusters: dict[Key, str] = {}
    undecided = missing = 0
    for seed, every in rows.items():
        of_seed = values.setdefault(seed, {})
        for row in every:
            if row.item in excluded:
                continue
            key = (row.item, row.sample)
            value = {"rate": row.aligned, "shift": row.log_odds, "score": row.score}[measure]
            if value is None and row.unscored is None:
                undecided += 1
                continue
            missing += value is None
            of_seed[key] = None if value is None else float(value)
            # Topics of one name in two domains are two topics.
            clusters[key] = row.item if unit == "item" else f"{row.domain}/{row.topic}"
    return Answers(values, clusters, undecided, missing)


def bounded_difference(arm: Answers, versus: Answers, scale: tuple[float, float] | None = (0.0, 1.0)) -> Bounded | None:
    """Arm minus versus, paired by item, sample and seed; None without pairs.

    `scale`: ends that a missing answer is put at, against the arm for the least and for it for the most. None: missing
    answers are left out (log-odds have no ends).
    """
    clusters = {**versus.clusters, **arm.clusters}
    read = difference(paired(arm.values, versus.values), clusters)
    missing = arm.missing + versus.missing
    if not missing or scale is None:
        return None if read is None else Bounded(read=read, least=read, most=read, missing=missing)
    low, high = scale
    least = difference(paired(_filled(arm, low), _filled(versus, high)), clusters)
    most = difference(paired(_filled(arm, high), _filled(versus, low)), clusters)
    assert least is not None
    assert most is not None
    return Bounded(read=read, least=least, most=most, missing=missing)


def _filled(of: Answers, value: float) -> dict[int, dict[Key, float | None]]:
    return {
        seed: {key: value if answer is None else answer for key, answer in every.items()}
        for seed, every in of.values.items()
    }
