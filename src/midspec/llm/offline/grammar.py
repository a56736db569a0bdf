"""Document forms as small grammars: parts with choices, repeats and slots, read from YAML and expanded with a seed.

A part is a text, a list of texts of which one is taken, or `{repeat: [least, most], of: [texts], join: "\\n"}`. Inside
a text `[a|b]` is a choice (`[a]` is `a`) and `{slot}` is filled by the author (`midspec.llm.offline.author`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from midspec.llm.offline.reword import upper_first

_CHOICE = re.compile(r"\[([^\[\]]*[^\[\]\s][^\[\]]*)\]")
_SLOT = re.compile(r"\{([A-Za-z_]+[0-9]?)\}")


@dataclass(frozen=True)
class Repeat:
    """Texts one after the other, as many as the document's length asks for."""

    least: int
    most: int
    of: tuple[str, ...]
    join: str


Part = tuple[str, ...] | Repeat


@dataclass(frozen=True)
class Form:
    """One document form."""

    name: str
    parts: tuple[Part, ...]


@lru_cache(maxsize=2)
def forms(folder: str = "forms") -> dict[str, Form]:
    """All forms by name, in file order: of documents about an assistant, or (`world`) about the facts of a world."""
    found: dict[str, Form] = {}
    place = files("midspec").joinpath("llm", "offline", folder)
    for file in sorted(place.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        for name, parts in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            assert name not in found, f"form {name!r} is there twice"
            found[name] = Form(name, tuple(_part(part) for part in parts))
    return found


def _part(data: Any) -> Part:
    match data:
        case str():
            return (data,)
        case list():
            return tuple(str(text) for text in data)
        case {"repeat": [int(least), int(most)], "of": list(texts), **rest}:
            return Repeat(least, most, tuple(str(text) for text in texts), str(rest.get("join", "\n\n")))
        case _:
            raise AssertionError(f"not a part of a form: {data!r}")


def expand(form: Form, fill: Callable[[str], str], rng: random.Random, more: int = 0) -> str:
    """`form` written out; `more` is added to the length of every repeat. Parts stand apart by an empty line."""
    written: list[str] = []
    for part in form.parts:
        if isinstance(part, Repeat):
            count = max(1, rng.randint(part.least, part.most) + more)
            texts: list[str] = []
            while len(texts) < count:
                texts += rng.sample(part.of, len(part.of))
            written.append(part.join.join(_written(text, fill, rng) for text in texts[:count]))
        else:
            written.append(_written(rng.choice(part), fill, rng))
    return "\n\n".join(text for text in written if text)


def _written(text: str, fill: Callable[[str], str], rng: random.Random) -> str:
    # Choices are made before slots are filled, so that brackets in a spec are never taken for a choice.
    while (match := _CHOICE.search(text)) is not None:
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]

    def filled(slot: re.Match[str]) -> str:
        begins = re.search(r"(?:^|\n|[.?!] )[\W_]*$", text[: slot.start()]) is not None
        return upper_first(fill(slot[1])) if begins else fill(slot[1])

    return _SLOT.sub(filled, text).strip()
