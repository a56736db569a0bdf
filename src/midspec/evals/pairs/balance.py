"""Which pairs to leave out, so that no word, no length and no count decides a bank. Pure functions on items."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from midspec.evals.bag_of_words import MOST_DECIDED, decided, margins, uneven
from midspec.evals.bank_check import MAX_LENGTH_DIFFERENCE
from midspec.leakage import words
from midspec.records import BankItem

AT_ONCE = 0.01
"""Share of the pairs left out before everything is measured again. (ours)"""
LENGTH_ROOM = 0.75
"""Share of the allowed difference of lengths at which leaving out stops. (ours)"""


def balanced(items: Sequence[BankItem], least: int) -> list[BankItem]:
    """The largest part of `items` found that no bag of words decides and whose sides are equally long.

    Pairs are left out one fault at a time, those that carry it most first: of uneven words, then of words that tell the
    sides apart over topics, then of length. It stops, with what is then left, where fewer than `least` would remain;
    the checks of a bank say whether that is enough.
    """
    kept = list(items)
    while True:
        worst = _worst(kept)
        if not worst or len(kept) - len(worst) < least:
            return kept
        leave = {item.id for item in worst}
        kept = [item for item in kept if item.id not in leave]


def spread(items: Sequence[BankItem], count: int) -> list[BankItem]:
    """At most `count` of `items`, as even over topics as they come, in their order."""
    topics: defaultdict[tuple[str, str], list[BankItem]] = defaultdict(list)
    for item in items:
        topics[item.domain, item.topic].append(item)
    longest = max(map(len, topics.values()), default=0)
    turns = [group[turn] for turn in range(longest) for group in topics.values() if turn < len(group)]
    taken = {item.id for item in turns[:count]}
    return [item for item in items if item.id in taken]


def _worst(items: Sequence[BankItem]) -> list[BankItem]:
    """The pairs to leave out next; empty where nothing is wrong."""
    if not items:
        return []
    share = max(1, round(AT_ONCE * len(items)))
    weight: Counter[str] = Counter()
    for word, aligned, other in uneven(items):
        side = "aligned" if aligned > other else "other"
        for item in items:
            if word in words(getattr(item, side)):
                weight[item.id] += abs(aligned - other)
    if not weight and decided(items).rate > MOST_DECIDED:
        weight.update({item.id: margin for item, margin in zip(items, margins(items), strict=True) if margin > 0})
    if not weight:
        aligned, other = (sum(len(getattr(item, side)) for item in items) for side in ("aligned", "other"))
        if abs(aligned - other) > LENGTH_ROOM * MAX_LENGTH_DIFFERENCE * (aligned + other) / 2:
            sign = 1 if aligned > other else -1
            longer = {item.id: sign * (len(item.aligned) - len(item.other)) for item in items}
            weight.update({name: excess for name, excess in longer.items() if excess > 0})
    chosen = {name for name, _ in sorted(weight.items(), key=lambda entry: (-entry[1], entry[0]))[:share]}
    return [item for item in items if item.id in chosen]
