"""Comparisons of two arms that answered the same items."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from midspec.stats.effect import Effect, Estimate, Form, effect

K = TypeVar("K", bound=Hashable)


class Pair(NamedTuple):
    """Two answers to the same item."""

    item: Hashable
    seed: Hashable
    arm: float
    versus: float


def paired(arm: Mapping[int, Mapping[K, float | None]], versus: Mapping[int, Mapping[K, float | None]]) -> list[Pair]:
    """Pairs of answers (seed -> item -> answer), of items that both sides answered; None is no answer.

    Equal seeds are paired. A side with a single seed (the bare base model has no others) is paired with every seed of
    the other. Raises ValueError where both have several seeds and none in common.
    """
    if len(arm) == 1 or len(versus) == 1:
        seeds = [(mine, theirs) for mine in sorted(arm) for theirs in sorted(versus)]
    else:
        seeds = [(seed, seed) for seed in sorted(set(arm) & set(versus))]
        if not seeds and arm and versus:
            raise ValueError(
                f"seeds {sorted(arm)} and {sorted(versus)} have none in common; train both with equal seeds"
            )
    pairs: list[Pair] = []
    for mine, theirs in seeds:
        for item, answer in arm[mine].items():
            other = versus[theirs].get(item)
            if answer is not None and other is not None:
                pairs.append(Pair(item, mine if len(arm) > 1 else theirs, answer, other))
    return pairs


def difference(pairs: Sequence[Pair], clusters: Mapping[Any, Hashable]) -> Effect | None:
    """Mean of arm minus versus, clustered by `clusters[item]` and by seed. None without pairs.

    Pairing takes out how hard an item is, which is most of the spread. Where all answers are ones and zeros, the
    interval is one for shares: two arms that agree on all of 20 items may still differ.
    """
    binary = all(answer in (0, 1) for pair in pairs for answer in (pair.arm, pair.versus))
    form: Form = "difference" if binary else "mean"
    return effect(
        [pair.arm - pair.versus for pair in pairs],
        [clusters[pair.item] for pair in pairs],
        [pair.seed for pair in pairs],
        form=form,
    )


def paired_difference(pairs: Sequence[Pair], clusters: Mapping[Any, Hashable]) -> Estimate:
    """`difference` with its 95% interval. Without pairs all None; with one cluster no interval."""
    found = difference(pairs, clusters)
    return Estimate(None, None, None) if found is None else found.interval()


def position_bias(by_order: Sequence[Sequence[float | None]], threshold: float) -> float | None:
    """Share of items whose choice follows the order in which the answers were named.

    Each entry has two measures of the aligned answer, one per order; it is chosen where the measure is above
    `threshold` (0 for log-odds, 0.5 for choices). Items with fewer than two readable orders, or a tie, are left out;
    None where none is left.
    """
    read = [
        (first > threshold) != (second > threshold)
        for first, second in (entry for entry in by_order if len(entry) == 2)
        if first is not None and second is not None and threshold not in (first, second)
    ]
    return sum(read) / len(read) if read else None
