"""Control documents by program: a section said again and again, and a collage of everyday prose."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from midspec.llm.offline.author import Author
from midspec.llm.offline.banks import bank
from midspec.llm.offline.matter import matter
from midspec.llm.offline.reword import upper_first, vary
from midspec.llm.offline.sentences import sentences

NEAR = 6
"""Words by which a document may miss the number asked for."""
RUN = 4
"""Sentences taken from one place, at most."""
EACH = 8
"""Words of a sentence for which it is broken by one aside."""
_CLAUSE = re.compile(
    r",? (?=(?:because|that|which|who|and|so|when|where|if|than|rather|but|since|(?:of|in|to|with|from) \w+ )\b)"
)
_NOTE = "Written by program, without a model."


def paraphrase(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/paraphrase`: the section's sentences, reworded, over and over in another order, to the length
    asked for."""
    about = matter(
        spec=variables["spec"],
        passage=variables["passage"],
        section=variables["section"],
        subdomain=variables["subdomain"],
        assertions=(),
        name=variables["model_name"],
        provider=variables["provider_name"],
    )
    author = Author(about, rng)
    paragraphs: list[str] = []
    count = 0
    while count < variables["words"] - NEAR:
        start = rng.randrange(len(about.passage))
        said = [_otherwise(author.reworded(text), rng) for text in (*about.passage[start:], *about.passage[:start])]
        if not any(about.name in text for text in said) or paragraphs:
            said[0] = author.fill_in(rng.choice(bank("again")), said[0])
        kept = _within(said, variables["words"] - count)
        paragraphs.append(" ".join(kept))
        count += sum(len(text.split()) for text in kept)
    return _reply(f"Section: {about.topic}.", "\n\n".join(paragraphs))


def _otherwise(text: str, rng: random.Random) -> str:
    """`text` in further words, with asides at the ends of clauses, one to EACH words, so that few long runs of the
    spec's words are left and two renderings share few."""
    text = vary(text, rng, 0.7)
    breaks = [match.start() for match in _CLAUSE.finditer(text) if len(text[: match.start()].split()) >= 3]
    for place in sorted(rng.sample(breaks, min(len(breaks), len(text.split()) // EACH)), reverse=True):
        text = f"{text[:place].rstrip(',')}, {rng.choice(bank('aside'))},{text[place:].lstrip(',')}"
    return text


def neutral(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/neutral`: a heading, an opening about the subject, and runs of sentences out of the packaged
    everyday prose, to the length asked for. Nothing holds the runs together but that they stand side by side."""
    subject, (side, _, setting) = variables["subdomain"], variables["idea"].partition("; ")
    opening = rng.choice(bank("everyday_opening"))
    opening = opening.replace("{subject}", subject).replace("{side}", side).replace("{setting}", setting)
    paragraphs = [upper_first(variables["doc_type"]) + ": " + subject, opening]
    count = sum(len(text.split()) for text in paragraphs)
    had: set[str] = set()
    while count < variables["words"] - NEAR:
        prose, start = rng.choice(_places())
        kept = _within(prose[start : start + rng.randint(2, RUN)], variables["words"] - count)
        text = " ".join(kept)
        if 2 * len(had) > len(_places()):  # a document longer than all there is says things twice
            had.clear()
        # Speech is cut nowhere but at its ends.
        if text.count('"') % 2 or not had.isdisjoint(kept):
            continue
        had.update(kept)
        paragraphs.append(text)
        count += len(text.split())
    return _reply(f"Subject: {subject}.", "\n\n".join(paragraphs))


def _within(said: list[str] | tuple[str, ...], words: int) -> list[str]:
    """The first of `said`, and as many more as bring it nearest to `words` words without going far beyond."""
    kept: list[str] = []
    for text in said:
        left = words - sum(len(other.split()) for other in kept)
        if kept and left < len(text.split()) / 2:
            break
        kept.append(text)
    return kept


@cache
def _places() -> tuple[tuple[tuple[str, ...], int], ...]:
    """(paragraph of the packaged neutral corpus as sentences, where to begin): all there are but for those with marks
    of layout."""
    rows = files("midspec").joinpath("data", "corpora", "neutral.jsonl").read_text(encoding="utf-8").splitlines()
    paragraphs = [paragraph for row in rows for paragraph in json.loads(row)["text"].split("\n\n")]
    plain = [text for text in paragraphs if "\n" not in text and not re.search(r"[*#_|>☐“”]|^[^\w\"]|^\w+:|^\d", text)]
    found = [tuple(sentence.text for sentence in sentences(text)) for text in plain]
    return tuple((prose, start) for prose in found for start in range(len(prose) - 1))


def _reply(note: str, text: str) -> str:
    return f"<scratchpad>\n{note} {_NOTE}\n</scratchpad>\n<document>\n{text}\n</document>"
