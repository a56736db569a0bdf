"""95% intervals for means and rates of clustered answers.

Answers about one topic are not independent, and neither are answers of one training run. So the unit of evidence is the
topic (and the seed), not the item; see `stats.spread` for the method and docs/statistics.md for what it covers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from midspec.stats.effect import LEVEL, Effect, Estimate, effect

__all__ = ["LEVEL", "Estimate", "mean_interval", "rate_interval"]


def mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Estimate:
    """Mean with its 95% interval. Nothing: all None. One cluster: no interval. All equal: interval of width 0.

    `clusters` and `seeds`: topic and training run of each value. With one seed the interval does not hold the variance
    between training runs.
    """
    return _estimate(effect(values, clusters, seeds))


def rate_interval(
    hits: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Estimate:
    """Share of ones in `hits` (0 or 1) with a 95% score interval, which never leaves [0, 1].

    Where all answers are equal, they cannot show how much topics differ, and each topic counts as one answer. Nothing:
    all None. One cluster: no interval.
    """
    return _estimate(effect(hits, clusters, seeds, form="share"))


def _estimate(found: Effect | None) -> Estimate:
    return Estimate(None, None, None) if found is None else found.interval()
