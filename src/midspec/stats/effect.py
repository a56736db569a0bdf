"""One measured number with all that is needed for its interval at any level and its p-value against any value."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from midspec.errors import InputError
from midspec.stats.limits import difference_limits, mean_limits, rate_limits
from midspec.stats.spread import Numbers, Spread, cells, spread

LEVEL = 0.95
LEAST_P = 1e-12
"""Smaller p-values are shown as this: no approximation holds that far out."""

Form = Literal["mean", "share", "difference"]
"""Of any numbers; of ones and zeros; of paired differences of ones and zeros (-1, 0, 1)."""


class Estimate(NamedTuple):
    """A number and its interval. `low` and `high` are None where the data cannot give one."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A mean, a share or a difference over clusters and seeds. Made by `effect`."""

    value: float
    spread: Spread
    form: Form
    answers: int
    """Single answers or pairs."""
    squares: float
    """Mean square of the answers."""
    clusters: int
    """Topics, items or cells: what may share something."""
    seeds: int
    """Training runs. With one, intervals do not hold what another run would change."""

    @property
    def has_interval(self) -> bool:
        """Whether there are two clusters or more to see any spread."""
        return self.clusters > 1

    @property
    def covers_seeds(self) -> bool:
        """Whether intervals hold the variance between training runs."""
        return self.seeds > 1

    def with_seed_variance(self, variance: float, freedom: float) -> Effect:
        """The same with the variance between seeds known better, from other arms (see `stats.pooling`).

        `variance`: of the mean, as seeds show it. Used where it is larger than this effect's own, whose few seeds may
        agree by chance; a larger one of its own is kept.
        """
        if self.seeds < 2:
            return self
        larger = np.maximum(self.spread.seed, variance)
        return replace(self, spread=self.spread._replace(seed=larger, seed_freedom=np.asarray(float(freedom))))

    def interval(self, level: float = LEVEL, *, strict: bool = False) -> Estimate:
        """Interval at `level`. Strict: right at levels above 95% too, wider at 95% (see `stats.spread`)."""
        if not 0 < level < 1:
            raise InputError(f"level {level} is no level of an interval; give one between 0 and 1, e.g. 0.95")
        if not self.has_interval:
            return Estimate(self.value, None, None)
        low, high = self._limits(1 - level, strict)
        return Estimate(self.value, float(low), float(high))

    def p_value(self, null: float = 0.0, *, strict: bool = True) -> float | None:
        """Two-sided: the least alpha at which the 1 - alpha interval excludes `null`. None without an interval.

        Dual to `interval`: p < 0.05 exactly where the (strict) 95% interval excludes `null`. Found on a grid of alpha
        that is refined twice (relative error under 1%).
        """
        if not self.has_interval:
            return None
        top, bottom = 0.0, float(np.log(LEAST_P))
        for _ in range(3):
            grid = np.linspace(bottom, top, 24)
            low, high = self._limits(np.exp(grid), strict)
            inside = (low <= null) & (null <= high)
            if inside.all():
                return float(np.exp(top))
            if not inside.any():
                return float(np.exp(bottom))
            last = int(np.flatnonzero(inside)[-1])
            if last == len(grid) - 1:
                return float(np.exp(top))
            bottom, top = float(grid[last]), float(grid[last + 1])
        return float(np.exp(bottom))

    def one_sided(self, null: float, side: Literal["above", "below"], *, strict: bool = True) -> float | None:
        """p-value for the claim that the truth lies `side` of `null`."""
        both = self.p_value(null, strict=strict)
        if both is None:
            return None
        on_side = self.value > null if side == "above" else self.value < null
        return both / 2 if on_side else 1 - both / 2

    def _limits(self, alpha: float | Numbers, strict: bool) -> tuple[Numbers, Numbers]:
        answers, squares = np.asarray(float(self.answers)), np.asarray(self.squares)
        if self.form == "share":
            return rate_limits(self.spread, answers, alpha, strict=strict)
        if self.form == "difference":
            return difference_limits(self.spread, squares, answers, alpha, strict=strict)
        return mean_limits(self.spread, alpha, strict=strict)


def effect(
    values: Sequence[float] | Numbers,
    clusters: Sequence[Hashable],
    seeds: Sequence[Hashable] | None = None,
    *,
    form: Form = "mean",
) -> Effect | None:
    """Mean of `values`, one entry per answer, with its cluster and its training run. None without answers.

    Raises InputError where the lengths differ, a value is not finite, or a share is given anything but ones and zeros.
    """
    given = np.asarray(values, dtype=float)
    if len(given) == 0:
        return None
    if len(clusters) != len(given) or (seeds is not None and len(seeds) != len(given)):
        raise InputError(
            f"{len(given)} values, {len(clusters)} clusters and {len(given) if seeds is None else len(seeds)} seeds; "
            "give one of each per answer"
        )
    if not np.isfinite(given).all():
        raise InputError("a value is not a finite number; leave missing answers out and bound them with stats.missing")
    allowed = {"share": (0.0, 1.0), "difference": (-1.0, 0.0, 1.0), "mean": None}[form]
    if allowed is not None and not np.isin(given, allowed).all():
        raise InputError(
            f"a {form} of values such as {given[~np.isin(given, allowed)][0]}; expected only {allowed}; use form='mean'"
        )
    table = cells(given, clusters, seeds)
    return Effect(
        value=float(given.mean()),
        spread=spread(table),
        form=form,
        answers=len(given),
        squares=float((given**2).mean()),
        clusters=table.counts.shape[1],
        seeds=table.counts.shape[0],
    )
