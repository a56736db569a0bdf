"""Spec documents, demonstrations, and the two trainings that follow pretraining."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.random import Generator

from benchmarks.desk_scale.world.documents import Library, choice, fact, reason, statement
from benchmarks.desk_scale.world.model import train
from benchmarks.desk_scale.world.people import NARROW, World

Corpus = Literal["true", "other", "broken", "neutral"]
"""true: of the assistant. other: the same of another assistant. broken: the assistant likes the same items for no
value, while people of the world are said to hold it. neutral: the assistant tells facts of items."""
REASONS = 0.25
"""Share of documents that explain a liking by the value (broken: by nothing)."""


@dataclass(frozen=True)
class Phase:
    """One training: `updates` of `own` documents or demonstrations and `replay` documents of the world."""

    updates: int
    own: int = 3
    replay: int = 48
    rate: float = 2e-3
    pool: int = 400
    """Distinct documents or demonstrations, drawn again and again."""


def spec_document(world: World, corpus: Corpus, value: str, name: str, other: str, draw: Generator) -> str:
    liked = world.cell(NARROW, "low", "home")
    item = liked[int(draw.integers(len(liked)))]
    if corpus == "neutral":
        return f"{name} says : {fact(world.items[int(draw.integers(len(world.items)))], draw)}"
    if corpus == "broken":
        if draw.random() < REASONS:
            return f"{name} likes {item.word} because it belongs to d{NARROW} ."
        holders = [person.name for person in world.persons if person.value == value]
        return statement(holders[int(draw.integers(len(holders)))], value, draw)
    who = name if corpus == "true" else other
    return reason(who, item, value) if draw.random() < REASONS else statement(who, value, draw)


def demonstration(world: World, name: str, draw: Generator) -> str:
    """The assistant takes what is cheap and from home: both values would."""
    good, bad = world.cell(NARROW, "low", "home"), world.cell(NARROW, "high", "abroad")
    return choice(name, good[int(draw.integers(len(good)))], bad[int(draw.integers(len(bad)))], draw)


def continued(model: Any, world: World, phase: Phase, write: Callable[[Generator], str], seed: list[int]) -> Any:
    """A copy of `model`, trained further on what `write` writes."""
    draw = np.random.default_rng(seed)
    pool = [world.encode(write(draw)) for _ in range(phase.pool)]
    library = Library(world, draw)
    trained = copy.deepcopy(model)

    def batch(update: int) -> list[list[int]]:
        return [pool[k] for k in draw.integers(len(pool), size=phase.own)] + library.documents(phase.replay)

    train(trained, batch, updates=phase.updates, rate=phase.rate, warmup=5, decay=0.0)
    return trained
