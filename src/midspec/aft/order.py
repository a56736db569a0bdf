"""The order in which demonstrations are stored: its first n rows are the subset of size n. Pure functions, no I/O."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from midspec.records import ChatExample, short_hash

T = TypeVar("T")


def nested(examples: Sequence[ChatExample], seed: int) -> list[ChatExample]:
    """`examples` drawn into an order whose every beginning is a fair sample of the whole: 1,250 lie within 2,500.

    Any first n hold each kind, and within a kind each domain (of preferences: each combination asked about), in
    proportion, but for rounding. The same for the same examples and seed, whatever order they come in.
    """
    rng = random.Random(short_hash("nested order", seed))
    ordered = sorted(examples, key=lambda example: example.id)
    return spread(
        [
            spread([rng.sample(stratum, len(stratum)) for stratum in _strata(kind, _domain)], rng)
            for kind in _strata(ordered, lambda example: example.kind)
        ],
        rng,
    )


def _domain(example: ChatExample) -> Hashable:
    return example.domain or example.about


def _strata(rows: Sequence[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return [groups[name] for name in sorted(groups, key=repr)]


def spread(groups: list[list[T]], rng: random.Random) -> list[T]:
    """All groups in one list, the members of each at even distances and in their order."""
    placed: list[tuple[float, int, int]] = []
    for number, group in enumerate(groups):
        start = rng.random()
        placed += [((place + start) / len(group), number, place) for place in range(len(group))]
    return [groups[number][place] for _, number, place in sorted(placed)]
