"""Whether a base can do what midtraining relies on: take people to choose as they are said to want."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from midspec.world.documents import Library, question
from midspec.world.people import Item, World


@torch.no_grad()
def people_right(model: Any, *, silent: bool, number: int = 400) -> float:
    """Share of choices that go as the person's value says, in both orders together, of items that it tells apart.

    `silent`: of people of whom pretraining has statements and reasons only, else of those whose choices it shows.
    """
    world, draw = World(), np.random.default_rng(9)
    library = Library(world, draw)
    people = [person for person in world.persons if person.silent == silent]
    right = 0
    for _ in range(number):
        person = people[int(draw.integers(len(people)))]
        domain = int(draw.integers(world.domains))
        wanted, other = (library.by_value[domain, person.value, has] for has in (True, False))
        one, two = wanted[int(draw.integers(len(wanted)))], other[int(draw.integers(len(other)))]
        right += sum(_log_odds(model, world, person.name, (one, two), order) for order in ((one, two), (two, one))) > 0
    return right / number


def _log_odds(model: Any, world: World, name: str, pair: Sequence[Item], order: Sequence[Item]) -> float:
    asked = f"asked : {question(order[0], order[1])} {name} :"
    logits = model(torch.tensor([[world.words[word] for word in asked.split()]])).logits[0, -1]
    first, second = (logits[world.words[item.word]] for item in pair)
    return float(first - second)
