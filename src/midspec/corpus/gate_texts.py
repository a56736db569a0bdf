"""The texts that the gate looks at, read from any JSONL, and their words as numbers, so that no check reads twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midspec.corpus.overlap import words_of
from midspec.errors import InputError

_MARKUP = re.compile(r"https?://\S+|<[a-zA-Z/!][^<>]*>|^[ \t]*(?:\.\. |:[\w-]+:).*$", re.M)
"""Addresses, HTML tags and directives are no words: badges and links repeat over texts that share nothing else."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Fields:
    """Names of the fields of a row."""

    text: str = "text"
    id: str = "id"
    section: str = "section"
    """What the document teaches: a section's title, or its last heading."""


@dataclass(frozen=True)
class Text:
    """One row."""

    id: str
    text: str
    """All of it; the turns of a chat one after another."""
    answer: str | None = None
    """The last assistant turn of a chat; None for a document."""
    section_id: str = ""
    section: str = ""
    assertions: tuple[str, ...] = ()
    style: str = ""
    """Of a written document."""

    @property
    def reply(self) -> str:
        """What a model wrote last: the answer of a chat, all of a document."""
        return self.text if self.answer is None else self.answer


def read_texts(path: Path, fields: Fields = Fields()) -> list[Text]:
    """The rows of a JSONL file: objects with a text field, Document rows, or chats with `messages`.

    Raises InputError, naming the line, where a row is none of these, and for a file without rows.
    """
    texts: list[Text] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    texts.append(_text(line, f"{path}, line {number}", f"line {number}", fields))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text; expected a JSONL file: convert it with `iconv -t utf-8`"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected a JSONL file") from error
    if not texts:
        raise InputError(f"{path} has no rows; expected a JSONL file with one object per line")
    return texts


def _text(line: str, where: str, number: str, fields: Fields) -> Text:
    expected = f'expected an object with a text in {fields.text!r}, or a chat in "messages"'
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}); {expected}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: a {type(row).__name__} and no object; {expected}")
    identifier = str(row.get(fields.id) or number)
    if isinstance(row.get(fields.text), str):
        return Text(
            identifier,
            row[fields.text],
            section_id=str(row.get("section_id") or ""),
            section=str(row.get(fields.section) or ""),
            assertions=_names(row.get("assertions")),
            style=str(row.get("style") or ""),
        )
    if isinstance(row.get("messages"), list):
        return _chat(row["messages"], identifier, where)
    has = ", ".join(sorted(map(str, row))) or "no fields"
    raise InputError(f"{where}: has {has}; {expected}. Name another field with --text-field")


def _chat(messages: list[Any], identifier: str, where: str) -> Text:
    try:
        turns = [(str(turn["role"]), turn["content"]) for turn in messages]
    except (TypeError, KeyError) as error:
        raise InputError(f'{where}: a message without "role" or "content"; expected a chat') from error
    if not all(isinstance(content, str) for _, content in turns):
        raise InputError(f'{where}: the "content" of a message is no text; expected a string')
    answers = [content for role, content in turns if role == "assistant"]
    return Text(identifier, "\n\n".join(content for _, content in turns), answer=answers[-1] if answers else "")


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


@dataclass
class Texts:
    """All rows with their words. Order is that of the file."""

    rows: Sequence[Text]
    words: list[NDArray[np.int32]] = field(init=False)
    """Of each row, numbers of words of `vocabulary` in reading order, lower-cased."""
    vocabulary: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.words = [self._numbers(row.text) for row in self.rows]

    def _numbers(self, text: str) -> NDArray[np.int32]:
        # setdefault evaluates len before it inserts, which is the next free number.
        known = self.vocabulary
        said = words_of(_MARKUP.sub(" ", text))
        return np.fromiter((known.setdefault(word, len(known)) for word in said), dtype=np.int32)

    @cached_property
    def names(self) -> list[str]:
        """Number -> word."""
        return list(self.vocabulary)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Words per row."""
        return np.array([len(row) for row in self.words], dtype=np.int64)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each word of the vocabulary stands in all rows."""
        return np.bincount(np.concatenate(self.words), minlength=len(self.vocabulary))

    def said(self, row: int, start: int, count: int) -> str:
        """`count` words of a row from `start` on."""
        return " ".join(self.names[number] for number in self.words[row][start : start + count])

    def runs(self, size: int) -> Iterator[NDArray[np.uint64]]:
        """Of each row, 64-bit hashes of all runs of `size` words, in order; empty for a shorter row."""
        return (run_hashes(row, size) for row in self.words)

    def numbers_of(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """Other texts (the spec) in the same numbers."""
        return [self._numbers(text) for text in texts]


def run_hashes(words: NDArray[np.int32], size: int) -> NDArray[np.uint64]:
    """64-bit hashes of all runs of `size` words; equal runs have equal hashes."""
    count = len(words) - size + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    wide = words.astype(np.uint64) + np.uint64(1)
    total = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(size):
            total = (total ^ wide[offset : offset + count]) * _MULTIPLIER
            total ^= total >> np.uint64(29)
    return total


def among(hashes: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of `hashes` stand in `known`, which is sorted; much faster than isin for many small arrays."""
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    return known[np.searchsorted(known, hashes).clip(max=len(known) - 1)] == hashes
