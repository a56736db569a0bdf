"""Whether single words decide the pairs of a bank: what a reader without the value could learn from other topics.

Pure functions on items. A bank can be fair pair by pair and still say "plastic" on one side only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log
from typing import NamedTuple

from midspec.leakage import words
from midspec.records import BankItem

MOST_DECIDED = 0.58
"""Share of pairs that naive Bayes may get right, ties as half; chance is 0.5. (ours)"""
OFTEN = 4
"""Pairs in which a word stands before its sides are compared. (ours)"""
EVEN = (0.3, 0.7)
"""Share of the aligned side among the answers that hold a word. (ours)"""
_TIE = 1e-9


class Decided(NamedTuple):
    """Pairs of a bank by what naive Bayes says of them."""

    right: int
    tied: int
    """Neither answer has a word that told anything; half of them count as right."""
    wrong: int

    @property
    def rate(self) -> float:
        """Share of right pairs, ties as half; 0.5 for no pairs."""
        total = self.right + self.tied + self.wrong
        return (self.right + self.tied / 2) / total if total else 0.5


class Uneven(NamedTuple):
    """A word that stands on one side more often."""

    word: str
    aligned: int
    other: int


def decided(items: Sequence[BankItem]) -> Decided:
    """What naive Bayes on single words makes of the pairs of each topic, learnt from all other topics."""
    found = Counter(0 if abs(margin) < _TIE else 1 if margin > 0 else -1 for margin in margins(items))
    return Decided(found[1], found[0], found[-1])


def margins(items: Sequence[BankItem]) -> list[float]:
    """Of each pair, by how much its words say that the aligned answer is the aligned one; below 0 where they do not.

    In nats: the log-odds of the aligned answer less those of the other. Multinomial naive Bayes with add-one smoothing;
    only words seen in other topics count.
    """
    topics: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        topics[item.domain, item.topic].append(number)
    everything = _Counts.of(items)
    found = [0.0] * len(items)
    for group in topics.values():
        rest = everything.less(_Counts.of([items[number] for number in group]))
        odds = rest.word_odds()
        for number in group:
            aligned, other = (
                sum(odds.get(word, 0.0) for word in words(side))
                for side in (items[number].aligned, items[number].other)
            )
            found[number] = aligned - other
    return found


def uneven(items: Sequence[BankItem]) -> list[Uneven]:
    """Words of at least OFTEN pairs whose share of the aligned side is outside EVEN, most frequent first."""
    pairs: Counter[str] = Counter()
    sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for item in items:
        both = set(words(item.aligned)), set(words(item.other))
        pairs.update(both[0] | both[1])
        for count, side in zip(sides, both, strict=True):
            count.update(side)
    often = [Uneven(word, sides[0][word], sides[1][word]) for word, count in pairs.items() if count >= OFTEN]
    low, high = EVEN
    return sorted(
        (word for word in often if not low <= word.aligned / (word.aligned + word.other) <= high),
        key=lambda word: (-word.aligned - word.other, word.word),
    )


class _Counts(NamedTuple):
    """Words of the aligned and of the other answers."""

    aligned: Counter[str]
    other: Counter[str]

    @classmethod
    def of(cls, items: Sequence[BankItem]) -> _Counts:
        aligned = Counter(word for item in items for word in words(item.aligned))
        return cls(aligned, Counter(word for item in items for word in words(item.other)))

    def less(self, part: _Counts) -> _Counts:
        return _Counts(self.aligned - part.aligned, self.other - part.other)

    def word_odds(self) -> dict[str, float]:
        """Log-odds of each word that an answer with it is an aligned one."""
        known = self.aligned.keys() | self.other.keys()
        sizes = [count.total() + len(known) for count in self]
        return {
            word: log((self.aligned[word] + 1) / sizes[0]) - log((self.other[word] + 1) / sizes[1]) for word in known
        }
