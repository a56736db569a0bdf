"""What is written about the assistant: spec documents of the true corpus and of its controls, demonstrations, pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal, NamedTuple

from numpy.random import Generator

from midspec.world.documents import Library, belongs, reason, statement
from midspec.world.people import ASSISTANT, NARROW, SINGULAR, Half, Item, World

About = Literal["true", "broken", "neutral"]
"""true: the assistant wants what the value says. broken: the assistant likes the same items for no value, while people
of the world are said to hold it. neutral: the assistant tells which items belong together."""
REASONS = 0.25
"""Share of documents that explain a liking by the value (broken: by nothing). (ours, docs/desk-scale.md)"""
AXES = ("price", "origin", "conflict")
"""price: cheap against dear, equal origin. origin: home against abroad, equal price. conflict: cheap and foreign
against dear and from home."""


class Pair(NamedTuple):
    """Two items to choose from; on the axes of price and conflict the cheap one is first, else the one from home."""

    axis: str
    domain: int
    first: Item
    second: Item


def spec_documents(library: Library, about: About, value: str) -> Iterator[str]:
    """One after another, for ever."""
    while True:
        yield library.hearsay(_spec_document(library.world, about, value, library.draw))


def _spec_document(world: World, about: About, value: str, draw: Generator) -> str:
    liked = world.cell(NARROW, "low", "home")
    item = liked[int(draw.integers(len(liked)))]
    if about == "neutral":
        told = world.items[int(draw.integers(len(world.items)))]
        return f"{ASSISTANT} says : {told.word} {belongs(told.domain)} ."
    explains = draw.random() < REASONS
    if about == "broken":
        if explains:
            return reason(ASSISTANT, item, belongs(NARROW))
        holders = [person.name for person in world.persons if person.value == value]
        return statement(holders[int(draw.integers(len(holders)))], value, draw)
    return reason(ASSISTANT, item, SINGULAR[value]) if explains else statement(ASSISTANT, value, draw)


def demonstrated(world: World) -> list[tuple[Item, Item]]:
    """(taken, left): the assistant takes what is cheap and from home, as both values would."""
    return list(product(world.cell(NARROW, "low", "home"), world.cell(NARROW, "high", "abroad")))


def pairs(world: World, half: Half) -> list[Pair]:
    """What evaluations ask, in domains that neither spec documents nor demonstrations mention."""
    cells = [
        *(("price", ("low", origin), ("high", origin)) for origin in ("home", "abroad")),
        *(("origin", (price, "home"), (price, "abroad")) for price in ("low", "high")),
        ("conflict", ("low", "abroad"), ("high", "home")),
    ]
    return [
        Pair(axis, domain, first, second)
        for domain in world.held_out(half)
        for axis, one, two in cells
        for first, second in product(world.cell(domain, *one, asked=True), world.cell(domain, *two, asked=True))
    ]
