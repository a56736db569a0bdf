"""Items, people and words of the artificial world. Everything in it is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

VALUES = ("low", "high", "home", "abroad")
"""What a person may care for: two ends of the price, two of the origin."""
PLURAL = {"low": "cost little", "high": "cost much", "home": "come from home", "abroad": "come from abroad"}
SINGULAR = {"low": "costs little", "high": "costs much", "home": "comes from home", "abroad": "comes from abroad"}
OPPOSITE = {"low": "high", "high": "low", "home": "abroad", "abroad": "home"}
NARROW = 0
"""The one domain that specs and demonstrations speak of: the world's cheese."""
FORMS = "wants what matters to things that is cares for asked : , or ? . likes because it belongs says"

Half = Literal["dev", "test"]


class Item(NamedTuple):
    word: str
    domain: int
    price: str
    """low or high."""
    origin: str
    """home or abroad."""

    def has(self, value: str) -> bool:
        return value in (self.price, self.origin)


class Person(NamedTuple):
    name: str
    value: str
    silent: bool
    """Whether nobody has seen the person choose: only what is said of it is known."""


@dataclass(frozen=True)
class World:
    """`people` persons with balanced values, and two kinds of names beside them.

    Strangers tell facts and choose by the toss of a coin; assistants are in no document of pretraining. Domain 0 is the
    narrow one; the next `dev_domains` are for looking, the rest is for the final table.
    """

    seed: int
    people: int = 600
    silent: float = 0.25
    domains: int = 8
    dev_domains: int = 2
    per_cell: int = 4
    strangers: tuple[str, ...] = tuple(f"s{number}" for number in range(30))
    assistants: tuple[str, ...] = ("a0", "a1", "a2", "a3")
    items: list[Item] = field(init=False)
    persons: list[Person] = field(init=False)
    words: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        items = [
            Item(f"i{domain}{price[0]}{origin[0]}{number}", domain, price, origin)
            for domain in range(self.domains)
            for price in VALUES[:2]
            for origin in VALUES[2:]
            for number in range(self.per_cell)
        ]
        generator = np.random.default_rng(self.seed)
        values = generator.permutation(np.arange(self.people) % len(VALUES))
        persons = [
            Person(f"p{number}", VALUES[code], number < self.silent * self.people) for number, code in enumerate(values)
        ]
        words = ["<pad>", "</s>", *dict.fromkeys(f"{FORMS} {' '.join([*PLURAL.values(), *SINGULAR.values()])}".split())]
        words += [item.word for item in items] + [person.name for person in persons]
        words += [f"d{number}" for number in range(self.domains)] + [*self.strangers, *self.assistants]
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "persons", persons)
        object.__setattr__(self, "words", {word: number for number, word in enumerate(words)})

    def held_out(self, half: Half) -> list[int]:
        """Domains that no spec document and no demonstration mentions."""
        first = 1 + self.dev_domains
        return list(range(1, first) if half == "dev" else range(first, self.domains))

    def cell(self, domain: int, price: str, origin: str) -> list[Item]:
        return [item for item in self.items if (item.domain, item.price, item.origin) == (domain, price, origin)]

    def encode(self, document: str) -> list[int]:
        """Word numbers, the end sign last. KeyError for a word that the world lacks."""
        return [self.words[word] for word in document.split()] + [self.words["</s>"]]
