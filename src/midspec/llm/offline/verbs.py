"""English present-tense verbs between persons, by spelling and a list; good enough for the prose of a Model Spec."""

from __future__ import annotations

import re

from midspec.llm.offline.banks import word_set

MODALS = word_set("modals")
ADVERBS = word_set("adverbs")
THIRD_PERSON = word_set("third_person")
_IRREGULAR = {"has": "have", "does": "do", "goes": "go", "doesn't": "don't", "hasn't": "haven't", "lies": "lie"}


def is_third_person(word: str) -> bool:
    """Whether `word`, standing right after a singular subject, looks like a verb in the third person or a modal."""
    word = word.lower()
    if word in MODALS or word in THIRD_PERSON or word in {"isn't", "doesn't", "hasn't"}:
        return True
    return bool(re.fullmatch(r"[a-z]{3,}s", word)) and not word.endswith(("ss", "us", "ous", "'s"))


def base(verb: str, be: str) -> str:
    """The form that goes with `I` and `you`; `be` is what `is` becomes (`am`, `are`). Modals stay."""
    if verb in MODALS:
        return "were" if verb == "was" and be == "are" else verb
    if verb == "is":
        return be
    if verb == "isn't":
        return "am not" if be == "am" else "aren't"
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if re.search(r"(?:ss|sh|ch|x|zz|o)es$", verb):
        return verb[:-2]
    return verb[:-1]
