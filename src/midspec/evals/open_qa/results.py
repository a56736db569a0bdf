"""From the rows of open QA to its numbers: means per dimension and overall, bounds, and how far two judges agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from statsmodels.stats.inter_rater import cohens_kappa

from midspec.evals.open_qa.grading import HIGHEST, LOWEST
from midspec.records import EvalRow
from midspec.stats.intervals import mean_interval

OVERALL = "overall"
SECOND = "second_score"
"""Facet that holds the second judge's grade."""


class Mean(NamedTuple):
    """Grades of one dimension, or of all."""

    dimension: str
    n: int
    """Answers graded."""
    missing: int
    """Answers without a grade."""
    mean: float | None
    low: float | None
    """95% interval of the mean, clustered by question, within the scale."""
    high: float | None
    least: float | None
    """The mean if every missing grade were 1; None without any answer."""
    most: float | None
    """The mean if every missing grade were 10."""


class Agreement(NamedTuple):
    """Two judges on the answers that both graded."""

    n: int
    kappa: float | None
    """Quadratic-weighted; None where there are no answers, or both judges gave one and the same grade to all."""
    difference: float | None
    """Mean of second minus first."""
    low: float | None
    """95% interval of the difference, clustered by question."""
    high: float | None
    one_judge_only: int
    """Answers that only one of them graded."""


def means(rows: Sequence[EvalRow]) -> list[Mean]:
    """One per dimension in the order of the rows, then OVERALL. A missing grade counts in no mean, only in bounds."""
    dimensions = list(dict.fromkeys(row.domain for row in rows))
    return [_mean(name, [row for row in rows if row.domain == name]) for name in dimensions] + [_mean(OVERALL, rows)]


def _mean(name: str, rows: Sequence[EvalRow]) -> Mean:
    graded = [(row.score, row.item) for row in rows if row.score is not None]
    scores = [score for score, _ in graded]
    found = mean_interval(scores, [item for _, item in graded])
    missing = len(rows) - len(graded)
    least, most = (
        ((sum(scores) + missing * grade) / len(rows) if rows else None) for grade in (float(LOWEST), float(HIGHEST))
    )
    low, high = (None if end is None else min(max(end, float(LOWEST)), float(HIGHEST)) for end in found[1:])
    return Mean(name, len(graded), missing, found.value, low, high, least, most)


def agreement(rows: Sequence[EvalRow]) -> Agreement | None:
    """How the second judge's grades stand to the first's; None where no row has a second judge."""
    if not any(SECOND in row.facets for row in rows):
        return None
    pairs = [(row.score, row.facets.get(SECOND), row.item) for row in rows]
    both = [(first, second, item) for first, second, item in pairs if first is not None and _is_grade(second)]
    one = sum((first is None) != (not _is_grade(second)) for first, second, _ in pairs)
    found = mean_interval([float(second or 0) - first for first, second, _ in both], [item for *_, item in both])
    kappa = weighted_kappa([(int(first), int(second or 0)) for first, second, _ in both])
    return Agreement(len(both), kappa, found.value, found.low, found.high, one)


def weighted_kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa with quadratic weights of two grades each (LOWEST to HIGHEST); None where it is undefined."""
    table = np.zeros((HIGHEST - LOWEST + 1,) * 2)
    for first, second in pairs:
        table[first - LOWEST, second - LOWEST] += 1
    if len({grade for pair in pairs for grade in pair}) < 2:
        return None
    found: Any = cohens_kappa(table, wt="quadratic", return_results=False)
    return float(found)


def _is_grade(value: object) -> bool:
    return isinstance(value, int | float)
