"""Bounds for what has no value: the interval that holds whatever the missing values would have been.

A failed judgement is not a random one: a judge may refuse exactly where it matters. The least the mean can be is with
all missing values at the low end of the scale, the most with all at the high end (Manski 1990). The interval from the
lower end of the first one's to the upper end of the second one's covers the truth at least as often as it says,
whatever the missing values were; each end errs on its own side only, so that the coverage is nearer 97.5% than 95%
where much is missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from midspec.errors import InputError
from midspec.stats.effect import LEVEL, Effect, Estimate, Form, effect


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """A number that missing values leave open within bounds. Without any, all three are the same."""

    read: Effect | None
    """Of the values that are there; None where none is."""
    least: Effect
    most: Effect
    missing: int

    def with_seed_variance(self, variance: float, freedom: float) -> Bounded:
        """See `Effect.with_seed_variance`."""
        return replace(
            self,
            read=None if self.read is None else self.read.with_seed_variance(variance, freedom),
            least=self.least.with_seed_variance(variance, freedom),
            most=self.most.with_seed_variance(variance, freedom),
        )

    def interval(self, level: float = LEVEL, *, strict: bool = False) -> Estimate:
        """Covers the truth whatever the missing values were; `value` is that of the values that are there."""
        low, high = self.least.interval(level, strict=strict).low, self.most.interval(level, strict=strict).high
        return Estimate(None if self.read is None else self.read.value, low, high)

    def p_value(self, null: float = 0.0, *, strict: bool = True) -> float | None:
        """The least alpha at which `interval` excludes `null`."""
        first, second = self.least.p_value(null, strict=strict), self.most.p_value(null, strict=strict)
        if first is None or second is None:
            return None
        return max(first, second) if (self.least.value > null) == (self.most.value > null) else 1.0


def bounded(
    values: Sequence[float | None],
    clusters: Sequence[Hashable],
    seeds: Sequence[Hashable] | None = None,
    *,
    scale: tuple[float, float] = (0.0, 1.0),
    form: Form = "share",
) -> Bounded | None:
    """Mean of `values`, of which some are None, on a scale with two ends. None without any entry."""
    low, high = scale
    outside = [value for value in values if value is not None and not low <= value <= high]
    if not low < high or outside:
        raise InputError(f"value {outside[0] if outside else low} is outside the scale from {low} to {high}")
    least = effect([low if value is None else value for value in values], clusters, seeds, form=form)
    most = effect([high if value is None else value for value in values], clusters, seeds, form=form)
    if least is None or most is None:
        return None
    known = [place for place, value in enumerate(values) if value is not None]
    read = effect(
        [value for value in values if value is not None],
        [clusters[place] for place in known],
        None if seeds is None else [seeds[place] for place in known],
        form=form,
    )
    return Bounded(read=read, least=least, most=most, missing=len(values) - len(known))
