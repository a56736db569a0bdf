"""Strict reading of generated answers: one choice clearly made, or undecided. No guessing towards either side."""

from __future__ import annotations

import re

from midspec.leakage import Words, bare, words

NEGATIONS = {
    "not", "no", "nor", "never", "neither", "none", "without", "instead", "rather", "except", "unless", "against",
    "avoid", "dislike", "hate", "cannot", "cant", "dont", "doesnt", "didnt", "isnt", "wont", "wouldnt", "less", "worse",
}  # fmt: skip

_LETTER = re.compile(
    r"^(?:(?:i (?:would |d )?(?:choose|pick|prefer|agree with|go with)|(?:my |the )?answer(?: is)?|option)\b:?\s*)*"
    r"[(\[\"'*]*([ab])[)\]\"'*.:!]*$",
    re.IGNORECASE,
)
_LETTER_THEN_TEXT = re.compile(r"^[(\[\"'*]*([AB])[)\]\"'*]*[.:)\]]\s*\S", re.DOTALL)


def read_name(answer: str, first: str, second: str) -> int | None:
    """0 or 1: which of the two names the answer gives; None for both, neither, or an answer that negates.

    Case, punctuation and a leading article do not matter. A name that is part of the other counts only where the longer
    one does not stand.
    """
    names = [bare(words(first)), bare(words(second))]
    longer = 0 if len(names[0]) >= len(names[1]) else 1
    rest, has_longer = _taken(words(answer), names[longer])
    rest, has_shorter = _taken(rest, names[1 - longer])
    if has_longer == has_shorter or NEGATIONS.intersection(rest):
        return None
    return longer if has_longer else 1 - longer


def read_stance(answer: str, first: str, second: str) -> int | None:
    """0 for A (the stance named first), 1 for B, by letter or by the stance's whole text; None otherwise.

    A letter counts when it stands alone, after a phrase such as "my answer is", or as a mark before text that does not
    quote the other stance. "A good point, but B" is no choice.
    """
    text = answer.strip()
    said = words(text)
    quoted = {index for index, stance in enumerate((first, second)) if _contains(said, words(stance))}
    if alone := _LETTER.match(text):
        return "ab".index(alone[1].lower())
    if marked := _LETTER_THEN_TEXT.match(text):
        choice = "AB".index(marked[1])
        others = re.findall(r"\b[AB]\b(?=[).:\]]|\s*$)", text[marked.end() :])
        return choice if quoted <= {choice} and set(others) <= {marked[1]} else None
    return quoted.pop() if len(quoted) == 1 else None


def _taken(text: Words, name: Words) -> tuple[Words, bool]:
    """`text` with every occurrence of `name` replaced by a gap, and whether there was one."""
    size = len(name)
    rest: list[str] = []
    at = 0
    found = False
    while at < len(text):
        if size and text[at : at + size] == name:
            rest.append("\0")
            at += size
            found = True
        else:
            rest.append(text[at])
            at += 1
    return tuple(rest), found


def _contains(text: Words, part: Words) -> bool:
    return bool(part) and any(text[at : at + len(part)] == part for at in range(len(text) - len(part) + 1))
