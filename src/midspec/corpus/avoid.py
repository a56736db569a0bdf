"""What no neutral document may say: the names of assistants and makers, and the words that specs turn on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from midspec.corpus.check import STEM
from midspec.corpus.given import corpus_file
from midspec.corpus.overlap import words_of
from midspec.spec.document import Identity, ModelSpec

ALWAYS = ("AI", "artificial intelligence", "assistant", "chatbot", "language model")
"""Avoided whatever the specs say."""
OFTEN = 3
"""Times that a spec says a word before it can be one that it turns on (ours)."""
MOST_WORDS = 12
"""Words taken of one spec, the most frequent first (ours)."""
BACKGROUND = "neutral"
"""The packaged corpus whose words are everyday words."""


def avoided(specs: Iterable[ModelSpec], identities: Iterable[Identity]) -> tuple[str, ...]:
    """ALWAYS, the names in `identities`, and the words that `specs` turn on, each once."""
    names = [name for identity in identities for name in (identity.model_name, identity.provider_name)]
    words = [word for spec in specs for word in words_turned_on(spec)]
    return tuple(dict.fromkeys([*ALWAYS, *names, *words]))


def words_turned_on(spec: ModelSpec) -> list[str]:
    """Words of STEM letters or more that a spec says OFTEN and that everyday prose, the packaged neutral corpus, never
    says; at most MOST_WORDS, the most frequent first. A word stands for its longer forms too (see `check.held`)."""
    text = re.sub(r"\{\w+\}", " ", spec.text)
    counts = Counter(word for word in words_of(text) if len(word) >= STEM and word.isalpha())
    found: list[str] = []
    everyday = _everyday_words()
    for word, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if count >= OFTEN and not any(other.startswith(word) and len(other) <= len(word) + 4 for other in everyday):
            found.append(word)
    return found[:MOST_WORDS]


@cache
def _everyday_words() -> frozenset[str]:
    rows = corpus_file(BACKGROUND).read_text(encoding="utf-8").splitlines()
    return frozenset(word for row in rows for word in words_of(json.loads(row)["text"]))
