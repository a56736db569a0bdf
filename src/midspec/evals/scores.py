"""From the rows of an evaluation to the numbers of a report: one arm's score, and the difference of two arms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from midspec.records import EvalRow
from midspec.stats.compare import paired, paired_difference, position_bias
from midspec.stats.intervals import Estimate, mean_interval, rate_interval

RowsBySeed = Mapping[int, Sequence[EvalRow]]


class ArmScore(NamedTuple):
    """One arm on one evaluation; the fields of `report.results.Score`."""

    n: int
    items: int
    rate: float | None
    low: float | None
    high: float | None
    shift: float | None
    shift_low: float | None
    shift_high: float | None
    undecided: int
    position_bias: float | None
    missing: int
    least: float | None
    most: float | None


class Difference(NamedTuple):
    """Arm minus versus; the fields of `report.results.Contrast` behind the names."""

    n: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    shift: float | None
    shift_low: float | None
    shift_high: float | None


def score(rows: RowsBySeed, baseline: RowsBySeed | None, excluded: Collection[str] = ()) -> ArmScore:
    """Rate, shift against `baseline` (None = no baseline, no shift) and what is wrong with them.

    `rows`: training seed -> rows. Items in `excluded` (found in the training data) count nowhere. `n` counts answers,
    undecided and missing ones too; the rate is over decided answers. Intervals: 95%, clustered by topic and seed.
    """
    kept = [(seed, row) for seed, every in sorted(rows.items()) for row in every if row.item not in excluded]
    decided = [(seed, row) for seed, row in kept if row.aligned is not None]
    rate = rate_interval(
        [float(bool(row.aligned)) for _, row in decided],
        [_topic(row) for _, row in decided],
        [seed for seed, _ in decided],
    )
    shift = contrast(rows, baseline, excluded) if baseline is not None else None
    within = bounds([row for _, row in kept])
    return ArmScore(
        n=len(kept),
        items=len({row.item for _, row in kept}),
        rate=rate.value,
        low=rate.low,
        high=rate.high,
        shift=shift.shift if shift else None,
        shift_low=shift.shift_low if shift else None,
        shift_high=shift.shift_high if shift else None,
        undecided=sum(row.aligned is None and not _missing(row) for _, row in kept),
        position_bias=position_bias([_above_tie(row) for _, row in kept], 0.0),
        **within._asdict(),
    )


def mean_log_odds(rows: Sequence[EvalRow]) -> Estimate:
    """Mean log-odds of the aligned answer in nats, with its 95% interval over topics; of written answers all None.

    Where one model answers the same items under two conditions, the difference of the two means is the mean of the
    paired differences, whose interval `contrast` gives.
    """
    read = [(row.log_odds, _topic(row)) for row in rows if row.log_odds is not None]
    return mean_interval([log_odds for log_odds, _ in read], [topic for _, topic in read])


class Bounds(NamedTuple):
    """Between what a rate lies, whatever the judgements that are missing would have been."""

    missing: int
    """Answers that no judge gave a verdict on."""
    least: float | None
    """The rate if all of them were the other choice; None where nothing is decided or missing."""
    most: float | None
    """The rate if all of them were the aligned choice."""


def bounds(rows: Sequence[EvalRow], excluded: Collection[str] = ()) -> Bounds:
    """Bounds of the rate over decided and missing answers. Undecided answers are no missing ones."""
    kept = [row for row in rows if row.item not in excluded]
    missing, hits = sum(_missing(row) for row in kept), sum(row.aligned is True for row in kept)
    total = missing + sum(row.aligned is not None for row in kept)
    return Bounds(missing, hits / total, (hits + missing) / total) if total else Bounds(missing, None, None)


def contrast(rows: RowsBySeed, versus: RowsBySeed, excluded: Collection[str] = ()) -> Difference:
    """`rows` minus `versus`, paired by item and seed.

    The difference of rates is over items that both decided, `n` of them, so it can differ a little from the difference
    of the two rates when some are undecided. Shift: difference of log-odds in nats, None for generated answers.
    """
    topics = {row.item: _topic(row) for every in (*rows.values(), *versus.values()) for row in every}

    def values(of: RowsBySeed, name: str) -> dict[int, dict[str, float | None]]:
        return {
            seed: {row.item: _number(getattr(row, name)) for row in every if row.item not in excluded}
            for seed, every in of.items()
        }

    choices = paired(values(rows, "aligned"), values(versus, "aligned"))
    rate = paired_difference(choices, topics)
    shift = paired_difference(paired(values(rows, "log_odds"), values(versus, "log_odds")), topics)
    return Difference(len(choices), rate.value, rate.low, rate.high, shift.value, shift.low, shift.high)


def _missing(row: EvalRow) -> bool:
    return row.aligned is None and row.unscored is not None


def _above_tie(row: EvalRow) -> tuple[float | None, ...]:
    """Measures of both orders, of which 0 is no choice: log-odds are that already, written choices are 1 or 0."""
    tie = 0.0 if row.log_odds is not None else 0.5
    return tuple(None if value is None else value - tie for value in row.by_order)


def _number(value: float | bool | None) -> float | None:
    return None if value is None else float(value)


def _topic(row: EvalRow) -> str:
    """Topics of one name in two domains are two topics."""
    return f"{row.domain}/{row.topic}"
