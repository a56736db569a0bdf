"""How much less data one arm needs than another for the same score.

Both curves (score against amount of data) are made monotone by isotonic regression and are straight between sizes on a
logarithmic axis. The level to reach is the reference's at its largest amount N. Where the other arm reaches it with x,
it needs N / x times less data (the paper's "40x").

The interval holds every x at which the other arm's score does not differ from that level (Fieller's way: a test at each
x, turned round), each test being the paired interval over items and seeds of `stats.spread`. Only the true x has to
pass its own test, so nothing has to be corrected for the many x. In simulations with three seeds it covers 96-99%; the
percentile bootstrap over items and seeds falls to 84% where seeds differ much (docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from midspec.errors import InputError
from midspec.stats.limits import mean_limits
from midspec.stats.spread import Cells, Numbers, codes, spread

STEPS = 400
"""Amounts tried between the smallest and the largest."""


class Efficiency(NamedTuple):
    """N / x with its interval; see the module."""

    outcome: Literal["times less", "at least", "not reached"]
    """`at least`: the level is reached with the smallest amount already. `not reached`: not with the largest."""
    times: float
    """N / x; for `at least` and `not reached` the bound: less data by at least, or by less than, this factor."""
    low: float | None
    """95% interval of N / x; None where the data set no lower end (the level may not be reached at all)."""
    high: float | None
    """None where the data set no upper end (the smallest amount may be more than is needed)."""
    level: float
    """The reference's score at its largest amount."""
    covers_seeds: bool
    sentence: str


def monotone(sizes: Sequence[float] | Numbers, scores: Sequence[float] | Numbers) -> Numbers:
    """Isotonic fit of `scores` over rising `sizes`: never falls, least squares (pool adjacent violators)."""
    if len(sizes) != len(scores) or len(sizes) == 0 or not np.all(np.diff(np.asarray(sizes, dtype=float)) > 0):
        raise InputError(f"sizes {list(sizes)} with {len(scores)} scores; give as many, sizes rising")
    return np.asarray(isotonic_regression(np.asarray(scores, dtype=float)).x, dtype=np.float64)


def efficiency(
    sizes: Sequence[float],
    scores: Numbers,
    reference_sizes: Sequence[float],
    reference: Numbers,
    *,
    clusters: Sequence[Hashable] | None = None,
    better: Literal["higher", "lower"] = "higher",
    level: float = 0.95,
) -> Efficiency:
    """Compare `scores` (sizes x seeds x items) with `reference` (reference sizes x seeds x items).

    Both have the same items in the same order, and the same seeds. Sizes rise and are above 0; nan is a missing score.
    `clusters`: topic of each item; None: each item its own. `better` lower: for rates of misbehaviour.
    """
    amounts, mine, theirs, total = _checked(sizes, scores, reference_sizes, reference, better)
    number = mine.shape[2]
    topic, topics = codes(list(range(number)) if clusters is None else clusters)
    if len(topic) != number or topics < 2:
        raise InputError(
            f"{len(topic)} clusters ({topics} different) for {number} items; give one per item, two or more"
        )
    goal = float(monotone(reference_sizes, _mean_score(theirs))[-1])
    reached = _first_reached(amounts, monotone(sizes, _mean_score(mine)), goal)
    grid = np.linspace(amounts[0], amounts[-1], STEPS)
    membership = np.eye(topics)[topic]
    after = np.clip(np.searchsorted(amounts, grid, side="right"), 1, len(amounts) - 1)
    weight = ((grid - amounts[after - 1]) / (amounts[after] - amounts[after - 1]))[:, None, None]
    apart = (1 - weight) * mine[after - 1] + weight * mine[after] - theirs[-1]
    known = np.isfinite(apart)
    table = Cells(np.where(known, apart, 0.0) @ membership, known.astype(float) @ membership)
    below, above = mean_limits(spread(table), 1 - level)
    # A curve that only rises has not reached the level before the last size that is surely below it.
    possible = np.flatnonzero((below <= 0) & (above >= 0))
    surely_above, surely_below = np.flatnonzero(below > 0), np.flatnonzero(above < 0)
    first = possible[0] if len(possible) else (surely_above[0] if len(surely_above) else len(grid) - 1)
    last = possible[-1] if len(possible) else (surely_below[-1] if len(surely_below) else 0)
    open_above, open_below = above[0] >= 0, below[-1] <= 0
    high = None if open_above else float(np.exp(total - grid[first]))
    low = None if open_below else float(np.exp(total - grid[last]))
    shown = goal if better == "higher" else -goal
    covers = mine.shape[1] > 1
    if reached is None:
        bound = float(np.exp(total - amounts[-1]))
        sure = "surely " if above[-1] < 0 else ""
        sentence = (
            f"Not reached: with {sizes[-1]:g} the score is {sure}short of {shown:.3g}, so that it needs more than "
            f"that: less data by less than {bound:.3g} times, if at all."
        )
        return Efficiency("not reached", bound, low, high, shown, covers, sentence)
    times = float(np.exp(total - reached))
    at_start = reached <= amounts[0]
    ends = f"{'no lower end' if low is None else f'{low:.3g}'} to {'no upper end' if high is None else f'{high:.3g}'}"
    sentence = (
        f"The score {shown:.3g}, which the reference has with {reference_sizes[-1]:g}, is reached with "
        f"{'at most ' if at_start else ''}{np.exp(reached):.3g}: {'at least ' if at_start else ''}{times:.3g} times "
        f"less data (95% interval {ends})."
    )
    return Efficiency("at least" if at_start else "times less", times, low, high, shown, covers, sentence)


def _mean_score(curve: Numbers) -> Numbers:
    return np.asarray(np.nanmean(curve, axis=(1, 2)), dtype=np.float64)


def _first_reached(amounts: Numbers, fitted: Numbers, goal: float) -> float | None:
    """Logarithm of the least amount at which a rising curve reaches `goal`."""
    if fitted[-1] < goal:
        return None
    if fitted[0] >= goal:
        return float(amounts[0])
    after = int(np.flatnonzero(fitted >= goal)[0])
    share = (goal - fitted[after - 1]) / (fitted[after] - fitted[after - 1])
    return float(amounts[after - 1] + share * (amounts[after] - amounts[after - 1]))


def _checked(
    sizes: Sequence[float],
    scores: Numbers,
    reference_sizes: Sequence[float],
    reference: Numbers,
    better: Literal["higher", "lower"],
) -> tuple[Numbers, Numbers, Numbers, float]:
    """Logarithms of the sizes, both curves so that higher is better, logarithm of the reference's largest size."""
    if len(sizes) < 2 or min(*sizes, *reference_sizes) <= 0:
        raise InputError(f"sizes {list(sizes)} and {list(reference_sizes)}: expected two or more, all above 0")
    if (
        scores.ndim != 3
        or reference.ndim != 3
        or scores.shape[1:] != reference.shape[1:]
        or (len(scores), len(reference)) != (len(sizes), len(reference_sizes))
    ):
        raise InputError(
            f"scores {scores.shape} for {len(sizes)} sizes and reference {reference.shape} for {len(reference_sizes)}; "
            "expected sizes x seeds x items, with the same seeds and items"
        )
    sign = 1.0 if better == "higher" else -1.0
    if not all(np.isfinite(curve).any((1, 2)).all() for curve in (scores, reference)):
        raise InputError("a size has no score at all; leave that size out")
    return (
        np.log(np.asarray(sizes, dtype=np.float64)),
        sign * scores,
        sign * reference,
        float(np.log(reference_sizes[-1])),
    )
