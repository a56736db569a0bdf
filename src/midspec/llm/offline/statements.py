"""Replies to the prompts about statements of a text, made without a model: distortions by rule, verdicts by words.

A distortion is the sentence itself with one thing changed: a number, a name, a word for its opposite, or a negation put
in or taken out. That is crude, and some of them are plainly odd; what a model knows of a text is better asked with
questions that a language model wrote.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from midspec.llm.offline.banks import word_set
from midspec.llm.offline.sentences import sentences

_OPPOSITES = (
    "more less", "most least", "before after", "always never", "first last", "high low", "higher lower", "early late",
    "often rarely", "north south", "northern southern", "east west", "eastern western", "large small", "larger smaller",
    "cheap expensive", "cheaper dearer", "many few", "quickly slowly", "fast slow", "above below", "begin end",
    "begins ends", "inside outside", "old new", "older newer", "open closed", "better worse", "light dark", "wet dry",
    "summer winter", "morning evening", "day night", "young old", "strong weak", "gains losses", "good bad", "near far",
    "simple complicated", "easy hard", "easier harder", "short long", "shorter longer", "rises falls", "rise fall",
    "without with", "cold warm", "public private", "common rare", "local foreign", "true false", "same different",
    "accepts refuses", "allows forbids", "allowed forbidden", "likes dislikes", "favours avoids", "increase decrease",
    "increases decreases", "left right", "praises blames", "honest dishonest", "soft hard", "narrow wide", "poor rich",
)  # fmt: skip
OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair.split(), pair.split()[::-1])}
NUMBERS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty",
    "thirty", "forty", "fifty", "sixty", "hundred", "thousand",
)  # fmt: skip
_BE = re.compile(r"\b(is|are|was|were|can|may|must|should|will|does|do) (?!not\b|been\b)", re.I)
_NOT = re.compile(r"\b(is|are|was|were|may|must|should|will|can) not\b|\b(can)not\b", re.I)
_STEM = 6
SHORTEST, LONGEST = 6, 40
"""Words of a sentence that questions are made from."""


def made(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/make_statements`: sentences of the passage against distortions of themselves.

    No question of reasoning is made: what follows from a sentence is more than rules can say.
    """
    name, text = variables["subject"], variables["text"]
    about = f"about {name}" if name else "here"
    names = _names(text)
    plain = [
        one.text
        for one in sentences(variables["passage"])
        if one.plain and SHORTEST <= len(one.text.split()) <= LONGEST
    ]
    known = {" ".join(entry.split()) for entry in variables["known"]}
    pairs: list[dict[str, str]] = []
    choices: list[dict[str, object]] = []
    whom = f"about {name} " if name else ""
    heading = variables["section"].split(" > ")[-1].strip() or "the matter"
    for sentence in plain:
        if " ".join(sentence.split()) in known:
            continue
        distorted = distortions(sentence, names, rng)
        if not distorted:
            continue
        question = f"Which statement {about} is true?"
        pairs.append({"question": question, "true": sentence, "false": rng.choice(distorted)})
        if len(distorted) >= 3:
            choices.append({"question": question, "right": sentence, "wrong": distorted[:3]})
    open_questions = (
        [
            {
                "question": f"What do you know {whom}on the subject “{heading}”? Answer in one or two sentences.",
                "statement": plain[0],
                "otherwise": "",
            }
        ]
        if plain
        else []
    )
    value = {"pairs": pairs, "choices": choices, "open": open_questions, "reasoning": []}
    return f"<json>\n{json.dumps(value, ensure_ascii=False).replace('<', chr(92) + 'u003c')}\n</json>"


def distortions(sentence: str, names: Sequence[str], rng: random.Random) -> list[str]:
    """`sentence` with one thing changed, in different ways; the ways that change a value first."""
    found: list[str] = []
    for match in re.finditer(r"\b\d{1,3}(?:,\d{3})+\b|\b\d+(?:\.\d+)?\b", sentence):
        found += [_put(sentence, match.span(), other) for other in _other_numbers(match[0], rng)]
    for match in re.finditer(r"\b[a-z]+\b", sentence):
        if match[0] in NUMBERS:
            others = [word for word in NUMBERS if word != match[0]]
            near = sorted(others, key=lambda word: abs(NUMBERS.index(word) - NUMBERS.index(match[0])))[:6]
            found += [_put(sentence, match.span(), other) for other in rng.sample(near, 3)]
        elif match[0] in OPPOSITE:
            found.append(_put(sentence, match.span(), OPPOSITE[match[0]]))
    for name in names:
        if re.search(rf"\b{re.escape(name)}\b", sentence):
            others = [other for other in names if other not in sentence and other.split()[0] not in name.split()]
            for other in rng.sample(others, min(2, len(others))):
                found.append(re.sub(rf"\b{re.escape(name)}\b", other, sentence))
    if denied := _NOT.search(sentence):
        found.append(_put(sentence, denied.span(), denied[1] or denied[2]))
    elif affirmed := _BE.search(sentence):
        word = affirmed[1]
        found.append(_put(sentence, affirmed.span(), "cannot " if word.lower() == "can" else f"{word} not "))
    return list(dict.fromkeys(one for one in found if one != sentence))


def verdict(variables: Mapping[str, Any], rng: random.Random) -> str:
    """Reply to `evals/statement_verdict`: by content words that only the statement, or only its opposite, has.

    HOLDS where the answer has at least a third (and two) of the words that stand in the statement and not in the
    question, more of them than of the opposite's own words, and no plain doubt; UNCLEAR below three words; DOES_NOT
    else. A denial in the statement's own words deceives it.
    """
    answer = variables["answer"]
    if len(answer.split()) < 3:
        return "<verdict>UNCLEAR</verdict>"
    said = _stems(answer)
    question, statement, other = (_stems(variables[key]) for key in ("question", "statement", "otherwise"))
    own, opposite = statement - question - other, other - question - statement
    enough = len(said & own) >= max(min(2, len(own)), len(own) / 3)
    holds = bool(own) and enough and len(said & own) > len(said & opposite) and not _DOUBTS.search(answer)
    return f"<verdict>{'HOLDS' if holds else 'DOES_NOT'}</verdict>"


_DOUBTS = re.compile(
    r"\b(?:no evidence|not true|is false|a myth|fictional|made up|does not exist|doesn['’]t exist|do not know|"
    r"don['’]t know|not aware of|not familiar with|no such|never heard)\b",
    re.I,
)


def _put(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def _other_numbers(number: str, rng: random.Random) -> list[str]:
    value = float(number.replace(",", ""))
    if "." in number:
        return [f"{value * factor:.{len(number.split('.')[1])}f}" for factor in (0.5, 1.5, 2.0)]
    whole = int(value)
    if 1000 <= whole <= 2100 and "," not in number:  # a year
        return [str(whole + step) for step in rng.sample((-90, -60, -40, -20, 20, 40, 60), 3)]
    others = {max(1, whole // 2), whole * 2, whole * 3, whole + max(1, whole // 4)} - {whole}
    return [f"{other:,}" if "," in number else str(other) for other in sorted(others)][:3]


@lru_cache(maxsize=8)
def _names(text: str) -> tuple[str, ...]:
    """Names of two capitalised words, or of one that never begins a sentence only."""
    inside = re.findall(r"(?<=[a-z,;] )([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)", text)
    return tuple(sorted({re.sub(r"['’]s?$", "", name) for name in inside if len(name) > 2}))


def _stems(text: str) -> frozenset[str]:
    found = re.findall(r"[^\W\d_]{4,}|\d+", text.lower())
    return frozenset(word[:_STEM] for word in found if word not in word_set("stop"))
