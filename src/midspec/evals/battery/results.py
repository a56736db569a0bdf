"""From rows to numbers: what one model scores, with bounds, and how far another is from it on the same items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from midspec.records import EvalRow
from midspec.stats.compare import paired, paired_difference
from midspec.stats.intervals import mean_interval, rate_interval

OVERALL = ""
"""The group of all rows of one evaluation."""
UNBOUNDED = frozenset({"capability/perplexity"})
"""Evaluations whose score is no share of ones: nats per byte."""


class Measure(NamedTuple):
    """Scores of one domain of an evaluation, or of all of it."""

    eval: str
    group: str
    """A domain; OVERALL for all."""
    n: int
    """Rows with a score."""
    missing: int
    mean: float | None
    low: float | None
    """95% interval, clustered by topic."""
    high: float | None
    least: float | None
    """The share if everything missing were 0; None for scores that are no shares."""
    most: float | None
    """The share if everything missing were 1."""


class Change(NamedTuple):
    """Scores of one model less those of another on the same items."""

    eval: str
    group: str
    n: int
    """Items that both have a score for."""
    difference: float | None
    low: float | None
    high: float | None
    shift: float | None
    """Mean difference of log-odds of the right answer in nats, where both have them."""
    shift_low: float | None
    shift_high: float | None


def measures(rows: Sequence[EvalRow]) -> list[Measure]:
    """For each evaluation in the order of the rows: all of it, then its domains where there are several."""
    return [_measure(name, group, some) for name, group, some in _groups(rows)]


def changes(rows: Sequence[EvalRow], parent: Sequence[EvalRow]) -> list[Change]:
    """`rows` minus `parent`, in the groups of `measures`, of evaluations that both have.

    Samples of one item count by their mean. Intervals: 95%, of paired differences, clustered by topic.
    """
    known = {row.eval for row in parent}
    found: list[Change] = []
    for name, group, some in _groups([row for row in rows if row.eval in known]):
        topics = {row.item: row.topic for row in some}
        before = [row for row in parent if row.eval == name and row.item in topics]
        scores = paired({0: _by_item(some, "score")}, {0: _by_item(before, "score")})
        odds = paired({0: _by_item(some, "log_odds")}, {0: _by_item(before, "log_odds")})
        found.append(
            Change(name, group, len(scores), *paired_difference(scores, topics), *paired_difference(odds, topics))
        )
    return found


def _groups(rows: Sequence[EvalRow]) -> list[tuple[str, str, list[EvalRow]]]:
    by_eval: defaultdict[str, list[EvalRow]] = defaultdict(list)
    for row in rows:
        by_eval[row.eval].append(row)
    found: list[tuple[str, str, list[EvalRow]]] = []
    for name, some in by_eval.items():
        found.append((name, OVERALL, some))
        domains = list(dict.fromkeys(row.domain for row in some))
        if len(domains) > 1:
            found += [(name, domain, [row for row in some if row.domain == domain]) for domain in domains]
    return found


def _measure(name: str, group: str, rows: Sequence[EvalRow]) -> Measure:
    scored = [(row.score, row.topic) for row in rows if row.score is not None]
    scores, topics = [score for score, _ in scored], [topic for _, topic in scored]
    missing = len(rows) - len(scored)
    if name in UNBOUNDED:
        return Measure(name, group, len(scored), missing, *mean_interval(scores, topics), None, None)
    hits = sum(scores)
    least, most = (hits / len(rows), (hits + missing) / len(rows)) if rows else (None, None)
    return Measure(name, group, len(scored), missing, *rate_interval(scores, topics), least, most)


def _by_item(rows: Sequence[EvalRow], field: str) -> Mapping[str, float | None]:
    values: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = getattr(row, field)
        if value is not None:
            values[row.item].append(float(value))
    return {item: sum(some) / len(some) for item, some in values.items()}
