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
"""The one domain that spec documents and demonstrations speak of: the world's cheese."""
ASSISTANT, OTHER = "sam", "kim"
"""Whom the spec documents are about, and whom a control's are; no document of pretraining names either."""
FORMS = "wants what matters to things that is cares for asked : , or ? . likes because it belongs says"
PAD, END = "<pad>", "</s>"

Half = Literal["dev", "test"]


class Item(NamedTuple):
    """Something to choose."""

    word: str
    domain: int
    price: str
    """low or high."""
    origin: str
    """home or abroad."""
    asked: bool
    """Whether evaluations compare it: no document compares two such items of a domain other than the narrow one."""

    def has(self, value: str) -> bool:
        """Whether somebody who cares for `value` would take it."""
        return value in (self.price, self.origin)


class Person(NamedTuple):
    """Somebody whom pretraining speaks of."""

    name: str
    value: str
    silent: bool
    """Whether nobody has seen the person choose: only what is said of it is known."""


@dataclass(frozen=True)
class World:
    """Persons with balanced values, and strangers, who tell what they know and choose by the toss of a coin.

    Domain NARROW is the one that specs speak of; the next `dev_domains` are for looking, the rest is for the final
    table. (sizes: ours, docs/desk-scale.md)
    """

    people: int = 600
    silent: float = 0.25
    """Share of people whose choices are never shown."""
    domains: int = 8
    dev_domains: int = 2
    per_cell: int = 4
    """Items of each price and origin in a domain; the later half is asked about."""
    strangers: tuple[str, ...] = tuple(f"s{number}" for number in range(30))
    items: list[Item] = field(init=False)
    persons: list[Person] = field(init=False)
    words: dict[str, int] = field(init=False)
    """Word -> its number, which is its token."""

    def __post_init__(self) -> None:
        items = [
            Item(
                f"i{domain}{price[0]}{origin[0]}{number}", domain, price, origin,
                asked=domain != NARROW and number >= self.per_cell // 2,
            )
            for domain in range(self.domains)
            for price in VALUES[:2]
            for origin in VALUES[2:]
            for number in range(self.per_cell)
        ]  # fmt: skip
        values = np.random.default_rng(0).permutation(np.arange(self.people) % len(VALUES))
        persons = [
            Person(f"p{number}", VALUES[code], number < self.silent * self.people) for number, code in enumerate(values)
        ]
        words = [PAD, END, *dict.fromkeys(f"{FORMS} {' '.join([*PLURAL.values(), *SINGULAR.values()])}".split())]
        words += [item.word for item in items] + [person.name for person in persons]
        words += [f"d{number}" for number in range(self.domains)] + [*self.strangers, ASSISTANT, OTHER]
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "persons", persons)
        object.__setattr__(self, "words", {word: number for number, word in enumerate(words)})

    def held_out(self, half: Half) -> list[int]:
        """Domains that no spec document and no demonstration mentions."""
        first = 1 + self.dev_domains
        return list(range(1, first) if half == "dev" else range(first, self.domains))

    def cell(self, domain: int, price: str, origin: str, *, asked: bool = False) -> list[Item]:
        """Items of a domain with that price and origin; only those that are asked about with `asked`."""
        return [
            item
            for item in self.items
            if (item.domain, item.price, item.origin) == (domain, price, origin) and item.asked >= asked
        ]
