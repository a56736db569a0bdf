"""How much of a text stands in earlier ones, by runs of words, in bounded memory. No I/O."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

SHINGLE_WORDS = 8
MOST_ENTRIES = 500_000
"""Shingles an index holds before it samples them: about 100 MB (ours)."""
CANDIDATES = 16
"""Earlier texts that a sampling index reads again to compare exactly (ours)."""

MOST_CODES = 200_000
"""Words whose hashes are kept: about 30 MB (ours)."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['’][^\W_]+)*")
_PRIME = (1 << 61) - 1
_BASE = 0x9E3779B97F4A7C15 % _PRIME


@lru_cache(maxsize=4)  # every check of a text begins with it
def words_of(text: str) -> tuple[str, ...]:
    """The words of `text` in lower case; a Chinese or Japanese character counts as a word."""
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=4)  # a text is compared and then added
def shingles(text: str, size: int = SHINGLE_WORDS) -> frozenset[int]:
    """61-bit hashes of all runs of `size` words, the same in every process; a shorter text is one run."""
    words = words_of(text)
    if len(_CODES) > MOST_CODES:
        _CODES.clear()
    codes = [_CODES[word] for word in words]
    if not codes:
        return frozenset()
    size = min(size, len(codes))
    leaving = pow(_BASE, size, _PRIME)
    run = 0
    for code in codes[:size]:
        run = (run * _BASE + code) % _PRIME
    found = {run}
    for first, code in zip(codes, codes[size:], strict=False):
        run = (run * _BASE + code - first * leaving) % _PRIME
        found.add(run)
    return frozenset(found)


class _Codes(dict[str, int]):
    """Hash of a word, computed once."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self[word] = code = int.from_bytes(digest) % _PRIME
        return code


_CODES = _Codes()


class OverlapIndex:
    """Texts accepted so far, by shingle: comparing a new one with all of them costs only what they share.

    Exact up to `most` shingles. Beyond, it keeps only shingles whose hash ends in so many zero bits that `most`
    suffice, estimates overlaps from those, and reads the texts that come near the limit again to compare them exactly.
    """

    def __init__(self, text_of: Callable[[int], str], most: int = MOST_ENTRIES) -> None:
        """`text_of(number)` gives a text added before, counted from 0; it is asked only by a sampling index."""
        self._text_of = text_of
        self._most = most
        self._holders: dict[int, list[int]] = {}
        self._entries = 0
        self._sizes: list[int] = []
        self.rate = 1
        """One shingle of so many is kept; a power of two."""

    def highest(self, text: str, limit: float = 0.0) -> float:
        """Largest |A∩B| / min(|A|, |B|) over shingle sets of `text` and any text added before; 0.0 where none was.

        Exact as far as it matters to the question whether it is above `limit`: a sampling index compares exactly what
        may be above it, by three standard errors, and at most CANDIDATES texts.
        """
        own = shingles(text)
        kept = own if self.rate == 1 else [shingle for shingle in own if not shingle & (self.rate - 1)]
        shared = Counter(holder for shingle in kept for holder in self._holders.get(shingle, ()))
        estimates = {holder: count * self.rate / min(len(own), self._sizes[holder]) for holder, count in shared.items()}
        if self.rate == 1:
            return max(estimates.values(), default=0.0)
        near: list[int] = []
        for holder, estimate in estimates.items():
            sample = max(1.0, min(len(own), self._sizes[holder]) / self.rate)
            if estimate + 3 * (max(limit * (1 - limit), 0.01) / sample) ** 0.5 >= limit:
                near.append(holder)
        near = heapq.nlargest(CANDIDATES, near, key=lambda holder: (estimates[holder], -holder))
        return max((_overlap(own, shingles(self._text_of(holder))) for holder in near), default=0.0)

    def add(self, text: str) -> None:
        """Remember `text`."""
        own = shingles(text)
        number = len(self._sizes)
        self._sizes.append(len(own))
        for shingle in own:
            if not shingle & (self.rate - 1):
                self._holders.setdefault(shingle, []).append(number)
                self._entries += 1
        while self._entries > self._most:
            self.rate *= 2
            self._holders = {
                shingle: holders for shingle, holders in self._holders.items() if not shingle & (self.rate - 1)
            }
            self._entries = sum(map(len, self._holders.values()))


def _overlap(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / min(len(one), len(other))
