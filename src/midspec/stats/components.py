"""Where the spread of answers comes from: the item, the training run, decoding again, judging again.

Model: answer = mean + item + seed + item x seed + decoding + judging, all independent. The variances are estimated by
the method of moments on pairs of answers (Henderson 1953, method I; in balanced data it equals the analysis of
variance): half the mean squared difference of two answers that share everything but the judging is the judging's
variance, of two that share item and seed only the decoding's is added, and so on. Unbiased for any pattern of missing
answers, without iteration, and no distribution is assumed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midspec.errors import InputError
from midspec.stats.spread import Numbers, codes


class Component(NamedTuple):
    """One source of variance."""

    name: str
    variance: float | None
    """Of a single answer, squared units; None where the data cannot show it."""
    share: float | None
    """Of the sum of those that can be shown."""
    freedom: int
    """Degrees of freedom. With 2 (three seeds) the truth may well be 0.4 to 9.5 times the estimate (80% interval)."""
    note: str
    """What it holds besides, or why there is no estimate; empty where nothing is to be said."""


class Split(NamedTuple):
    """All sources, the widest first in the design: item, seed, item x seed, re-decode, re-judge."""

    mean: float
    item: Component
    seed: Component
    item_by_seed: Component
    decode: Component
    judge: Component

    @property
    def parts(self) -> tuple[Component, ...]:
        """In the order of the table."""
        return (self.item, self.seed, self.item_by_seed, self.decode, self.judge)

    @property
    def residual(self) -> float:
        """Variance of one answer that neither its item nor its seed explains."""
        return sum(part.variance or 0.0 for part in (self.item_by_seed, self.decode, self.judge))


def split(
    values: Sequence[float] | Numbers,
    items: Sequence[Hashable],
    seeds: Sequence[Hashable],
    samples: Sequence[Hashable] | None = None,
    judgings: Sequence[Hashable] | None = None,
) -> Split:
    """Variance components of `values`, one entry per judgement of an answer.

    `samples`: which of several answers to the item by the same checkpoint (None: one each); `judgings`: which of
    several judgements of the answer (None: one each). Differences of paired answers can be given too: then the
    components are those that a comparison has to deal with. Raises InputError with fewer than two items, or unequal
    lengths.
    """
    given: Numbers = np.asarray(values, dtype=np.float64)
    labels = [list(items), list(seeds), list(samples or [0] * len(given)), list(judgings or [0] * len(given))]
    if any(len(column) != len(given) for column in labels) or not np.isfinite(given).all():
        raise InputError(
            f"{len(given)} values with {', '.join(str(len(column)) for column in labels)} items, seeds, samples and "
            "judgings; give one of each per value, and finite values only"
        )
    if len(set(zip(*labels, strict=True))) < len(given):
        raise InputError(
            "two values have the same item, seed, sample and judging; number repeated answers with `samples`, repeated "
            "judgements with `judgings`"
        )
    item, number = codes(labels[0])
    seed, runs = codes(labels[1])
    if number < 2:
        raise InputError(f"{number} item; variance between items needs two or more")
    cell = item * runs + seed
    answer, _ = codes(list(zip(cell.tolist(), labels[2], strict=True)))
    every = _pairs(given, np.zeros_like(item))
    same_item, same_seed, same_cell, same_answer = (_pairs(given, group) for group in (item, seed, cell, answer))
    judged = _half_square(same_answer)
    decoded = _half_square(same_cell, same_answer)
    across_seeds = _half_square(same_item, same_cell)
    across_items = _half_square(same_seed, same_cell)
    apart = _half_square(every, same_item, same_seed, plus=same_cell)
    judge = judged
    decode = None if decoded is None else decoded - (judged or 0.0)
    within = decoded if decoded is not None else (judged or 0.0)
    assert across_items is not None or across_seeds is not None or apart is not None
    of_seed = of_item = of_both = None
    if across_seeds is not None and across_items is not None and apart is not None:
        of_seed, of_item = apart - across_items, apart - across_seeds
        of_both = across_seeds + across_items - apart - within
    elif across_items is not None:
        of_item = across_items - within
    cells = len(set(cell.tolist()))
    answers = int(answer.max()) + 1
    has_decode, has_judge = decode is not None, judge is not None
    hidden = [name for name, seen in (("re-decode", has_decode), ("re-judge", has_judge or has_decode)) if not seen]
    also = f"Includes {' and '.join(hidden)}." if hidden else ""
    alone = "" if runs > 1 else "Includes item x seed" + (", " + ", ".join(hidden) if hidden else "") + "."
    no_seed = "Needs two or more seeds that answered the same items."
    rows: list[tuple[str, float | None, int, str]] = [
        ("item", of_item, number - 1, alone if of_item is not None else no_seed),
        ("seed", of_seed, runs - 1, "" if of_seed is not None else no_seed),
        ("item x seed", of_both, (number - 1) * (runs - 1), also if of_both is not None else no_seed),
        (
            "re-decode",
            decode,
            answers - cells,
            ("" if has_judge else "Includes re-judge.")
            if has_decode
            else "Needs several answers to an item by the same checkpoint.",
        ),
        ("re-judge", judge, len(given) - answers, "" if has_judge else "Needs several judgements of the same answer."),
    ]
    total = sum(max(0.0, variance) for _, variance, _, _ in rows if variance is not None)
    return Split(float(given.mean()), *(_component(*row, total) for row in rows))


def _component(name: str, variance: float | None, freedom: int, note: str, total: float) -> Component:
    if variance is None:
        return Component(name, None, None, freedom, note)
    # A difference of sums of squares that should be 0 is seldom exactly 0.
    if variance < -1e-12 * max(total, 1.0):
        note = f"{note} The estimate is {variance:.2g}, shown as 0: too small to be seen.".strip()
    kept = max(0.0, variance)
    return Component(name, kept, kept / total if total > 0 else 0.0, freedom, note)


class _Pairs(NamedTuple):
    """All pairs within groups: the sum of half their squared differences, and how many."""

    squares: float
    number: float


def _pairs(values: Numbers, groups: NDArray[Any]) -> _Pairs:
    centred = values - values.mean()
    size = np.bincount(groups).astype(float)
    first = np.bincount(groups, weights=centred)
    second = np.bincount(groups, weights=centred**2)
    return _Pairs(float((size * second - first**2).sum()) / 2, float((size * (size - 1)).sum()) / 2)


def _half_square(whole: _Pairs, *less: _Pairs, plus: _Pairs | None = None) -> float | None:
    """Mean over the pairs of `whole` that are in none of `less` (`plus`: what two of those both took off)."""
    extra = plus or _Pairs(0.0, 0.0)
    count = whole.number - sum(part.number for part in less) + extra.number
    squares = whole.squares - sum(part.squares for part in less) + extra.squares
    return squares / count if count > 0.5 else None
