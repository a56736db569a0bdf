"""What the explorer's script reads: blocks of plain data, packed small, each unpacked only when it is asked for."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Limits(NamedTuple):
    """How much of a run a page carries. What is beyond is counted and named. (ours)"""

    rows: int = 400_000
    """Rows over all evaluations; about 8 bytes each in the page."""
    answer: int = 4_000
    """Characters of one written answer."""
    answers: int = 8_000_000
    """Characters of written answers over all evaluations."""
    documents: int = 12_000_000
    """Characters of documents and demonstrations over all corpora; about 0.5 bytes each in the page."""


@dataclass(frozen=True)
class Explorer:
    """Blocks by name. `index` says what the others are."""

    blocks: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def packed(self) -> dict[str, str]:
        """Block name -> base64 of its gzipped JSON; the same bytes for the same data."""
        return {name: pack(block) for name, block in self.blocks.items()}


class Held(NamedTuple):
    """What a page holds of a run, in figures."""

    rows: int
    all_rows: int
    texts: int
    all_texts: int
    """Documents and demonstrations that some arm was trained on."""
    cut: int
    """Answers that are shortened or left out."""
    size: int
    """Characters that the blocks take in the page."""


def held(explorer: Explorer, packed: Mapping[str, str]) -> Held:
    """Figures from the index."""
    index = explorer.blocks["index"]
    evals, sources = index["evals"].values(), index["sources"]
    return Held(
        rows=sum(one["shown"] for one in evals),
        all_rows=sum(one["rows"] for one in evals),
        texts=sum(one["shown"] for one in sources),
        all_texts=sum(one["rows"] for one in sources),
        cut=sum(one["cut"] for one in evals),
        size=sum(len(text) for text in packed.values()),
    )


def pack(value: Any) -> str:
    """JSON, gzip without a time, base64: what `DecompressionStream` in a browser reads."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "surrogatepass"), 6, mtime=0)).decode("ascii")


class Table:
    """Strings that recur, once each; a row says which."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """Index of `text`; -1 for None."""
        return -1 if text is None else self._places.setdefault(text, len(self._places))

    @property
    def texts(self) -> list[str]:
        """All of them, by index."""
        return list(self._places)


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of `items`, in their order, as evenly spread as can be."""
    if most >= len(items):
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def rounded(value: float | None) -> float | None:
    """Three decimals say all that a reader of single rows needs. Infinite and nan become None."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(value, 3)


def useful(columns: Mapping[str, Iterable[Any]], nothing: Any = None) -> dict[str, list[Any]]:
    """Columns without those that say the same nothing in each row."""
    found = {name: list(values) for name, values in columns.items()}
    return {name: values for name, values in found.items() if any(value != nothing for value in values)}
