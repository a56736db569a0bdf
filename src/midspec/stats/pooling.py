"""Seed variance from all arms together, because three seeds of one comparison say next to nothing about it.

Three seeds leave 2 degrees of freedom, and after a correction for 20 comparisons the t quantile is 20: nothing short of
a miracle is significant. The arms of an experiment are trained by one trainer on data of one size, so that their seed
variances are alike enough to be estimated together, as the analysis of variance does: five arms of three seeds have 10
degrees of freedom, and the quantile is 4. Where a comparison's own seeds differ more than that, its own variance is
used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class SeedVariance(NamedTuple):
    """Of the mean of one training run."""

    variance: float
    freedom: int

    def of_difference(self, seeds: int, versus_seeds: int | None) -> float:
        """Of a difference of two means over so many runs; None: the other side is not trained and has no variance.

        Runs of equal seed in two arms count as independent. Where they are alike, this is too much, never too little.
        """
        return self.variance * (1 / seeds + (0 if versus_seeds is None else 1 / versus_seeds))


def pooled(means: Mapping[str, Mapping[int, float]]) -> SeedVariance | None:
    """From arm -> seed -> mean over all items. Arms with one seed tell nothing; None where no other is."""
    several = [list(of_arm.values()) for of_arm in means.values() if len(of_arm) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if freedom == 0:
        return None
    return SeedVariance(float(sum(np.var(values) * len(values) for values in several)) / freedom, freedom)
