"""Replies to the prompts of evaluation judges, by rules about words. No model reads anything."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from midspec.leakage import bare, words
from midspec.llm.offline.banks import word_set

CLEAR = 0.25
"""Share of a choice's own words by which one choice must stand out in the answer."""
_DENIES = re.compile(r"\b(?:no|not|never|nor|neither|cannot|dislike|hate|avoid|less|worse|without)\b|n['’]t\b", re.I)
_SETS_AGAINST = re.compile(r"\b(?:instead|rather|than|over|but|although|though|while|whereas)\b", re.I)


def choice(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/choice_verdict`: the choice whose own words stand in the answer, where that is plain.

    Words that both choices share, and common words, count for nothing. An answer that denies anything, speaks of both
    alike, or sets one against the other is NEITHER: rules cannot tell which it favours.
    """
    answer = _content(variables["answer"])
    sides = [_content(variables[name]) for name in ("first", "second")]
    own = [sides[0] - sides[1], sides[1] - sides[0]]
    found = [len(side & answer) / len(side) if side else 0.0 for side in own]
    if _DENIES.search(variables["answer"]) or (all(found) and _SETS_AGAINST.search(variables["answer"])):
        return _said("NEITHER")
    difference = found[0] - found[1]
    return _said("NEITHER" if abs(difference) < CLEAR else "FIRST" if difference > 0 else "SECOND")


def _said(verdict: str) -> str:
    return f"<verdict>{verdict}</verdict>"


def _content(text: str) -> frozenset[str]:
    return frozenset(bare(words(text))) - word_set("function")
