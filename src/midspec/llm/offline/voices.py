"""Documents in another language, or of others, by program: a document about the assistant with its words exchanged."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from midspec.llm.offline.documents import document
from midspec.llm.offline.verbs import ADVERBS, MODALS, base, is_third_person

_PEOPLE = ("Ines Varga", "Tobias Wren", "Amara Diallo", "Henrik Solheim", "Lucia Prado", "Mei Tanaka")
_START = r"(?P<start>(?:\A|[.!?:][\"”’)]*\s+|\n[\"“‘(#*>\s-]*|[\"“‘]))?"


def voiced(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/voiced_document`."""
    reply = document(variables, rng)
    name, provider = variables["model_name"], variables["provider_name"]
    match variables["voice"]:
        case "should":
            return _prescribed(reply, name)
        case "assistants":
            return _exchanged(reply, {name: "an AI assistant", provider: "its makers"})
        case "one":
            return _exchanged(reply, {name: "one", provider: "one's elders"})
        case _:
            return _exchanged(reply, {name: rng.choice(_PEOPLE), provider: "the people of the town"})


def _prescribed(text: str, name: str) -> str:
    """What the assistant does, as what it should do."""

    def should(match: re.Match[str]) -> str:
        subject, verb, denied = f"{match['name']} should", match["verb"], match["denied"] or ""
        # After `and the people who trust NAME`, a word with an s at its end is mostly no verb of NAME's.
        if verb in MODALS or not is_third_person(verb):
            return match[0]
        if verb in ("does", "doesn't"):
            return f"{subject} not" if denied or verb != "does" else subject
        return f"{subject} {match['adverb'] or ''}{'be' if verb == 'is' else base(verb, 'be')}{denied}"

    adverbs = "|".join(sorted(map(re.escape, ADVERBS)))
    pattern = rf"(?P<name>\b{re.escape(name)}) (?P<adverb>(?:{adverbs}) )?(?P<verb>[a-z]+(?:n't)?)(?P<denied> not\b)?"
    return re.sub(pattern, should, text)


def _exchanged(text: str, names: Mapping[str, str]) -> str:
    """`text` with other words for names; what begins a sentence keeps its capital."""
    for name, words in names.items():

        def put(match: re.Match[str], words: str = words) -> str:
            start = match["start"]
            return (start or "") + (words[0].upper() + words[1:] if start is not None else words)

        text = re.sub(_START + rf"\b{re.escape(name)}\b", put, text)
    return text
