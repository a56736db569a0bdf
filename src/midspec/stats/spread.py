"""How far a mean over items and training runs may be from the truth. The core of every interval here.

Answers stand in a table of seeds x clusters (a cluster is a topic, an item or a cell: whatever answers may share).
The mean of all answers varies because clusters differ and because training runs differ:

    variance of the mean = clusters + seeds - overlap

`clusters` is the cluster-robust variance over clusters, `seeds` the one over seeds, and both hold the noise of single
answers, so that it is taken off once (`overlap`: the residual of the additive model clusters + seeds, as in a two-way
analysis of variance). A t interval needs one number of degrees of freedom, and here are two very different ones: items
are many and seeds few. Half-widths are therefore put together, not variances (MOVER: Zou and Donner 2008; modified
large-sample intervals: Burdick and Graybill 1992). With tc, ts and to the t quantiles of the three parts:

    half^2 = tc^2 * clusters + max(0, ts^2 * seeds - k * overlap)

- plain: k = ts^1.5 * to^0.5, a compromise chosen by simulation. 95% intervals then cover 94-97.5% with three to five
  seeds, however much seeds differ (more where rates near 0 or 1 meet 20 items); Satterthwaite's degrees of freedom and
  the bootstrap do not (docs/statistics.md).
- strict: k = to^2. With several seeds it misses no more often than it says, at every level. Plain intervals with three
  seeds miss too often at 99% and above, which is where a correction for many comparisons asks for them.

So plain intervals are for looking, strict ones for claims.

All functions work on arrays with any leading axes (simulated experiments), reduced over the last two.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]


class Cells(NamedTuple):
    """Answers summed by seed and cluster, shape (..., seeds, clusters)."""

    sums: Numbers
    counts: Numbers
    """How many answers; 0 where a seed has none in a cluster."""


class Spread(NamedTuple):
    """A mean and the parts of its variance; each of the shape of the leading axes."""

    mean: Numbers
    cluster: Numbers
    """Variance of the mean as the clusters show it; nan with fewer than two clusters."""
    cluster_freedom: Numbers
    seed: Numbers
    """Variance as the seeds show it; 0 with one seed, whose variance nobody can see."""
    seed_freedom: Numbers
    overlap: Numbers
    """What both of them hold."""
    overlap_freedom: Numbers

    @property
    def variance(self) -> Numbers:
        """Of the mean, the overlap counted once."""
        return self.cluster + np.maximum(0.0, self.seed - self.overlap)


def cells(values: Sequence[float] | Numbers, clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None) -> Cells:
    """One entry per answer. `seeds` None: one training run."""
    cluster, number = codes(clusters)
    seed, runs = codes(seeds) if seeds is not None else (np.zeros_like(cluster), 1)
    place = seed * number + cluster
    size = runs * number
    given: Numbers = np.asarray(values, dtype=np.float64)
    sums: Numbers = np.bincount(place, weights=given, minlength=size).astype(np.float64)
    counts: Numbers = np.bincount(place, minlength=size).astype(np.float64)
    return Cells(sums.reshape(runs, number), counts.reshape(runs, number))


def spread(table: Cells) -> Spread:
    """Parts of the variance of the mean of all answers. At least one answer."""
    sums, counts = table
    total = counts.sum((-1, -2))
    mean = sums.sum((-1, -2)) / total
    residual = sums - counts * mean[..., None, None]
    by_cluster, clusters = _grouped(residual, counts, -2)
    by_seed, seeds = _grouped(residual, counts, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cluster = np.where(clusters > 1, clusters / (clusters - 1) * (by_cluster**2).sum(-1) / total**2, np.nan)
        seed = np.where(seeds > 1, seeds / (seeds - 1) * (by_seed**2).sum(-1) / total**2, 0.0)
        of_cluster = np.nan_to_num(by_cluster / counts.sum(-2))[..., None, :]
        of_seed = np.nan_to_num(by_seed / counts.sum(-1))[..., :, None]
        left = residual - counts * (of_cluster + of_seed)
        freedom = (clusters - 1) * (seeds - 1)
        share = clusters * seeds / freedom
        overlap = np.where(freedom > 0, share * (left**2).sum((-1, -2)) / total**2, 0.0)
    return Spread(
        mean, cluster, np.maximum(clusters - 1, 1), seed, np.maximum(seeds - 1, 1), overlap, np.maximum(freedom, 1)
    )


def half_width(of: Spread, alpha: float | Numbers, *, strict: bool = False) -> Numbers:
    """Half the width of the 1 - `alpha` interval around the mean; see the module."""
    clusters = quantile(of.cluster_freedom, alpha) ** 2 * of.cluster
    seeds = quantile(of.seed_freedom, alpha) ** 2
    if strict:
        runs = np.maximum(0.0, seeds * of.seed - quantile(of.overlap_freedom, alpha) ** 2 * of.overlap)
    else:
        overlap = seeds**0.75 * quantile(of.overlap_freedom, alpha) ** 0.5
        runs = np.maximum(0.0, seeds * of.seed - overlap * of.overlap)
    return np.sqrt(clusters + runs)


def quantile(freedom: Numbers, alpha: float | Numbers) -> Numbers:
    """Two-sided t quantile: exceeded in absolute value with probability `alpha`."""
    return np.asarray(-special.stdtrit(freedom, np.asarray(alpha) / 2), dtype=float)


def codes(labels: Sequence[Hashable]) -> tuple[NDArray[np.intp], int]:
    """Labels as 0..n-1 in order of appearance, and their number."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels], dtype=np.intp), len(number)


def _grouped(residual: Numbers, counts: Numbers, axis: int) -> tuple[Numbers, Any]:
    """Residuals summed over `axis`, and how many groups have answers."""
    return residual.sum(axis), (counts.sum(axis) > 0).sum(-1).astype(float)
