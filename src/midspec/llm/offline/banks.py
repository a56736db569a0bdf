"""Phrase banks of the offline writer, which say nothing of their own, and the word lists of its English."""

from __future__ import annotations

import random
from functools import lru_cache
from importlib.resources import files

import yaml


@lru_cache(maxsize=1)
def _banks() -> dict[str, tuple[str, ...]]:
    text = files("midspec").joinpath("llm", "offline", "phrases.yaml").read_text(encoding="utf-8")
    return {name: tuple(str(entry) for entry in entries) for name, entries in yaml.safe_load(text).items()}


def bank(name: str) -> tuple[str, ...]:
    """The phrases of that name in `phrases.yaml`."""
    return _banks()[name]


@lru_cache(maxsize=1)
def _words() -> dict[str, frozenset[str]]:
    text = files("midspec").joinpath("llm", "offline", "words.yaml").read_text(encoding="utf-8")
    return {name: frozenset(str(words).split()) for name, words in yaml.safe_load(text).items()}


def word_set(name: str) -> frozenset[str]:
    """The words of that name in `words.yaml`."""
    return _words()[name]


def bank_names() -> tuple[str, ...]:
    """Names of all banks."""
    return tuple(_banks())


def person(rng: random.Random, avoid: str = "") -> str:
    """A person's name out of thousands, so that none is met again; never one that contains `avoid`."""
    given = [name for name in bank("given") if name.lower() not in avoid.lower().split()]
    return f"{rng.choice(given)} {rng.choice(bank('family'))}"
