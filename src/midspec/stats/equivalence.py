""" "No difference" as a claim that data can support: two one-sided tests (TOST; Schuirmann 1987).

An interval that includes zero shows nothing; it may be wide. Two arms are equivalent within a margin where the data
exclude every difference as large as the margin.
"""

from __future__ import annotations

from typing import NamedTuple

from midspec.errors import InputError
from midspec.stats.effect import Effect, Estimate


class Equivalence(NamedTuple):
    """Result of the two tests."""

    equivalent: bool
    p: float | None
    """The larger of the two one-sided p-values; None where there is no interval."""
    interval: Estimate
    """At 1 - 2 alpha, which is inside the margin exactly where both tests reject."""
    margin: float


def equivalence(effect: Effect, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Whether `effect` lies within (-margin, margin). `margin` in the effect's unit, chosen before looking.

    Wrongly equivalent in at most `alpha` of cases. Not equivalent does not mean different: look at the interval.
    """
    if not margin > 0:
        raise InputError(
            f"margin {margin} leaves no room to be equivalent in; give the largest difference that would not matter"
        )
    above, below = effect.one_sided(-margin, "above"), effect.one_sided(margin, "below")
    p = None if above is None or below is None else max(above, below)
    return Equivalence(p is not None and p <= alpha, p, effect.interval(1 - 2 * alpha, strict=True), margin)
