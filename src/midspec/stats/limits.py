"""Interval ends from a spread: plain means, shares of ones, and differences of shares. Arrays of any leading shape.

Means get mean +- half-width. Shares near 0 or 1 are skewed and a spread of zero is no certainty there, so they get the
score interval (Wilson 1927) and differences of paired shares an adjusted one, both at the *effective* number of
answers: how many independent ones would spread as much (design effect; Kish 1965). The adjustment adds to the pairs
that disagree half a pair either way (Agresti and Min 2005), and a whole one (Bonett and Price 2012) in strict
intervals.
"""

from __future__ import annotations

import numpy as np

from midspec.stats.spread import Numbers, Spread, half_width, quantile


def mean_limits(of: Spread, alpha: float | Numbers, *, strict: bool = False) -> tuple[Numbers, Numbers]:
    """Of a mean; as wide as the spread."""
    half = half_width(of, alpha, strict=strict)
    return of.mean - half, of.mean + half


def rate_limits(
    of: Spread, answers: Numbers, alpha: float | Numbers, *, strict: bool = False
) -> tuple[Numbers, Numbers]:
    """Of a share of ones among `answers` answers; within [0, 1]."""
    rate = of.mean
    size, factor = _effective(of, rate * (1 - rate), answers, alpha, strict)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (rate + factor / (2 * size)) / (1 + factor / size)
        half = np.sqrt(factor * rate * (1 - rate) / size + (factor / (2 * size)) ** 2) / (1 + factor / size)
    # Rounding must not put an end outside [0, 1] or past the rate itself.
    return np.minimum(rate, np.maximum(0.0, middle - half)), np.maximum(rate, np.minimum(1.0, middle + half))


def difference_limits(
    of: Spread, squares: Numbers, answers: Numbers, alpha: float | Numbers, *, strict: bool = False
) -> tuple[Numbers, Numbers]:
    """Of a mean of paired differences of ones and zeros; within [-1, 1].

    `squares`: mean square of the single differences, which is the share of pairs that disagree.
    """
    difference = of.mean
    size, factor = _effective(of, squares - difference**2, answers, alpha, strict)
    middle = difference * size / (size + 2)
    added = 2.0 if strict else 1.0
    half = np.sqrt(factor * np.maximum(0.0, (squares * size + added) / (size + 2) - middle**2) / (size + 2))
    return (
        np.minimum(difference, np.maximum(-1.0, middle - half)),
        np.maximum(difference, np.minimum(1.0, middle + half)),
    )


def _effective(
    of: Spread, single: Numbers, answers: Numbers, alpha: float | Numbers, strict: bool
) -> tuple[Numbers, Numbers]:
    """Effective number of answers, given the variance of a single one, and the squared quantile that belongs to it.

    Where all answers are equal they cannot show how much clusters differ, and each cluster counts as one answer.
    """
    variance = of.variance
    clusters = of.cluster_freedom + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(variance > 0, np.minimum(answers, single / variance), answers)
        factor = np.where(
            variance > 0, half_width(of, alpha, strict=strict) ** 2 / variance, quantile(of.cluster_freedom, alpha) ** 2
        )
    return np.where(single > 1e-12, size, np.minimum(answers, clusters)), factor
