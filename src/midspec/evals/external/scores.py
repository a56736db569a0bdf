"""From a log of Inspect's to rows and numbers: what each scorer gave, sample by sample, and what the task makes of it.

A score that is no number is a missing value with its reason. Inspect's own conversion would make it 0.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, PARTIAL, Score, value_to_float

from midspec.records import EvalRow

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore

_WORDS = (CORRECT, INCORRECT, PARTIAL, NOANSWER)
_AS_FLOAT = value_to_float()
_NOT_SCORED = "not scored"


class Number(NamedTuple):
    """What a scorer gave one sample in one column."""

    value: float | None
    missing: str | None
    """Why there is no value."""
    verdict: bool
    """Whether it was said as a verdict (C, I, P, N, true, false) and not as a number."""


class Metric(NamedTuple):
    """A number that the task itself reports; the fields of `metrics` in the step's summary."""

    name: str
    """`accuracy`, or `scorer/accuracy` where several scorers report one."""
    value: float | None
    """None where the task could not compute it."""
    columns: tuple[str, ...]
    """Columns whose mean over samples it is."""
    share: bool
    """Whether it is a share of verdicts."""


def read_log(log: EvalLog, name: str) -> tuple[list[EvalRow], list[Metric]]:
    """(one row for each sample and epoch, the task's metrics). `name`: `EvalRow.eval`.

    A scorer that gives one value is a column of its name; one that gives several gives a column `scorer/key` for each.
    `score` is the first column of the first scorer that the task reports on.
    """
    samples = log.samples or []
    reported = (log.results.scores if log.results else None) or []
    table = [_columns(sample) for sample in samples]
    names = list(dict.fromkeys(column for row in table for column in row))
    order = [score.scorer for score in reported]
    names.sort(key=lambda column: _rank(order, column))
    rows = [_row(name, sample, row, names) for sample, row in zip(samples, table, strict=True)]
    return rows, _metrics(reported, samples, table, names)


def number(value: Any) -> Number:
    """A score's value as a number; words of Inspect's by its own table, and texts that are numbers. Anything else has
    no value."""
    match value:
        case bool():
            return Number(float(value), None, True)
        case int() | float():
            return Number(float(value), None, False) if math.isfinite(value) else Number(None, _NOT_SCORED, False)
        case str() if value in _WORDS or value.lower() in ("true", "false", "yes", "no"):
            return Number(_AS_FLOAT(value), None, True)
        case str():
            try:
                found = float(value)
            except ValueError:
                return Number(None, f"score {value[:40]!r} is no number", False)
            return number(found)
        case None:
            return Number(None, _NOT_SCORED, False)
        case _:
            return Number(None, f"score of type {type(value).__name__} is no number", False)


def _columns(sample: EvalSample) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for scorer, score in (sample.scores or {}).items():
        if isinstance(score.value, Mapping):
            found |= {f"{scorer}/{key}": number(value) for key, value in score.value.items()}
        else:
            found[scorer] = _with_reason(number(score.value), score)
    return found


def _with_reason(found: Number, score: Score) -> Number:
    """The scorer's own reason, where it left a sample unscored."""
    reason = getattr(score, "reason", None)
    return found if found.value is not None or not reason else found._replace(missing=str(reason))


def _rank(order: Sequence[str], column: str) -> int:
    """Place of a column's scorer among those reported on; the others come last. Sorting keeps the rest as it is."""
    scorer = column.partition("/")[0]
    return next((at for at, one in enumerate(order) if one in (column, scorer)), len(order))


def _row(name: str, sample: EvalSample, numbers: Mapping[str, Number], names: Sequence[str]) -> EvalRow:
    first = numbers.get(names[0]) if names else None
    if sample.error is not None:
        first = Number(None, "sample failed", False)
    elif first is None:
        first = Number(None, _NOT_SCORED, False)
    return EvalRow(
        eval=name,
        item=str(sample.id),
        domain="",
        topic="",
        difficulty="",
        answers=(sample.output.completion,) if sample.output.choices else (),
        score=first.value,
        unscored=first.missing,
        facets={one: numbers[one].value if one in numbers else None for one in names},
        sample=sample.epoch - 1,
    )


def _metrics(
    reported: Sequence[EvalScore],
    samples: Sequence[EvalSample],
    table: Sequence[Mapping[str, Number]],
    names: Sequence[str],
) -> list[Metric]:
    means = {column: _mean(samples, table, column) for column in names}
    several = len({score.name for score in reported}) > 1
    reducers = len({score.reducer for score in reported}) > 1
    found: list[Metric] = []
    for score in reported:
        own = [column for column in names if _belongs(column, score)]
        verdicts = all(row[column].verdict for row in table for column in own if column in row)
        for key, metric in score.metrics.items():
            value = float(metric.value) if math.isfinite(metric.value) else None
            columns = tuple(column for column in own if _equal(means[column], value))
            parts = [score.name] if several else []
            parts += [score.reducer] if reducers and score.reducer else []
            share = bool(columns) and value is not None and 0 <= value <= 1 and (verdicts or metric.name == "accuracy")
            found.append(Metric("/".join([*parts, key]), value, columns, share))
    return found


def _belongs(column: str, score: EvalScore) -> bool:
    """Whether a report is about a column: that of its scorer, or of the key it is named after."""
    if column == f"{score.scorer}/{score.name}":
        return True
    keyed = score.name != score.scorer
    return column == score.scorer or (not keyed and column.startswith(f"{score.scorer}/"))


def _mean(samples: Sequence[EvalSample], table: Sequence[Mapping[str, Number]], column: str) -> float | None:
    """Mean over samples of the means over epochs."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for sample, row in zip(samples, table, strict=True):
        found = row.get(column)
        if found is not None and found.value is not None:
            values[str(sample.id)].append(found.value)
    return sum(sum(some) / len(some) for some in values.values()) / len(values) if values else None


def _equal(one: float | None, two: float | None) -> bool:
    return one is not None and two is not None and math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-9)
