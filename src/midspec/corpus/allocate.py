"""Spread a number of documents evenly over groups of limited size. Pure functions, no I/O."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def even_shares(
    total: int, room: Mapping[K, int], rng: random.Random, has: Mapping[K, int] | None = None
) -> dict[K, int]:
    """Shares that add up to `total`, none above its `room`, such that share and what a group `has` already are as equal
    as that allows; who gets the odd ones is drawn.

    `total` must not exceed the sum of `room`.
    """
    assert total <= sum(room.values()), "asked for more than there is room for"
    had = {key: has.get(key, 0) if has else 0 for key in room}

    def up_to(level: int) -> dict[K, int]:
        return {key: min(space, max(0, level - had[key])) for key, space in room.items()}

    low, high = 0, max((had[key] + space for key, space in room.items()), default=0)
    while low < high:  # the highest level that `total` reaches everywhere
        level = (low + high + 1) // 2
        if sum(up_to(level).values()) <= total:
            low = level
        else:
            high = level - 1
    shares = up_to(low)
    odd = total - sum(shares.values())
    for key in rng.sample([key for key in room if shares[key] < room[key] and had[key] <= low], odd):
        shares[key] += 1
    return shares


def spread_over_types(
    count: int, types: Sequence[str], most: int, used: Counter[str], rng: random.Random
) -> dict[str, int]:
    """Documents per type inside one subdomain; types used least so far (`used`) come first. None is used more than
    `most` times in all, unless there are too few types for `count` documents.

    Counts what it gives out in `used`.
    """
    most = max(most, -(-(sum(used[name] for name in types) + count) // len(types)))
    shares = even_shares(count, {name: max(0, most - used[name]) for name in types}, rng, used)
    used.update(shares)
    return {name: share for name, share in shares.items() if share}
