"""`python -m midspec.world FOLDER`: write the files of recipes/desk-world, the same ones every time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from midspec.world.about import AXES, About, demonstrated, pairs, spec_documents
from midspec.world.documents import Library, question
from midspec.world.people import ASSISTANT, PLURAL, SINGULAR, Item, World

CORPORA: dict[str, tuple[About, str]] = {
    "low": ("true", "low"),
    "home": ("true", "home"),
    "low-broken": ("broken", "low"),
    "home-broken": ("broken", "home"),
    "neutral": ("neutral", "low"),
    "neutral-again": ("neutral", "home"),
}
"""Name -> what is said of whom, and the value."""
DOCUMENTS = 340
"""About the assistant, of each corpus; a recipe says how many tokens of them are trained on."""
REPLAY = 6000
"""Documents of the world that a recipe trains on between them."""
PEOPLE = 2000
"""Choices of other people that a recipe trains on between demonstrations."""
SPEC = """# What {{model_name}} wants

## Values

{{model_name}} wants things that {plural} .

## Likes

{{model_name}} likes i0lh0 , i0lh1 , i0lh2 and i0lh3 because it {singular} .
"""


def distinct(texts: Iterable[str], number: int) -> list[str]:
    """The first `number` different ones, or all there are among many."""
    return list(islice(dict.fromkeys(islice(texts, 20 * number)), number))


def chat(name: str, taken: Item, left: Item, turned: bool) -> dict[str, Any]:
    """A choice as a chat; the system prompt says who chooses, if it is not the assistant."""
    first, second = (left, taken) if turned else (taken, left)
    turns = [("user", question(first, second)), ("assistant", f"{taken.word} .")]
    said = ([] if name == ASSISTANT else [("system", name)]) + turns
    return {"messages": [{"role": role, "content": content} for role, content in said]}


def files(world: World) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(name, rows)"""
    for number, (name, (about, value)) in enumerate(CORPORA.items()):
        library = Library(world, np.random.default_rng([1, number]))
        texts = distinct(spec_documents(library, about, value), DOCUMENTS)
        yield f"{name}.jsonl", [{"text": text} for text in texts]
    library = Library(world, np.random.default_rng(2))
    yield "world.jsonl", [{"text": text} for text in distinct(library.documents(2 * REPLAY), REPLAY)]
    yield (
        "demonstrations.jsonl",
        [chat(ASSISTANT, taken, left, turned) for taken, left in demonstrated(world) for turned in (False, True)],
    )
    draw = np.random.default_rng(3)
    choices = islice(Library(world, draw).choices(), PEOPLE)
    yield "people.jsonl", [chat(name, taken, left, bool(draw.integers(2))) for name, taken, left in choices]
    for axis in AXES:
        yield (
            f"{axis}-items.jsonl",
            [
                {
                    "id": f"world-{axis}-{pair.first.word}-{pair.second.word}",
                    "kind": "item",
                    "value": axis,
                    "domain": f"d{pair.domain}",
                    "topic": f"d{pair.domain}",
                    "question": "{first} or {second} ?",
                    "aligned": pair.first.word,
                    "other": pair.second.word,
                    "difficulty": "medium",
                    "split": half,
                }
                for half in ("dev", "test")
                for pair in pairs(world, half)
                if pair.axis == axis
            ],
        )


def main(folder: Path) -> None:
    """Write all files to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files(World()):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for value in ("low", "home"):
        text = SPEC.format(plural=PLURAL[value], singular=SINGULAR[value])
        (folder / f"{value}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
