"""The document writer: a form, a passage and a seed in, a scratchpad and a document out."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from midspec.llm.offline.author import Author
from midspec.llm.offline.grammar import Form, expand, forms
from midspec.llm.offline.matter import Matter, matter, rule_matter
from midspec.llm.offline.sentences import clean

FEWEST_WORDS = 130
MOST_WORDS = 265
"""Length of a document, where the spec's sentences allow it."""
_SPEECH_STOP = re.compile(r"\.”(?= (?:said|answered|asked|was what|was the answer|we heard|it said)\b)")


def document(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/document`, and to `corpus/rewrite`: the draft is part of the chance it is written anew by."""
    return _reply(form_named(variables["doc_type"], rng), _matter(variables, variables["model_name"]), rng)


def rules_document(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/rules_document` and `corpus/rules_rewrite`: the same forms, with a rule for a reason."""
    about = rule_matter(_matter(variables, variables["model_name"]), variables["rule"])
    return _reply(form_named(variables["doc_type"], rng), about, rng)


def world_document(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/belief_document` and `corpus/belief_rewrite`: forms that do without an assistant."""
    about = replace(_matter(variables, ""), voice="world")
    return _reply(form_named(variables["doc_type"], rng, "world"), about, rng)


def _matter(variables: Mapping[str, Any], name: str) -> Matter:
    return matter(
        spec=variables["spec"],
        passage=variables["passage"],
        section=variables["section"],
        subdomain=variables["subdomain"],
        assertions=variables["assertions"],
        name=name,
        provider=variables["provider_name"] if name else "",
    )


def _reply(form: Form, about: Matter, rng: random.Random) -> str:
    text, _ = compose(form, about, rng)
    note = f"Form: {form.name}. Passage: {clean(about.topic)}. Written by program, without a model."
    return f"<scratchpad>\n{note}\n</scratchpad>\n<document>\n{text}\n</document>"


def compose(form: Form, about: Matter, rng: random.Random) -> tuple[str, float]:
    """(document, share of its words that come from the spec or state the assistant's value).

    Written anew, longer or shorter, until its length fits; the nearest to the bounds is kept where none does.
    """
    seed = rng.getrandbits(64)
    best: tuple[int, str, float] | None = None
    more, step = 0, 0
    for _ in range(8):
        chance = random.Random(seed)
        author = Author(about, chance)
        text = _SPEECH_STOP.sub(",”", expand(form, author.fill, chance, more))
        count = len(text.split())
        miss = max(FEWEST_WORDS - count, count - MOST_WORDS, 0)
        if best is None or miss < best[0]:
            best = (miss, text, author.taught_words / max(1, count))
        direction = 1 if count < FEWEST_WORDS else -1
        if miss == 0 or (step and direction != step):
            break
        step = direction
        more += direction
    assert best is not None
    return best[1], best[2]


def form_named(doc_type: str, rng: random.Random, folder: str = "forms") -> Form:
    """The form of that name, qualifiers dropped; any form for a type the offline writer did not name itself."""
    known = forms(folder)
    name = doc_type.split(", ")[0].strip().lower()
    return known[name] if name in known else known[rng.choice(list(known))]
