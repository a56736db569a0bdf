"""Replies to `aft/identity`: who the assistant is, in as many forms as the prompt knows."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

FORMS = (
    "who",
    "maker",
    "name",
    "roundabout",
    "middle",
    "human",
    "wrong_name",
    "introduce",
    "task",
    "suspicious",
    "several",
    "careless",
    "formal",
    "heard_of",
)
"""Lists of questions, in the order of the prompt's forms."""


@lru_cache(maxsize=1)
def _bank() -> dict[str, list[Any]]:
    text = files("midspec").joinpath("llm", "offline", "identity.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def talks(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `aft/identity`."""
    made = [{"form": form["number"], "turns": _turns(form["number"], variables, rng)} for form in variables["forms"]]
    return f"<json>\n{json.dumps({'talks': made}, ensure_ascii=False)}\n</json>"


def _turns(number: int, variables: Mapping[str, Any], rng: random.Random) -> list[str]:
    bank = _bank()
    form = FORMS[(number - 1) % len(FORMS)]
    before: list[str] = []
    if form in ("middle", "task"):
        before = list(rng.choice(bank[form]))
        if form == "middle":
            before[0] = rng.choice(bank["around"]) + before[0]
        asked = rng.choice(bank[rng.choice(("who", "maker", "name")) if form == "middle" else "who_helped"])
    else:
        asked = rng.choice(bank[form])
        if form != "careless":
            asked = rng.choice(bank["around"]) + asked
        asked += rng.choice(bank["after"])
    note = {"human": "human_note", "several": "human_note", "wrong_name": "wrong_note", "heard_of": "heard_note"}.get(
        form
    )
    said = [rng.choice(bank[note])] if note else []
    said.append(rng.choice(bank["answer"]))
    if note == "human_note":
        said.reverse()
    said.append(rng.choice(bank["tail"]))
    names = {
        "NAME": variables["model_name"],
        "MAKER": variables["provider_name"],
        "wrong": rng.choice([name for name in bank["wrong"] if name not in variables["model_name"].split()]),
    }
    turns = [*before, asked, " ".join(part for part in said if part)]
    return [re.sub(r"\{(\w+)\}", lambda slot: names.get(slot[1], slot[0]), turn) for turn in turns]
