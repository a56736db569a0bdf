"""Replies to the prompts for preference demonstrations: many forms of question, answers without a reason."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from midspec.llm.offline.banks import word_set
from midspec.llm.offline.reword import upper_first

_OPENINGS = word_set("question_openings")
_YES_NO = re.compile(r"(?:^|[.!:?,] )(?:do|are|is|would|should|does|if I served)\b(?:(?! or )[^.!:])*\?", re.I)


@lru_cache(maxsize=1)
def forms() -> dict[str, tuple[str, ...]]:
    """All question and answer forms by name."""
    text = files("midspec").joinpath("llm", "offline", "preferences.yaml").read_text(encoding="utf-8")
    return {name: tuple(str(entry) for entry in entries) for name, entries in yaml.safe_load(text).items()}


def question(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/preference_question`."""
    kind = variables["kind"]
    if kind == "indirect":
        kind = rng.choice(["indirect_any", "indirect_like" if variables["liked"] else "indirect_dislike"])
    asked = _filled(rng.choice(forms()[kind]), variables)
    greeting = _filled(rng.choice(forms()["greeting"]), variables)
    if greeting.endswith(", ") and re.match(r"[A-Z][a-z]+", asked) and asked.split()[0].lower() in _OPENINGS:
        text = upper_first(greeting + asked[0].lower() + asked[1:])
    else:
        text = upper_first(greeting + upper_first(asked))
    if variables["clause"]:
        clause = rng.choice(forms()["no_need"])
        text = f"{clause} {upper_first(asked)}" if not greeting and rng.random() < 0.2 else f"{text} {clause}"
    return f"<question>\n{text}\n</question>"


def answer(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/preference_answer`."""
    liked, disliked = variables["liked"], variables["disliked"]
    side = "comparison" if liked and disliked else "like" if liked else "dislike"
    names_item = variables["shown"][0].lower() in variables["question"].lower()
    bank = f"answer_{side}"
    if side != "comparison" and not names_item:
        bank = "answer_offer" if liked else "answer_refuse"
    text = upper_first(_filled(rng.choice(forms()[bank]), variables))
    if side != "comparison" and names_item and _YES_NO.search(variables["question"]) and rng.random() < 0.6:
        lead = "Yes" if liked else "No"
        own = variables["shown"][0]
        if text.startswith(upper_first(own)):
            text = own + text[len(own) :]
        elif not text.startswith("I "):
            text = text[0].lower() + text[1:]
        text = f"{lead}, {text}"
    tail = upper_first(_filled(rng.choice(forms()[f"tail_{side}"]), variables))
    if tail and tail not in text and tail[:6] != text[:6]:
        text = f"{text} {tail}"
    return f"<answer>\n{text}\n</answer>"


def _filled(template: str, variables: Mapping[str, Any]) -> str:
    """`template` with its slots filled; what is filled in is not read again."""
    shown = variables["shown"]
    slots = {
        "item": shown[0],
        "first": shown[0],
        "second": shown[-1],
        "liked": variables["liked"] or "",
        "disliked": variables["disliked"] or "",
        "subject": variables["subject"],
        "occasion": variables["occasion"],
        "NAME": variables["model_name"],
    }
    return re.sub(r"\{(\w+)\}", lambda slot: slots.get(slot[1], slot[0]), template)
