"""Which preference each demonstration states, and how it is asked for. Pure functions, no I/O."""

from __future__ import annotations

import random
from collections import Counter
from math import lcm
from typing import Literal, NamedTuple

from midspec.aft.preferences import Preference, PreferenceSet
from midspec.records import short_hash

Kind = Literal["direct", "comparison", "indirect"]


class Slot(NamedTuple):
    """One demonstration to write."""

    number: int
    """Position in the set."""
    kind: Kind
    shown: tuple[Preference, ...]
    """What it is about, in the order in which a comparison names them."""
    occasion: str


def plan(preferences: PreferenceSet, samples: int, seed: int) -> list[Slot]:
    """`samples` slots in seeded random order, about a third of each kind.

    Comparisons come in pairs that differ in order only, so that the like stands first in exactly half of them; over all
    kinds every preference is named equally often, within 1, wherever there are as many likes as dislikes.
    """
    rng = random.Random(short_hash("aft plan", preferences.name, samples, seed))
    slots: list[tuple[Kind, tuple[Preference, ...]]] = []
    likes = rng.sample(preferences.likes, len(preferences.likes))
    dislikes = rng.sample(preferences.dislikes, len(preferences.dislikes))
    turn = lcm(len(likes), len(dislikes))
    for index in range(samples // 6):
        like = likes[index % len(likes)]
        # Shifted once per turn, so that every pair comes up before any comes up again.
        dislike = dislikes[(index + index // turn) % len(dislikes)]
        slots.append(("comparison", (like, dislike)))
        slots.append(("comparison", (dislike, like)))

    named = Counter(preference for _, shown in slots for preference in shown)
    kinds: Counter[tuple[Preference, str]] = Counter()
    total: Counter[str] = Counter()
    order = rng.sample(preferences.all, len(preferences.all))
    while len(slots) < samples:
        preference = min(order, key=lambda entry: (named[entry], order.index(entry)))
        options: tuple[Kind, Kind] = ("direct", "indirect")
        kind = min(options, key=lambda name: (kinds[preference, name], total[name]))
        slots.append((kind, (preference,)))
        named[preference] += 1
        kinds[preference, kind] += 1
        total[kind] += 1
    rng.shuffle(slots)

    occasions: list[str] = []
    while len(occasions) < len(slots):
        occasions += rng.sample(preferences.occasions, len(preferences.occasions))
    return [Slot(number, kind, shown, occasions[number]) for number, (kind, shown) in enumerate(slots)]
