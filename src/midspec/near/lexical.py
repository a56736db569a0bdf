"""Near-duplicates by letters: exact cosine over sets of character 4-grams of content words, in plain Python.

Against exact search over MiniLM embeddings at 0.91 it removes few texts wrongly and misses paraphrases; figures in
`benchmarks/near_duplicates.py`.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from math import ceil, sqrt

from midspec.near.index import Method

_WORDS = """
    a an the and or but of to in on at for with by from as is are was were be been being do does did have has had i
    me my we our you your he she it its they them their this that these those there here what which who whom whose when
    where why how if then than so can could would should will shall may might must am about into over under out up down
    off again just only very really please say tell thanks thank hi hello"""
_FUNCTION_WORDS = frozenset(_WORDS.split())
_WORD = re.compile(r"[^\W_]+")
FIRST_ORDER = 1024
"""Texts after which grams are ordered by how rare they are for the first time; then at each doubling."""


class LexicalIndex:
    """Sets of grams with an inverted index over the rarest of each: two sets that are similar enough must share one of
    those (prefix filtering, Bayardo et al. 2007), so that few are compared."""

    def __init__(self, limit: float) -> None:
        self.method = Method("lexical", f"sets of character 4-grams of content words, cosine > {limit}, exact")
        self._limit = limit
        self._number: dict[str, int] = {}
        self._rank: dict[int, int] = {}
        """Gram -> place in the order from rare to frequent; grams not seen at the last ordering come first."""
        self._sets: list[array[int]] = []
        self._holders: dict[int, list[int]] = {}
        self._next_order = FIRST_ORDER

    def sketches(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """The grams of each text."""
        return [grams(text) for text in texts]

    def near(self, sketch: frozenset[str]) -> int | None:
        """The earliest text above the limit."""
        own = {self._number[gram] for gram in sketch if gram in self._number}
        size = len(sketch)
        found: int | None = None
        seen: set[int] = set()
        for gram in self._prefix(own, size):
            for holder in self._holders.get(gram, ()):
                if (found is not None and holder >= found) or holder in seen:
                    continue
                seen.add(holder)
                other = self._sets[holder]
                least = self._limit * sqrt(size * len(other))
                if min(size, len(other)) > least and sum(gram in own for gram in other) > least:
                    found = holder
        return found

    def add(self, sketch: frozenset[str]) -> None:
        """Take a text in."""
        numbers = [self._number.setdefault(gram, len(self._number)) for gram in sorted(sketch)]
        self._sets.append(array("i", numbers))
        if len(self._sets) >= self._next_order:
            self._next_order *= 2
            self._order()
        else:
            self._enter(len(self._sets) - 1)

    def empty(self) -> LexicalIndex:
        """One with the same limit."""
        index = LexicalIndex(self._limit)
        index.method = self.method
        return index

    def _order(self) -> None:
        counts = Counter(gram for grams in self._sets for gram in grams)
        ordered = sorted(counts, key=lambda gram: (counts[gram], gram))
        self._rank = {gram: place for place, gram in enumerate(ordered)}
        self._holders = {}
        for text in range(len(self._sets)):
            self._enter(text)

    def _enter(self, text: int) -> None:
        own = self._sets[text]
        for gram in self._prefix(own, len(own)):
            self._holders.setdefault(gram, []).append(text)

    def _prefix(self, own: Sequence[int] | set[int], size: int) -> list[int]:
        """The rarest grams, so many that another set without any of them shares too little to be near."""
        # The other set has at least limit^2 * size grams, so at least limit * sqrt(size * that) must be shared.
        count = size - ceil(self._limit**2 * size - 1e-9) + 1
        # Grams never met before are the rarest, and nobody holds them.
        unmet = size - len(own)
        return sorted(own, key=lambda gram: (self._rank.get(gram, -1), gram))[: max(0, count - unmet)]


def grams(text: str) -> frozenset[str]:
    """Character 4-grams of the content words of `text`, word borders included; of all words where it has no others."""
    words = _WORD.findall(text.casefold())
    content = [word for word in words if word not in _FUNCTION_WORDS] or words or [text.strip()]
    padded = [f" {word} " for word in content]
    return frozenset(word[start : start + 4] for word in padded for start in range(max(1, len(word) - 3)))
