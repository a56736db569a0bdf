"""What is asked: choices between statements, and prompts with free answers. Loads neither torch nor inspect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, model_validator

from midspec.errors import InputError
from midspec.evals.item_sets import Split, drawn, halved, sha256_of
from midspec.records import Row, read_rows

DATA = Path(str(files("midspec"))) / "data"
Difficulty = Literal["easy", "medium", "hard", ""]


class Item(Row):
    """One thing that a model is asked, or is shown."""

    id: str = Field(min_length=1)
    domain: str = Field(min_length=1)
    topic: str = ""
    """Part of the domain; intervals are clustered by it. Empty = every item is a topic of its own."""
    difficulty: Difficulty = ""
    split: Literal["dev", "test"] = "dev"
    """Frozen from the start: tune on dev only."""


class Choice(Item):
    """A question with statements of which one is right."""

    kind: Literal["choice", "pair"] = "choice"
    """`pair`: one statement against its distortion."""
    question: str = Field(min_length=1)
    options: tuple[str, ...] = Field(min_length=2, max_length=5)
    correct: int = Field(ge=0)
    """Index into `options`."""
    about: str = ""
    """What it was made from: the heading of a passage, or empty."""

    @model_validator(mode="after")
    def _has_one_right_answer(self) -> Self:
        if self.correct >= len(self.options):
            raise ValueError(f"correct is {self.correct}, but there are {len(self.options)} options")
        if len({option.strip().casefold() for option in self.options}) < len(self.options):
            raise ValueError("two options are the same")
        if not all(option.strip() for option in self.options):
            raise ValueError("an option is empty")
        return self


class Prompt(Item):
    """A user's message, answered freely."""

    prompt: str = Field(min_length=1)


class Judged(Prompt):
    """A question whose answer a judge compares with a statement."""

    kind: Literal["open", "reasoning"] = "open"
    """`reasoning`: the statement is not asked for, but the answer follows from it."""
    statement: str = Field(min_length=1)
    """What somebody says who knows, or believes, it."""
    otherwise: str = ""
    """What somebody says who does not."""


ItemT = TypeVar("ItemT", bound=Item)


def load_items(path: Path, kind: type[ItemT]) -> list[ItemT]:
    """The items of a JSONL file. Raises InputError where it cannot be read, is empty, or repeats an id."""
    found = list(read_rows(path, kind))
    repeated = [name for name, count in Counter(item.id for item in found).items() if count > 1]
    if repeated or not found:
        problem = f"the id {repeated[0]!r} stands more than once" if repeated else "it holds no item"
        raise InputError(f"{path}: {problem}; expected a JSONL file of {kind.__name__} rows with ids of their own")
    return found


def items_sha256(items: Iterable[Item]) -> str:
    """Identity of a set of items, whatever file they lie in."""
    return sha256_of(items)


def select(items: Sequence[ItemT], split: Split = "all", limit: int | None = None) -> list[ItemT]:
    """The items of a split, at most `limit`, the same number from every domain: see `drawn`."""
    return drawn(items, split, limit, lambda item: item.domain, "midspec battery selection")


def with_splits(items: Sequence[ItemT]) -> list[ItemT]:
    """The same with half of each domain in dev, half in test."""
    return halved(items, lambda item: item.domain)
