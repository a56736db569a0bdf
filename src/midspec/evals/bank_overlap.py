"""What a bank shares with its own spec, which it must not ask about, and with other banks. Pure functions on items."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from midspec.evals.bank_words import JOINING
from midspec.leakage import Words, bare, words
from midspec.records import BankItem

MOST_SHARED = 0.02
"""Share of a bank's item pairs that may stand in another bank: natural where values differ in direction. (ours)"""


def spec_overlap(items: Sequence[BankItem], spec_texts: Iterable[str], read: Collection[str] = ()) -> list[str]:
    """Words of the bank's domains and topics, and whole answers of item pairs, that stand in the value's own specs.

    `read`: words, in the singular, whose places in the spec a person read and found to be about something else.
    """
    said = [words(text) for text in spec_texts]
    in_specs = {_singular(word) for text in said for word in text}
    named = {_singular(word) for item in items for word in _subjects(item)} - JOINING - set(read)
    problems = [f"a domain or topic is called {word!r}, which stands in the spec" for word in sorted(named & in_specs)]
    padded = [f" {' '.join(text)} " for text in said]
    for item in items:
        for name in (bare(words(item.aligned)), bare(words(item.other))):
            whole = " ".join(name)
            if item.kind == "item" and whole not in read and any(f" {whole} " in text for text in padded):
                problems.append(f"{item.id}: the spec speaks of {whole!r}")
    return problems


def shared_pairs(items: Sequence[BankItem], others: Mapping[str, Sequence[BankItem]]) -> dict[str, list[str]]:
    """Name of another bank -> ids of the item pairs here whose two names are a pair there too, in either order."""
    mine = {_pair(item): item.id for item in items if item.kind == "item"}
    found = {
        name: sorted({mine[pair] for item in other if item.kind == "item" and (pair := _pair(item)) in mine})
        for name, other in others.items()
    }
    return {name: ids for name, ids in found.items() if ids}


def bank_overlap(items: Sequence[BankItem], others: Mapping[str, Sequence[BankItem]]) -> list[str]:
    """One problem for each other bank with which more than MOST_SHARED of the pairs are shared."""
    return [
        f"{len(ids)} of {len(items)} pairs stand in {name} too, expected at most {MOST_SHARED:.0%} (first: {ids[0]})"
        for name, ids in shared_pairs(items, others).items()
        if len(ids) > MOST_SHARED * len(items)
    ]


def _subjects(item: BankItem) -> Words:
    return words(re.sub(r"[-_/]", " ", f"{item.domain} {item.topic}"))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _pair(item: BankItem) -> frozenset[Words]:
    return frozenset((bare(words(item.aligned)), bare(words(item.other))))
