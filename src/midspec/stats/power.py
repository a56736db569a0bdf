"""What could have been seen, and what would be needed to see it.

The minimum detectable effect (Bloom 1995) is the true difference that a comparison would show with a given power:

    MDE = (t of the test + t of the power) * standard error

with the standard error and the test that the strict intervals of `stats.spread` use, corrected for the number of
comparisons. Planning puts expected variances in the place of observed ones:

    variance = item / items + seed / seeds + residual / (items * seeds)

More items cannot help against the variance between seeds; where that alone is too much, no number of items is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from midspec.errors import InputError
from midspec.stats.components import Split
from midspec.stats.spread import Numbers, Spread, half_width

POWER = 0.8
MOST_ITEMS = 100_000


class Components(NamedTuple):
    """Variances of one paired difference (or of one answer, for a single arm)."""

    item: float
    seed: float
    residual: float


class Design(NamedTuple):
    """Least number of items that is enough with so many seeds."""

    seeds: int
    items: int | None
    """None where no number up to 100,000 is enough."""
    holds_for: str
    """`training recipe`, or `these checkpoints` with one seed: what another run would change is then left out."""


def components(found: Split) -> Components:
    """For planning, from the variance split of paired differences; what cannot be estimated counts as 0."""
    return Components(found.item.variance or 0.0, found.seed.variance or 0.0, found.residual)


def observed(of: Spread, *, clusters: int, seeds: int) -> Components:
    """The same from the spread that a comparison was judged by: what planning and `detectable` then say agrees.

    `seeds` 1: the variance between training runs counts as 0, and that of a cluster holds the noise of its answers.
    """
    noise = float(of.overlap) if seeds > 1 else 0.0
    between = max(0.0, float(of.seed) - noise) * seeds if seeds > 1 else 0.0
    return Components(max(0.0, float(of.cluster) - noise) * clusters, between, noise * clusters * seeds)


def detectable(of: Spread, *, power: float = POWER, alpha: float = 0.05, comparisons: int = 1) -> Numbers:
    """True difference that would be shown with `power`, given this spread. `comparisons`: size of the family.

    In the unit of the effect. Where the spread is 0 (all answers equal) nothing can be said, and it is nan.
    """
    if not 0.5 <= power < 1 or not 0 < alpha < 1 or comparisons < 1:
        raise InputError(
            f"power {power}, alpha {alpha}, comparisons {comparisons}; expected power from 0.5 to 1, alpha between 0 "
            "and 1, at least one comparison"
        )
    error = np.sqrt(of.variance)
    each = alpha / comparisons
    with np.errstate(divide="ignore", invalid="ignore"):
        threshold = half_width(of, each, strict=True) / error
        # The degrees of freedom at which one t quantile equals the composite one.
        freedom = np.clip(special.stdtridf(1 - each / 2, threshold), 1.0, of.cluster_freedom)
        least = (threshold + special.stdtrit(freedom, power)) * error
    return np.asarray(np.where(error > 0, least, np.nan))


def minimum_detectable(
    variances: Components,
    *,
    items: int | Numbers,
    seeds: int,
    power: float = POWER,
    alpha: float = 0.05,
    comparisons: int = 1,
    pooled: float = 1.0,
) -> Numbers:
    """Minimum detectable effect of a design with `items` clusters and `seeds` training runs; see the module.

    With one seed the variance between seeds is left out: the effect is one of these checkpoints. `pooled`: how many
    times seeds - 1 are the degrees of freedom of the variance between seeds (see `stats.pooling`).
    """
    if min(variances) < 0 or np.min(items) < 2 or seeds < 1:
        raise InputError(
            f"variances {tuple(variances)}, items {items}, seeds {seeds}; expected variances of 0 or more, two items "
            "or more, one seed or more"
        )
    number: Numbers = np.asarray(items, dtype=np.float64)
    noise = variances.residual / (number * seeds)
    runs: Numbers = np.asarray(variances.seed / seeds + noise if seeds > 1 else np.zeros_like(number))
    expected = Spread(
        np.zeros_like(number),
        variances.item / number + noise,
        number - 1,
        runs,
        np.full_like(number, max(seeds - 1, 1) * pooled),
        noise if seeds > 1 else np.zeros_like(number),
        np.maximum((number - 1) * (seeds - 1), 1),
    )
    return detectable(expected, power=power, alpha=alpha, comparisons=comparisons)


def enough(
    variances: Components,
    effect: float,
    *,
    seeds: Sequence[int] = (1, 2, 3, 4, 5, 8, 10),
    power: float = POWER,
    alpha: float = 0.05,
    comparisons: int = 1,
    pooled: float = 1.0,
) -> list[Design]:
    """For each number of seeds, how many items show a true difference of `effect` with `power`."""
    if not effect > 0:
        raise InputError(f"effect {effect}: give the size of the difference to be seen, above 0")
    numbers: Numbers = np.unique(np.geomspace(2, MOST_ITEMS, 1000).astype(int)).astype(np.float64)
    designs: list[Design] = []
    for count in seeds:
        least = minimum_detectable(
            variances, items=numbers, seeds=count, power=power, alpha=alpha, comparisons=comparisons, pooled=pooled
        )
        fits = np.flatnonzero(~(least > effect))
        designs.append(
            Design(
                count,
                int(numbers[fits[0]]) if len(fits) else None,
                "training recipe" if count > 1 else "these checkpoints",
            )
        )
    return designs
