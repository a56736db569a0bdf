"""Spread a number of documents evenly over groups of limited size. Pure functions, no I/O."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def even_shares(total: int, room: Mapping[K, int], rng: random.Random) -> dict[K, int]:
    """Shares that add up to `total`, none above its `room`, as equal as that allows; who gets the odd ones is drawn.

    `total` must not exceed the sum of `room`.
    """
    assert total <= sum(room.values()), "asked for more than there is room for"
    shares = dict.fromkeys(room, 0)
    left = total
    while left:
        open_keys = [key for key in room if shares[key] < room[key]]
        each = left // len(open_keys)
        if not each:
            for key in rng.sample(open_keys, left):
                shares[key] += 1
            break
        for key in open_keys:
            more = min(each, room[key] - shares[key])
            shares[key] += more
            left -= more
    return shares


def spread_over_types(
    count: int, types: Sequence[str], ideas: int, used: Counter[str], rng: random.Random
) -> dict[str, int]:
    """Documents per type inside one subdomain, at most `ideas` each; types used least so far (`used`) come first.

    Counts what it gives out in `used`.
    """
    given: Counter[str] = Counter()
    for _ in range(count):
        free = [name for name in types if given[name] < ideas]
        least = min((given[name], used[name]) for name in free)
        name = rng.choice([name for name in free if (given[name], used[name]) == least])
        given[name] += 1
        used[name] += 1
    return dict(given)
