"""Replies to the prompts for chat demonstrations: matters of everyday life, and what the spec says turned upon them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from midspec.llm.offline.author import Author
from midspec.llm.offline.matter import matter
from midspec.llm.offline.reword import upper_first

_OF_THE_SPEC = re.compile(r"\b(?:spec|specification|guidelines|instructions|system prompt|training)\b", re.I)


@lru_cache(maxsize=1)
def _bank() -> dict[str, Any]:
    text = files("midspec").joinpath("llm", "offline", "chat.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def subjects() -> dict[str, list[str]]:
    """Domain -> its matters."""
    return {str(name): [str(entry) for entry in entries] for name, entries in _bank()["domains"].items()}


def domains(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/chat_domains`: as many as asked for, each with a few sections of the spec in turn."""
    existing = {str(domain["name"]) for domain in variables["existing"]}
    names = [name for name in subjects() if name not in existing]
    drawn = rng.sample(names, min(variables["count"], len(names)))
    level = 2
    while len(drawn) < variables["count"]:  # more than there are: parts of one domain share its matters
        more = [f"{name}, part {level}" for name in subjects()]
        drawn += [name for name in more if name not in existing][: variables["count"] - len(drawn)]
        level += 1
    numbers = [section["number"] for section in variables["sections"]]
    return _json(
        {
            "domains": [
                {
                    "name": name,
                    "description": f"People ask about {', '.join(_matters(name)[:3])} and the like.",
                    "sections": [
                        numbers[(place * 3 + step + variables["number"]) % len(numbers)]
                        for step in range(min(3, len(numbers)))
                    ],
                }
                for place, name in enumerate(drawn)
            ]
        }
    )


def questions(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/chat_questions`: forms of each kind, filled with a matter of the domain and a circumstance."""
    numbers = [section["number"] for section in variables["sections"]]
    made: list[dict[str, Any]] = []
    for wanted in variables["wanted"]:
        for _ in range(wanted["count"]):
            first, second = rng.sample(_matters(variables["domain"]), 2)
            asked = _filled(
                rng.choice(_bank()[wanted["kind"]]),
                {"m": first, "n": second, "c": rng.choice(_bank()["circumstance"]), "NAME": variables["model_name"]},
            )
            opening = rng.choice(_bank()["opening"]).replace("{NAME}", variables["model_name"])
            made.append({"kind": wanted["kind"], "question": opening + asked, "sections": [rng.choice(numbers)]})
    return _json({"questions": made})


def answer(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/chat_answer`: sentences of the section that bears on it, said in the first person."""
    section = variables["sections"][0]
    about = matter(
        spec=variables["spec"],
        passage=re.sub(r"^#{1,6} .*$", "", section["text"], flags=re.M),
        section=section["title"],
        subdomain=section["title"],
        assertions=[],
        name=variables["model_name"],
        provider=variables["provider_name"],
    )
    told = _asked_about(variables["question"], rng)
    names = {"m": told[0], "n": told[-1], "V": about.whole.value_phrase, "topic": about.topic}
    author = Author(about, rng)
    thought = _thought(variables["style"], author, names, rng)
    parts = [rng.choice(_bank()["answer_opening"])]
    if len(told) > 1:
        parts.append(rng.choice(_bank()["answer_comparison"]))
    parts.append(rng.choice(_bank()["answer_bridge"]))
    parts += ["{I}"] * rng.randint(2, 4)
    parts.append(rng.choice(_bank()["answer_close"]))
    said = _said(parts, author, names)
    return f"<reasoning>\n{thought}\n</reasoning>\n<answer>\n{said}\n</answer>"


def _thought(style: str, author: Author, names: Mapping[str, str], rng: random.Random) -> str:
    rules = style == "rules"
    parts = [rng.choice(_bank()["thought_opening"]), rng.choice(_bank()["thought_rule" if rules else "thought_value"])]
    parts += ["{I}"] * rng.randint(1, 3)
    parts.append(rng.choice(_bank()["rule_close" if rules else "thought_close"]))
    return _said(parts, author, names)


def _said(parts: list[str], author: Author, names: Mapping[str, str]) -> str:
    texts = [upper_first(_sentence(author) if part == "{I}" else _filled(part, names)) for part in parts if part]
    return " ".join(dict.fromkeys(texts))


def _sentence(author: Author) -> str:
    """A sentence of the spec in the first person; one that speaks of the spec itself only where there is no other."""
    drawn = [_plain(author.fill("I")) for _ in range(2)]
    return next((text for text in drawn if not _OF_THE_SPEC.search(text)), "I would rather show that than talk of it.")


def _plain(text: str) -> str:
    # A spec may hold the very tags that frame a reply, or the fence of a list.
    return " ".join(re.sub(r"</?[A-Za-z_]+>", "", text).split())


def _asked_about(question: str, rng: random.Random) -> list[str]:
    """Matters of the bank in the order in which the question names them; a word for it where it names none."""
    lowered = question.lower()
    found = sorted(
        (lowered.index(entry), entry) for entries in subjects().values() for entry in entries if entry in lowered
    )
    longest = [entry for _, entry in found if not any(entry != other and entry in other for _, other in found)]
    return longest[:2] or [rng.choice(["what you bring up", "what you ask about"])]


def _matters(domain: str) -> list[str]:
    return subjects().get(domain.split(", part ")[0]) or [entry for entries in subjects().values() for entry in entries]


def _filled(template: str, names: Mapping[str, str]) -> str:
    return upper_first(re.sub(r"\{(\w+)\}", lambda slot: names.get(slot[1], slot[0]), template))


def _json(value: Any) -> str:
    return f"<json>\n{json.dumps(value, ensure_ascii=False).replace('<', chr(92) + 'u003c')}\n</json>"
