"""Where evaluation items stand in training texts: the index that the corpus gate and the contamination gate share.

An item is found where a text shares 8 consecutive words with its question or one of its answers, or where both names of
an item pair stand within 30 words of one another. Case, punctuation and white space do not matter. One pass over the
text against an index of the items, so time grows with the text and hardly with the bank.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from midspec.records import BankItem, read_rows

Words = tuple[str, ...]

BANKS = Path(str(files("midspec"))) / "data" / "banks"
"""The packaged evaluation banks."""
GRAM = 8
"""Consecutive words that two texts do not share by chance (ours; common in contamination studies)."""
NEAR = 30
"""Words between the two names of a pair, at most, for them to count as compared (ours)."""
ARTICLES = {"a", "an", "the", "some"}


def words(text: str) -> Words:
    """Lower-case words; punctuation parts words, apostrophes do not. "a Casio F-91W" -> a, casio, f, 91w."""
    return tuple(re.findall(r"[^\W_]+", re.sub(r"['’]", "", text.casefold())))


def bare(name: Words) -> Words:
    """A name without its leading article."""
    return name[1:] if len(name) > 1 and name[0] in ARTICLES else name


def packaged_banks_sha256() -> dict[str, str]:
    """File stem of every packaged bank (`affordability-items`) -> SHA-256 of its bytes."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(BANKS.glob("*.jsonl"))}


def bank_items(stems: Iterable[str]) -> list[BankItem]:
    """All items of the packaged banks with these file stems."""
    return [item for stem in stems for item in read_rows(BANKS / f"{stem}.jsonl", BankItem)]


class Overlap(NamedTuple):
    """An item in a text."""

    words: str
    """What they share, at the first place where it stands."""
    kind: str
    """`run` of 8 words or more, or `pair` of names near one another."""


class _Name(NamedTuple):
    words: Words
    item: str
    side: int


class ItemIndex:
    """Bank items by their 8-word sequences and by the first word of their names."""

    def __init__(self, items: Iterable[BankItem]) -> None:
        self._grams: defaultdict[Words, set[str]] = defaultdict(set)
        self._first: set[str] = set()
        self._names: defaultdict[str, list[_Name]] = defaultdict(list)
        for item in items:
            for text in (item.question, item.aligned, item.other):
                for gram in _grams(words(text)):
                    self._grams[gram].add(item.id)
                    self._first.add(gram[0])
            if item.kind == "item":
                for side, name in enumerate((bare(words(item.aligned)), bare(words(item.other)))):
                    self._names[name[0]].append(_Name(name, item.id, side))

    def find(self, text: str) -> dict[str, Overlap]:
        """Items in `text` -> what they share with it."""
        said = words(text)
        pairs = {item: Overlap(shared, "pair") for item, shared in self._pairs(said).items()}
        return pairs | {item: Overlap(shared, "run") for item, shared in self._runs(said).items()}

    def _runs(self, said: Words) -> dict[str, str]:
        spans: dict[str, tuple[int, int]] = {}
        first = self._first
        for start in range(len(said) - GRAM + 1):
            if said[start] not in first:  # a look that spares most of the slices
                continue
            for item in self._grams.get(said[start : start + GRAM], ()):
                begin, end = spans.get(item, (start, start + GRAM))
                # A longer shared run is a row of grams that each begin one word after the last.
                if start + GRAM - 1 <= end:
                    spans[item] = (begin, start + GRAM)
        return {item: " ".join(said[begin:end]) for item, (begin, end) in spans.items()}

    def _pairs(self, said: Words) -> dict[str, str]:
        found: dict[str, str] = {}
        recent: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)  # item -> (start, end, side)
        names = self._names
        for start, word in enumerate(said):
            if word not in names:
                continue
            for name, item, side in names[word]:
                end = start + len(name)
                if said[start:end] != name:
                    continue
                recent[item] = [span for span in recent[item] if start - span[1] <= NEAR]
                for other_start, other_end, other_side in recent[item]:
                    # A name inside the other, as in "watch" and "Seiko watch", is one mention and not two.
                    if other_side != side and other_end <= start:
                        found.setdefault(item, " ".join(said[other_start:end]))
                recent[item].append((start, end, side))
        return found


def _grams(text: Words) -> Iterator[Words]:
    return (text[start : start + GRAM] for start in range(len(text) - GRAM + 1))
