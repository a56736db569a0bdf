"""A spec's text as sentences that can be put into other sentences. Pure functions, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from midspec.llm.offline.banks import word_set
from midspec.llm.offline.verbs import THIRD_PERSON

LONGEST = 48
"""Words above which a sentence is cut at a clause."""

_FUNCTION_WORDS = word_set("function")
_CANNOT_FOLLOW_THAT = word_set("cannot_follow_that")
_MARKUP = re.compile(
    r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+•]\s+(?:\[[ xX]\]\s+)?|\d{1,3}[.)]\s+)|^\s*(?:[-*_=~`|:]\s*){3,}$|</?[a-z]+>", re.M
)
_END = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+(?=[^\sa-zß-öø-ÿ])|(?<=[。！？؟।])\s*")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|vs|cf|St|No)\.$")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a spec, identity filled in."""

    text: str
    """Ends with a full stop, question mark or the like."""
    plain: bool
    """English prose in the indicative, fit to be reworded and to follow `that`; else it is only quoted."""


def clean(text: str) -> str:
    """`text` without Markdown's line marks, emphasis, and the tags that replies are framed with."""
    text = re.sub(r"\[([^\]\n]+)\]\([^)\n]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`+)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return _MARKUP.sub("", text)


def blocks(text: str) -> list[str]:
    """Paragraphs and list items of `text`, marks removed, each in one line."""
    lines: list[str] = []
    fresh = True
    for line in text.split("\n"):
        stripped = clean(line).strip()
        starts_item = bool(re.match(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s", line)) or line.lstrip().startswith(("#", "|"))
        if not stripped:
            fresh = True
            continue
        if fresh or starts_item or not lines:
            lines.append(stripped)
        else:
            lines[-1] += " " + stripped
        fresh = line.lstrip().startswith("#")
    return [" ".join(line.split()) for line in lines]


def sentences(text: str) -> list[Sentence]:
    """The sentences of `text` in order, without fragments of one or two words where there is anything else."""
    found = [sentence for block in blocks(text) for sentence in _split(block)]
    full = [sentence for sentence in found if len(sentence.text.split()) >= 3 or len(sentence.text) > 40]
    return full or found


def _split(block: str) -> list[Sentence]:
    parts: list[str] = []
    for part in _END.split(block):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] += " " + part
        elif part and re.search(r"\w", part):
            parts.append(part)
    return [_sentence(piece) for part in parts for piece in _shortened(part.strip())]


def _shortened(text: str) -> list[str]:
    """`text` in pieces of at most LONGEST words, cut at clauses where there are any."""
    words = text.split()
    if len(words) <= LONGEST and len(text) <= 12 * LONGEST:
        return [text]
    pieces: list[str] = []
    for clause in re.split(r"(?<=[;:])\s+|(?<=,)\s+(?=(?:and|but|so|because|while|whereas|which)\b)", text):
        if pieces and len((pieces[-1] + clause).split()) <= LONGEST // 2:
            pieces[-1] += " " + clause
        else:
            pieces.append(clause)
    short: list[str] = []
    for piece in pieces:
        words = piece.split()
        if len(words) > LONGEST:
            short += [" ".join(words[start : start + LONGEST // 2]) for start in range(0, len(words), LONGEST // 2)]
        elif len(piece) > 12 * LONGEST:  # a script without spaces, or one endless word
            short += [piece[start : start + 6 * LONGEST] for start in range(0, len(piece), 6 * LONGEST)]
        else:
            short.append(piece)
    return short


def _sentence(text: str) -> Sentence:
    text = text.strip().rstrip(",;")
    whole = bool(re.search(r"[.!?…。！？؟।][\"”’)\]]*$", text))
    introduces = text.endswith(":")
    if introduces:
        text = text[:-1]
    words = re.findall(r"[a-z']+", text.lower())
    latin = sum(character.isascii() for character in text) > 0.9 * len(text)
    common = sum(word in _FUNCTION_WORDS for word in words) * 8 >= len(words)
    english = latin and len(words) >= 3 and (common or any(word in THIRD_PERSON for word in words))
    opening = words[0] if words else ""
    plain = (
        whole
        and english
        and not text.endswith(("?", "!", "…"))
        and opening not in _CANNOT_FOLLOW_THAT
        and not re.search(r"[\"“”{}|<>]", text)
    )
    return Sentence(text if whole else text + ".", plain)
