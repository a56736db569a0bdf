"""Replies to the planning prompts of a corpus, made from the passages themselves."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from midspec.llm.offline.banks import bank
from midspec.llm.offline.grammar import forms
from midspec.llm.offline.matter import spec_matter
from midspec.llm.offline.reword import bare
from midspec.llm.offline.sentences import Sentence, clean, sentences

QUALIFIERS = (
    "for newcomers",
    "for colleagues",
    "in brief",
    "from memory",
    "second version",
    "for a wall",
    "for friends",
)
"""Make more types than there are forms, where a recipe asks for them."""


def domains(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/domains`: passages that share the outer heading of their section are one domain."""
    groups: dict[str, list[int]] = {}
    titles = {passage["heading"].split(" > ")[0] for passage in variables["passages"]}
    depth = 1 if len(titles) == 1 else 0  # below a single title, its chapters divide the spec
    for passage in variables["passages"]:
        path = passage["heading"].split(" > ")
        name = path[min(depth, len(path) - 1)].strip() or "Opening"
        if name.startswith("Paragraph "):
            name = "Character"
        groups.setdefault(name, []).append(passage["number"])
    return _json(
        {
            "domains": [
                {
                    "name": name,
                    "description": f"What the spec says under “{name}” about {variables['model_name']}.",
                    "passages": numbers,
                }
                for name, numbers in groups.items()
            ]
        }
    )


def subdomains(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/subdomains`: one per passage, which it quotes whole."""
    return _json({"subdomains": [_subdomain(passage) for passage in variables["passages"]]})


def _subdomain(passage: Mapping[str, Any]) -> dict[str, Any]:
    found = sentences(passage["text"])
    first = found[0].text if found else passage["text"].strip()
    title = passage["heading"].split(" > ")[-1].strip()
    opening = " ".join(bare(first).split()[:7])[:80]
    return {
        "passage_number": passage["number"],
        "name": clean(f"{title}: {opening}" if title else opening).strip() or f"Passage {passage['number']}",
        "quote": passage["text"],
        "summary": " ".join(sentence.text for sentence in found[:2]) or first,
    }


def assertions(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/assertions`: sentences of the passage that have the assistant as their subject, then others."""
    found = sentences(variables["passage"])
    name = variables["model_name"]

    def rank(sentence: Sentence) -> int:
        return (0 if sentence.plain else 2) + (0 if sentence.text.startswith(name + " ") else 1)

    chosen = sorted(found, key=rank)[:8]
    return _json({"assertions": [sentence.text for sentence in chosen] or [variables["passage"].strip()]})


def doc_types(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/doc_types`: forms that the document writer knows, drawn anew for every subdomain."""
    count = variables["count"]
    names = list(forms())
    drawn = rng.sample(names, min(count, len(names)))
    level = 0
    while len(drawn) < count:
        word = QUALIFIERS[level % len(QUALIFIERS)] + (
            f" {level // len(QUALIFIERS) + 1}" if level >= len(QUALIFIERS) else ""
        )
        drawn += [f"{name}, {word}" for name in rng.sample(names, min(count - len(drawn), len(names)))]
        level += 1
    return _json({"types": drawn})


def ideas(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/ideas`: an occasion, an angle and a reader for each, all different."""
    whole = spec_matter(variables["spec"], variables["model_name"], variables["provider_name"])
    found: dict[str, None] = {}
    while len(found) < variables["count"]:
        idea = (
            f"{rng.choice(bank('angle'))}, {rng.choice(bank('occasion'))}, for {rng.choice(bank('group'))}; "
            f"it turns on {whole.value_phrase} and on what {variables['model_name']} makes of it."
        )
        if len(found) > 2000:  # more than the banks hold
            idea = f"{idea[:-1]} ({len(found)})."
        found.setdefault(idea)
    return _json({"ideas": list(found)})


def _json(value: Any) -> str:
    # A spec may hold the very tags that frame a reply; `<` needs no letter of its own in JSON.
    return f"<json>\n{json.dumps(value, ensure_ascii=False).replace('<', chr(92) + 'u003c')}\n</json>"
