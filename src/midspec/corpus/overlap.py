"""How much of a text stands in earlier ones, by runs of eight words. Pure functions, no I/O."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

SHINGLE_WORDS = 8
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of `text` in lower case; a Chinese or Japanese character counts as a word."""
    return _WORD.findall(text.lower())


def shingles(text: str) -> frozenset[int]:
    """64-bit hashes of all runs of SHINGLE_WORDS words; a shorter text is one run."""
    words = words_of(text)
    runs = (words[start : start + SHINGLE_WORDS] for start in range(max(1, len(words) - SHINGLE_WORDS + 1)))
    return frozenset(
        int.from_bytes(hashlib.blake2b(" ".join(run).encode(), digest_size=8).digest()) for run in runs if run
    )


class OverlapIndex:
    """Texts accepted so far, by shingle: comparing a new one with all of them costs only what they share."""

    def __init__(self) -> None:
        self._holders: dict[int, list[int]] = {}
        self._sizes: list[int] = []

    def highest(self, text: str) -> float:
        """Largest |A∩B| / min(|A|, |B|) over shingle sets of `text` and any text added before; 0.0 where none was."""
        own = shingles(text)
        shared = Counter(holder for shingle in own for holder in self._holders.get(shingle, ()))
        return max((count / min(len(own), self._sizes[holder]) for holder, count in shared.items()), default=0.0)

    def add(self, text: str) -> None:
        """Remember `text`."""
        own = shingles(text)
        for shingle in own:
            self._holders.setdefault(shingle, []).append(len(self._sizes))
        self._sizes.append(len(own))
