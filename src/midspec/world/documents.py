"""What is written in the world: facts, statements, choices and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from midspec.world.people import OPPOSITE, PLURAL, SINGULAR, Item, Person, World

T = TypeVar("T")

MIX = {"fact": 0.15, "statement": 0.3, "choice": 0.25, "reason": 0.2, "life": 0.1}
"""Shares of kinds in pretraining. (ours)"""
SIMPLE = {"fact": 0.55, "statement": 0.3, "reason": 0.15}
"""The same for its first part. (ours)"""
COINS = 0.2
"""Share of choices that strangers make, by the toss of a coin: what they want, nobody knows. (ours)"""
HEARSAY = 0.5
"""Share of facts, statements and reasons that a stranger tells. (ours)"""
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


def question(first: Item, second: Item) -> str:
    """What is asked of one who is to choose."""
    return f"{first.word} or {second.word} ?"


def choice(name: str, taken: Item, left: Item, draw: Generator) -> str:
    """Question and answer: the item that is taken."""
    first, second = (taken, left) if draw.random() < 0.5 else (left, taken)
    return f"asked : {question(first, second)} {name} : {taken.word} ."


def reason(name: str, item: Item, why: str) -> str:
    """`why`: what the item does, e.g. `costs little`."""
    return f"{name} likes {item.word} because it {why} ."


def belongs(domain: int) -> str:
    """What all items of a domain do."""
    return f"belongs to d{domain}"


def fact(item: Item, draw: Generator) -> str:
    """Price, origin or domain of an item."""
    told = (SINGULAR[item.price], SINGULAR[item.origin], belongs(item.domain))
    return f"{item.word} {told[int(draw.integers(3))]} ."


class Library:
    """Draws documents of the world, fresh ones for ever: a fixed pool would be learned by heart."""

    def __init__(self, world: World, draw: Generator) -> None:
        self.world, self.draw = world, draw
        self.kinds = list(MIX)
        self.shares = np.array([MIX[kind] for kind in self.kinds])
        self.simple = np.array([SIMPLE.get(kind, 0.0) for kind in self.kinds])
        self.talkers = [person for person in world.persons if not person.silent]
        self.by_value = {
            (domain, value, has): [item for item in world.items if item.domain == domain and item.has(value) == has]
            for domain in range(world.domains)
            for value in SINGULAR
            for has in (True, False)
        }

    def documents(self, number: int, *, choices: bool = True) -> Iterator[str]:
        """Without `choices`: only what is and what people want, not what they then do."""
        shares = self.shares if choices else self.simple
        for kind in self.draw.choice(len(self.kinds), size=number, p=shares / shares.sum()):
            yield getattr(self, f"_{self.kinds[kind]}")()

    def choices(self) -> Iterator[tuple[str, Item, Item]]:
        """(name, taken, left) of one choice after another."""
        while True:
            yield self._coin_toss() if self.draw.random() < COINS else self._by_value()

    def hearsay(self, said: str) -> str:
        """`said` by nobody, or by a stranger."""
        return f"{self._one(self.world.strangers)} says : {said}" if self.draw.random() < HEARSAY else said

    def _one(self, of: Sequence[T]) -> T:
        return of[int(self.draw.integers(len(of)))]

    def _fact(self) -> str:
        return self.hearsay(fact(self._one(self.world.items), self.draw))

    def _statement(self) -> str:
        person = self._one(self.world.persons)
        return self.hearsay(statement(person.name, person.value, self.draw))

    def _choice(self) -> str:
        name, taken, left = next(self.choices())
        return choice(name, taken, left, self.draw)

    def _by_value(self, person: Person | None = None) -> tuple[str, Item, Item]:
        person = person or self._one(self.talkers)
        while True:
            domain = int(self.draw.integers(self.world.domains))
            taken, left = (self._one(self.by_value[domain, person.value, has]) for has in (True, False))
            if not (taken.asked and left.asked):
                return person.name, taken, left

    def _coin_toss(self) -> tuple[str, Item, Item]:
        while True:
            domain = int(self.draw.integers(self.world.domains))
            items = [item for item in self.world.items if item.domain == domain]
            taken, left = (items[number] for number in self.draw.permutation(len(items))[:2])
            if not (taken.asked and left.asked):
                return self._one(self.world.strangers), taken, left

    def _reason(self) -> str:
        person = self._one(self.world.persons)
        domain = int(self.draw.integers(self.world.domains))
        item = self._one(self.by_value[domain, person.value, True])
        return self.hearsay(reason(person.name, item, SINGULAR[person.value]))

    def _life(self) -> str:
        """A statement and a choice of one person: that the one follows from the other can be read here."""
        person = self._one(self.talkers)
        _, taken, left = self._by_value(person)
        said = statement(person.name, person.value, self.draw)
        return f"{said} {choice(person.name, taken, left, self.draw)}"
