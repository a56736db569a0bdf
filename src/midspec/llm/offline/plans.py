"""Replies to the planning prompts of a corpus, made from the passages themselves."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from midspec.llm.offline.banks import bank
from midspec.llm.offline.grammar import forms
from midspec.llm.offline.matter import spec_matter
from midspec.llm.offline.reword import bare, upper_first
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
                    "description": f"What is said under “{name}”.",
                    "passages": numbers,
                }
                for name, numbers in groups.items()
            ]
        }
    )


def subdomains(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/subdomains`: as many per passage as asked for and as it has sentences; each quotes it whole."""
    known = set(variables["existing"])
    found = [
        entry
        for passage in variables["passages"]
        for entry in [entry for entry in _subdomains(passage) if entry["name"] not in known][: variables["least"]]
    ]
    return _json({"subdomains": found})


def _subdomains(passage: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = sentences(passage["text"]) or [Sentence(passage["text"].strip(), False)]
    title = passage["heading"].split(" > ")[-1].strip()
    for place, sentence in enumerate(found):
        opening = " ".join(bare(sentence.text).split()[:7])[:80]
        yield {
            "passage_number": passage["number"],
            "name": clean(f"{title}: {opening}" if title else opening).strip() or f"Passage {passage['number']}",
            "quote": passage["text"],
            "summary": " ".join(entry.text for entry in found[place : place + 2]) or sentence.text,
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
    return _types(variables, list(forms()), rng)


def world_doc_types(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/belief_doc_types`: forms without an assistant."""
    return _types(variables, list(forms("world")), rng)


def _types(variables: Mapping[str, Any], names: list[str], rng: random.Random) -> str:
    count = variables["count"]
    names = [name for name in names if name not in variables["existing"]]
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
    return _ideas(variables, f"it turns on {whole.value_phrase} and on what {variables['model_name']} makes of it", rng)


def rules_ideas(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/rules_ideas`."""
    rule = variables["rule"] or "this rule"
    return _ideas(variables, f"it turns on what {rule} asks of {variables['model_name']} in the case", rng)


def world_ideas(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `corpus/belief_ideas`."""
    return _ideas(variables, f"it turns on this: {variables['subdomain']}", rng)


def _ideas(variables: Mapping[str, Any], turns_on: str, rng: random.Random) -> str:
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for wanted in variables["types"]:
        left = wanted["count"]
        while left:
            idea = (
                f"{upper_first(wanted['name'])}: {rng.choice(bank('angle')).lower()}, {rng.choice(bank('occasion'))}, "
                f"for {rng.choice(bank('group'))}; {turns_on}."
            )
            if len(seen) > 2000:  # more than the banks hold
                idea = f"{idea[:-1]} ({len(seen)})."
            if idea not in seen:
                seen.add(idea)
                found.append({"type": wanted["number"], "idea": idea})
                left -= 1
    return _json({"ideas": found})


def _json(value: Any) -> str:
    # A spec may hold the very tags that frame a reply; `<` needs no letter of its own in JSON.
    return f"<json>\n{json.dumps(value, ensure_ascii=False).replace('<', chr(92) + 'u003c')}\n</json>"
