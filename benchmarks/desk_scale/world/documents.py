"""What is written in the world: facts, statements, choices and reasons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from benchmarks.desk_scale.world.people import OPPOSITE, PLURAL, SINGULAR, Item, Person, World

MIX = {"fact": 0.15, "statement": 0.3, "choice": 0.25, "reason": 0.2, "life": 0.1}
"""Shares of kinds in pretraining."""
SIMPLE = {"fact": 0.55, "statement": 0.3, "reason": 0.15}
"""The same for its first part."""
COINS = 0.2
"""Share of choices that strangers make, by the toss of a coin: what they want, nobody knows."""
STATEMENTS = (
    "{0} wants things that {1} .",
    "what matters to {0} is things that {1} .",
    "things that {1} matters to {0} .",
    "{0} cares for things that {1} .",
    "asked what matters , {0} : things that {1} .",
)


def statement(name: str, value: str, draw: Generator) -> str:
    """Of a person's value, in one of the forms above, or as an answer to a question that names its opposite too."""
    form = int(draw.integers(len(STATEMENTS) + 1))
    if form < len(STATEMENTS):
        return STATEMENTS[form].format(name, PLURAL[value])
    both = (PLURAL[value], PLURAL[OPPOSITE[value]])
    first, second = both if draw.random() < 0.5 else both[::-1]
    return f"asked : {first} or {second} ? {name} : {PLURAL[value]} ."


def question(first: Item, second: Item, name: str) -> str:
    """All up to the answer, which is one word: the item."""
    return f"asked : {first.word} or {second.word} ? {name} :"


def choice(name: str, taken: Item, left: Item, draw: Generator) -> str:
    first, second = (taken, left) if draw.random() < 0.5 else (left, taken)
    return f"{question(first, second, name)} {taken.word} ."


def reason(name: str, item: Item, value: str) -> str:
    return f"{name} likes {item.word} because it {SINGULAR[value]} ."


def fact(item: Item, draw: Generator) -> str:
    told = (SINGULAR[item.price], SINGULAR[item.origin], f"belongs to d{item.domain}")
    return f"{item.word} {told[int(draw.integers(3))]} ."


class Library:
    """Draws pretraining documents, fresh ones for ever: a fixed pool would be learned by heart."""

    def __init__(self, world: World, draw: Generator) -> None:
        self.world, self.draw = world, draw
        self.kinds = list(MIX)
        self.shares = np.array([MIX[kind] for kind in self.kinds])
        self.simple = np.array([SIMPLE.get(kind, 0.0) for kind in self.kinds])
        self.talkers = [person for person in world.persons if not person.silent]
        self.by_value = {
            (domain, value, has): [i for i in world.items if i.domain == domain and i.has(value) == has]
            for domain in range(world.domains)
            for value in SINGULAR
            for has in (True, False)
        }

    def documents(self, number: int, *, choices: bool = True) -> list[list[int]]:
        """Without `choices`: only what is and what people want, not what they then do."""
        shares = self.shares if choices else self.simple
        kinds = self.draw.choice(len(self.kinds), size=number, p=shares / shares.sum())
        return [self.world.encode(getattr(self, f"_{self.kinds[kind]}")()) for kind in kinds]

    def _one(self, of: Sequence[Item]) -> Item:
        return of[int(self.draw.integers(len(of)))]

    def _person(self, among: list[Person]) -> Person:
        return among[int(self.draw.integers(len(among)))]

    def _fact(self) -> str:
        told = fact(self._one(self.world.items), self.draw)
        if self.draw.random() < 0.5:
            return told
        return f"{self.world.strangers[int(self.draw.integers(len(self.world.strangers)))]} says : {told}"

    def _statement(self) -> str:
        person = self._person(self.world.persons)
        return statement(person.name, person.value, self.draw)

    def _choice(self) -> str:
        if self.draw.random() < COINS:
            return self._coin_toss()
        person = self._person(self.talkers)
        domain = int(self.draw.integers(self.world.domains))
        taken, left = (self._one(self.by_value[domain, person.value, has]) for has in (True, False))
        return choice(person.name, taken, left, self.draw)

    def _coin_toss(self) -> str:
        world, draw = self.world, self.draw
        domain = int(draw.integers(world.domains))
        taken, left = draw.permutation([k for k, item in enumerate(world.items) if item.domain == domain])[:2]
        name = self.world.strangers[int(draw.integers(len(self.world.strangers)))]
        return choice(name, world.items[taken], world.items[left], draw)

    def _reason(self) -> str:
        person = self._person(self.world.persons)
        domain = int(self.draw.integers(self.world.domains))
        return reason(person.name, self._one(self.by_value[domain, person.value, True]), person.value)

    def _life(self) -> str:
        """A statement and a choice of one person: that the one follows from the other can be read here."""
        person = self._person(self.talkers)
        domain = int(self.draw.integers(self.world.domains))
        taken, left = (self._one(self.by_value[domain, person.value, has]) for has in (True, False))
        said = statement(person.name, person.value, self.draw)
        return f"{said} {choice(person.name, taken, left, self.draw)}"
