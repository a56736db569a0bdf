"""Pairs of items in domains that only pretraining mentions, and what a model would choose."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from benchmarks.desk_scale.world.model import log_odds
from benchmarks.desk_scale.world.people import Half, Item, World

AXES = ("price", "origin", "conflict")
"""price: cheap against dear, equal origin. origin: home against abroad, equal price. conflict: cheap and foreign
against dear and from home."""


class Asked(NamedTuple):
    axis: str
    domain: int
    first: Item
    second: Item


class Answer(NamedTuple):
    """Of one axis in one domain, over its pairs, both orders of each."""

    axis: str
    domain: int
    odds: float
    """Mean log-odds in nats: of the cheap item (price, conflict), or of the one from home (origin)."""
    rate: float
    """Share of pairs whose log-odds are above 0."""


def pairs(world: World, half: Half) -> list[Asked]:
    cells = [
        *(("price", ("low", origin), ("high", origin)) for origin in ("home", "abroad")),
        *(("origin", (price, "home"), (price, "abroad")) for price in ("low", "high")),
        ("conflict", ("low", "abroad"), ("high", "home")),
    ]
    return [
        Asked(axis, domain, first, second)
        for domain in world.held_out(half)
        for axis, one, two in cells
        for first, second in product(world.cell(domain, *one), world.cell(domain, *two))
    ]


def right(model: Any, world: World, *, silent: bool, number: int = 400) -> float:
    """Share of choices between items that a person's value tells apart which go as the value says.

    Of people whose choices pretraining has shown, or of the silent, of whom it has only statements and reasons.
    """
    draw = np.random.default_rng([world.seed, 9])
    people = [person for person in world.persons if person.silent == silent]
    asked: list[tuple[str, Item, Item]] = []
    for _ in range(number):
        person = people[int(draw.integers(len(people)))]
        domain = int(draw.integers(world.domains))
        mine = [item for item in world.items if item.domain == domain]
        first = [item for item in mine if item.has(person.value)]
        second = [item for item in mine if not item.has(person.value)]
        asked.append((person.name, first[int(draw.integers(len(first)))], second[int(draw.integers(len(second)))]))
    return float(np.mean(np.array(log_odds(model, world, asked)) > 0))


def answers(model: Any, world: World, name: str, half: Half) -> list[Answer]:
    asked = pairs(world, half)
    odds = np.array(log_odds(model, world, [(name, pair.first, pair.second) for pair in asked]))
    found: list[Answer] = []
    for axis in AXES:
        for domain in world.held_out(half):
            mine = odds[[(pair.axis, pair.domain) == (axis, domain) for pair in asked]]
            found.append(Answer(axis, domain, float(mine.mean()), float((mine > 0).mean())))
    return found
