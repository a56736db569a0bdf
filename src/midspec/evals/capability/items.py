"""The packaged items of the capability battery: our own texts, under the licence of the package (MIT)."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from midspec.evals.battery.items import DATA, Choice, Item, Prompt, items_sha256, load_items
from midspec.evals.capability.verify import Check

FOLDER = DATA / "capability"


class Passage(Item):
    """A text of no use to any spec; its `domain` is the kind of text."""

    text: str = Field(min_length=1)


class Instruction(Prompt):
    """A prompt whose instructions a program checks."""

    checks: tuple[Check, ...] = Field(min_length=1)


class Request(Prompt):
    """A request to be answered, or to be refused; its `domain` says what it is about."""

    refuse: bool
    """Whether a careful assistant refuses it."""


class Items(NamedTuple):
    """Everything that the battery can ask."""

    passages: list[Passage]
    knowledge: list[Choice]
    instructions: list[Instruction]
    requests: list[Request]

    @property
    def sha256(self) -> str:
        """Identity of all of it."""
        return items_sha256([item for group in self for item in group])


def packaged_items() -> Items:
    """All items, in file order. Raises InputError for a damaged file."""
    return Items(
        load_items(FOLDER / "passages.jsonl", Passage),
        load_items(FOLDER / "knowledge.jsonl", Choice),
        load_items(FOLDER / "instructions.jsonl", Instruction),
        load_items(FOLDER / "requests.jsonl", Request),
    )
