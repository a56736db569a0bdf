"""95% intervals for means and rates of clustered answers.

Answers about one topic are not independent, and neither are answers of one training run. So the unit of evidence is the
topic (and the seed), not the item: standard errors are cluster-robust (Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.sandwich_covariance import cov_cluster

LEVEL = 0.95


class Estimate(NamedTuple):
    """A number and its interval. `low` and `high` are None where the data cannot give one."""

    value: float | None
    low: float | None
    high: float | None


class Variance(NamedTuple):
    """Of a mean."""

    variance: float
    freedom: float
    """Degrees of freedom of the t quantile."""


def mean_variance(
    values: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Variance | None:
    """Cluster-robust variance of the mean of `values`; None with fewer than two clusters.

    One answer per entry; `clusters` its topic, `seeds` its training run. With two or more seeds the variance between
    seeds is added to that between topics. (Two-way clustering would take off their overlap; with few seeds that
    difference is often negative, and simulated intervals then cover too little.) Degrees of freedom: topics - 1; with
    seeds, Satterthwaite's between topics - 1 and seeds - 1. In simulations 95% intervals cover 93-97%, but 87-90% with
    only two seeds that differ as much as topics do.
    """
    y = np.asarray(values, dtype=float)
    topic, topics = _codes(clusters)
    if topics < 2:
        return None
    fit = OLS(y, np.ones_like(y)).fit()
    by_topic = _cluster_variance(fit, topic)
    run, runs = _codes(seeds) if seeds is not None else (topic, 0)
    if runs < 2:
        return Variance(by_topic, topics - 1)
    by_seed = _cluster_variance(fit, run)
    total = by_topic + by_seed
    if total == 0:
        return Variance(0.0, topics - 1)
    return Variance(total, total**2 / (by_topic**2 / (topics - 1) + by_seed**2 / (runs - 1)))


def mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Estimate:
    """Mean with its 95% interval (t). Nothing: all None. One cluster: no interval. All equal: interval of width 0."""
    if len(values) == 0:
        return Estimate(None, None, None)
    mean = float(np.mean(values))
    spread = mean_variance(values, clusters, seeds)
    if spread is None:
        return Estimate(mean, None, None)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, spread.freedom)) * spread.variance**0.5
    return Estimate(mean, mean - half, mean + half)


def rate_interval(
    hits: Sequence[float], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Estimate:
    """Share of ones in `hits` (0 or 1) with a 95% Wilson interval, which never leaves [0, 1].

    The sample size is the effective one, p(1-p) / cluster-robust variance (design effect; Kish 1965), at most the true
    one, and the quantile is t's. Where all answers are equal, they cannot show how much topics differ, and each topic
    counts as one answer. Nothing: all None. One cluster: no interval.
    """
    if len(hits) == 0:
        return Estimate(None, None, None)
    rate = float(np.mean(hits))
    spread = mean_variance(hits, clusters, seeds)
    if spread is None:
        return Estimate(rate, None, None)
    size = float(len(set(clusters)))
    if 0 < rate < 1:
        size = min(float(len(hits)), rate * (1 - rate) / spread.variance) if spread.variance > 0 else float(len(hits))
    # The library takes a normal quantile; this is the level at which it equals the t quantile.
    quantile = float(stats.t.ppf(0.5 + LEVEL / 2, spread.freedom))
    level = 2 * float(stats.norm.sf(quantile))
    bounds: Any = proportion_confint(rate * size, size, alpha=level, method="wilson")
    # Rounding must not put a bound outside [0, 1] or past the rate itself.
    return Estimate(rate, min(rate, max(0.0, float(bounds[0]))), max(rate, min(1.0, float(bounds[1]))))


def _codes(labels: Sequence[Hashable]) -> tuple[np.ndarray[Any, Any], int]:
    """Labels as 0..n-1 and their number."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels]), len(number)


def _cluster_variance(fit: Any, groups: np.ndarray[Any, Any]) -> float:
    return float(np.squeeze(cov_cluster(fit, groups, use_correction=True)))
