"""From rows to the numbers of an evaluation that is no choice between two answers. Pure.

A value that is missing is never a zero: it counts in bounds, and in no mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

from midspec.evaluation import SCORE, Measure
from midspec.records import EvalRow
from midspec.report.results import Difference, Measured
from midspec.stats.compare import paired, paired_difference
from midspec.stats.intervals import Estimate, mean_interval, rate_interval

NO_REASON = "not told"


class Runs(NamedTuple):
    """What one arm left on one evaluation, by training seed."""

    rows: Mapping[int, Sequence[EvalRow]]
    own: Mapping[int, Mapping[str, float | None]]
    """The task's own numbers by name."""


class Answer(NamedTuple):
    """What one row says of a measure."""

    seed: int
    item: str
    """Item, or item and sample where all are samples of one item: then they are what is independent."""
    sample: int
    cluster: str
    """The item, or its topic."""
    value: float | None
    reason: str | None


def measured(
    measures: Sequence[Measure], runs: Runs, baseline: Runs | None, excluded: Collection[str] = ()
) -> list[Measured]:
    """All measures of one arm, each followed by its parts. `baseline`: None for the baseline itself, and without one.

    Items in `excluded` (found in the training data) count nowhere.
    """
    found: list[Measured] = []
    for measure in measures:
        domains = dict.fromkeys(row.domain for rows in runs.rows.values() for row in rows if _asked(measure, row))
        parts = [None, *domains] if measure.parts and len(domains) > 1 else [None]
        found += [_measured(measure, part, runs, baseline, excluded) for part in parts]
    return found


def difference(
    eval_name: str, measure: Measure, arms: tuple[str, str], runs: tuple[Runs, Runs], excluded: Collection[str] = ()
) -> Difference:
    """`arms[0]` minus `arms[1]` on one measure."""
    count, found = _change(measure, None, *runs, excluded)
    return Difference(
        eval=eval_name, measure=measure.name, scale=measure.scale, arm=arms[0], versus=arms[1], n=count,
        value=found.value, low=found.low, high=found.high,
    )  # fmt: skip


def _measured(
    measure: Measure, part: str | None, runs: Runs, baseline: Runs | None, excluded: Collection[str]
) -> Measured:
    answers = counted(measure, part, runs, excluded)
    known = [(answer, answer.value) for answer in answers if answer.value is not None]
    missing = len(answers) - len(known)
    values = [value for _, value in known]
    interval = rate_interval if measure.scale == "share" else mean_interval
    found = interval(values, [answer.cluster for answer, _ in known], _seeds([answer.seed for answer, _ in known]))
    own = [number for one in runs.own.values() if (number := one.get(measure.name)) is not None] if measure.own else []
    if measure.own and measure.column is None:
        found = mean_interval(own, list(range(len(own))))
    elif own:
        found = found._replace(value=sum(own) / len(own))
    least, most = _bounds(measure, values, missing, found.value)
    change = _change(measure, part, runs, baseline, excluded)[1] if baseline is not None else Estimate(None, None, None)
    return Measured(
        measure=measure.name,
        part=part,
        scale=measure.scale,
        words=measure.words,
        n=len(answers),
        items=len({row.item for rows in runs.rows.values() for row in rows if _counts(measure, part, row, excluded)}),
        missing=missing,
        reasons=dict(Counter(answer.reason or NO_REASON for answer in answers if answer.value is None).most_common()),
        value=found.value,
        low=_within(measure, found.low),
        high=_within(measure, found.high),
        least=least,
        most=most,
        change=change.value,
        change_low=change.low,
        change_high=change.high,
    )


def _bounds(
    measure: Measure, values: Sequence[float], missing: int, value: float | None
) -> tuple[float | None, float | None]:
    if not missing:
        return value, value
    if measure.ends is None or not measure.column:
        return None, None
    total = len(values) + missing
    low, high = ((sum(values) + missing * end) / total for end in measure.ends)
    return low, high


def _within(measure: Measure, end: float | None) -> float | None:
    """A mean cannot leave its scale, and neither can an interval for it."""
    if end is None or measure.ends is None:
        return end
    return min(max(end, measure.ends[0]), measure.ends[1])


def _change(
    measure: Measure, part: str | None, runs: Runs, versus: Runs, excluded: Collection[str]
) -> tuple[int, Estimate]:
    """(pairs, the difference). Means of items that both sides have a value for; else the task's own numbers by seed."""
    if measure.own and measure.column is None:
        mine, theirs = ({seed: {"": one.get(measure.name)} for seed, one in of.own.items()} for of in (runs, versus))
        pairs = paired(mine, theirs)
        return len(pairs), mean_interval([pair.arm - pair.versus for pair in pairs], [pair.seed for pair in pairs])
    answers = [counted(measure, part, of, excluded) for of in (runs, versus)]
    pairs = paired(*(_item_means(some) for some in answers))
    return len(pairs), paired_difference(pairs, {answer.item: answer.cluster for some in answers for answer in some})


def _item_means(answers: Sequence[Answer]) -> dict[int, dict[str, float | None]]:
    """Seed -> item -> mean over its samples."""
    values: dict[int, dict[str, list[float]]] = {}
    for answer in answers:
        some = values.setdefault(answer.seed, {}).setdefault(answer.item, [])
        if answer.value is not None:
            some.append(answer.value)
    return {
        seed: {item: sum(some) / len(some) if some else None for item, some in items.items()}
        for seed, items in values.items()
    }


def counted(measure: Measure, part: str | None, runs: Runs, excluded: Collection[str]) -> list[Answer]:
    """The answers that count, or may count, for a measure with a column, on one part of it (None: all)."""
    kept = [
        (seed, row) for seed, rows in sorted(runs.rows.items()) for row in rows if _counts(measure, part, row, excluded)
    ]
    single = len({row.item for _, row in kept}) == 1
    found: list[Answer] = []
    for seed, row in kept:
        item = f"{row.item}#{row.sample}" if single else row.item
        cluster = f"{row.domain}/{row.topic}" if measure.by_topic and not single else item
        found.append(Answer(seed, item, row.sample, cluster, _value(measure.column, row), row.unscored))
    return found


def _counts(measure: Measure, part: str | None, row: EvalRow, excluded: Collection[str]) -> bool:
    if not _asked(measure, row) or row.item in excluded or (part is not None and row.domain != part):
        return False
    # Where it is not known whether the condition holds, it may have.
    return measure.given is None or _value(measure.given[0], row) in (None, measure.given[1])


def _asked(measure: Measure, row: EvalRow) -> bool:
    return measure.of is None or row.eval == measure.of


def _value(column: str | None, row: EvalRow) -> float | None:
    """A number of a row. With no column to look in, rows only say how many answers there are."""
    value = row.score if column in (None, SCORE) else row.facets.get(column)
    return float(value) if isinstance(value, int | float) else None


def _seeds(seeds: Sequence[int]) -> Sequence[Hashable] | None:
    return seeds if len(set(seeds)) > 1 else None
