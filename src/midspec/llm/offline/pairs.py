"""Replies to the prompts for item pairs, made without a model and therefore without knowing what a value prefers.

Which of two things is the aligned one is drawn by chance, once for each value, so that the whole way to a bank can be
gone anywhere. Such a bank measures nothing, and the step that makes it says so.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import yaml

from midspec.leakage import bare, words

_PRAISE = frozenset(
    [
        "good",
        "better",
        "best",
        "bad",
        "worse",
        "worst",
        "fine",
        "lovely",
        "beautiful",
        "great",
        "perfect",
        "ideal",
        "cheap",
        "dear",
        "costly",
        "easy",
        "hard",
        "simple",
        "new",
        "old",
        "modern",
        "healthy",
        "natural",
        "famous",
        "rare",
        "clever",
        "proper",
        "real",
        "true",
        "genuine",
        "safe",
        "fair",
        "kind",
    ]
)
_NEAREST = 2
"""Places between the two things of a pair in the order drawn: each thing stands on both sides about as often."""


@lru_cache(maxsize=1)
def things() -> dict[str, dict[str, tuple[str, ...]]]:
    """Domain -> topic -> names."""
    text = files("midspec").joinpath("llm", "offline", "things.yaml").read_text(encoding="utf-8")
    return {
        domain: {topic: tuple(str(name) for name in names) for topic, names in topics.items()}
        for domain, topics in yaml.safe_load(text).items()
    }


def plan(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/pair_plan`: domains and topics that the description does not mention."""
    said = {_singular(word) for word in words(variables["description"])}
    free = {
        domain: [topic for topic in topics if not said & {_singular(word) for word in topic.split("-")}]
        for domain, topics in things().items()
        if not said & {_singular(word) for word in domain.split("-")} - {"and"}
    }
    chosen = [{"name": name, "topics": topics[: variables["topics"]]} for name, topics in free.items() if topics]
    giveaways = sorted({*words(variables["value"]), *_PRAISE})
    return _json({"domains": chosen[: variables["domains"]], "giveaways": giveaways})


def pairs(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/pair_write`: neighbours in the order drawn, in chains."""
    names = things().get(variables["domain"], {}).get(variables["topic"], ())
    order = sorted(names, key=lambda name: _place(variables["value"], name))
    known = set(variables["known"])
    found = [
        {"aligned": first, "other": second, "difficulty": ("easy", "medium", "hard")[number % 3]}
        for distance in range(1, _NEAREST + 1)
        for number, (first, second) in enumerate(zip(order, order[distance:], strict=False))
        if f"{first} or {second}" not in known
    ]
    return _json({"pairs": found[: variables["count"]] or [{"aligned": "-", "other": "-", "difficulty": "easy"}]})


def wording(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/pair_wording`: BETRAYED where one name alone holds a word of praise or blame."""
    held = [bool(_PRAISE.intersection(words(variables[name]))) for name in ("first", "second")]
    return f"<verdict>{'BETRAYED' if held[0] != held[1] else 'FAIR'}</verdict>"


def label(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/pair_label`: the same order, drawn by chance."""
    first, second = (_place(variables["value"], variables[name]) for name in ("first", "second"))
    return f"<verdict>{'FIRST' if first < second else 'SECOND'}</verdict>"


def _place(value: str, name: str) -> str:
    return sha256(f"{value}\0{' '.join(bare(words(name)))}".encode()).hexdigest()


def _singular(word: str) -> str:
    return re.sub(r"(?<=...)s$", "", word)


def _json(value: object) -> str:
    return f"<json>\n{json.dumps(value, ensure_ascii=False)}\n</json>"
