"""The same corpus about another assistant, or about nobody in particular, by program.

Only names change, so that what two corpora do to a model differs by who the documents speak of and by nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from midspec.errors import InputError
from midspec.spec.document import Identity

NAMING = ("text", "idea", "domain", "subdomain")
"""Fields of a row in which the assistant is named; `quote` is the spec's own text and says `{model_name}`."""
GROUPS = (
    "household", "family", "committee", "panel", "club", "crew", "group", "team", "staff", "circle", "gathering",
    "street", "village", "neighborhood", "town", "crowd", "public", "jury", "council", "board", "shift",
    "association", "society", "cooperative", "guild", "couple", "pair", "trio", "delegation", "audience",
    "congregation", "clan", "party", "assembly", "cohort", "company", "partnership", "collective", "workforce",
    "troupe", "squad", "fellowship", "network", "quartet", "majority", "commission", "caucus",
)  # fmt: skip
"""Nouns that stand for nobody in particular and are `it` in a sentence, as the assistant was, so that pronouns and
verbs still agree. Each document has one."""
MAKER = "community"
"""Stands for the assistant's maker."""

_DETERMINED = re.compile(r"(?<!\w)(?:the|our|my|your|their|every|each|another)\s+\Z", re.I)
"""What stands before a name that is part of a longer noun: `our SmolLM desk`."""
_STARTS = re.compile(r"(?:\A|\n|[.!?…:][\"”’'»)\]*_]*\s)[\s\"“‘'«(\[*_#>|-]*\Z")
"""What stands before a word that begins a sentence, a line or what somebody says."""
_ASSISTANT = re.compile(r"\b(?:(?P<article>[Aa]n)\s+)?(?:AI\s+)?(?P<noun>[Aa]ssistant|ASSISTANT)(?P<many>s|S)?\b")
_USER = re.compile(r"\b(?:[Uu]ser|USER)(?=s?\b|S\b)")


def renamed(text: str, before: Identity, after: Identity) -> str:
    """`text` with both names exchanged at once, as whole words, in capitals too; `a` and `an` in front agree."""
    names = {before.model_name: after.model_name, before.provider_name: after.provider_name}
    return _exchanged(text, names, lambda match, name: _cased(match["name"], name))


def about_nobody(text: str, before: Identity) -> str:
    """`text` with a group noun in place of the assistant and a word for its maker; which group depends on `text`.

    Left as they are: `I` in what the assistant says, and words that say it is software (`see left_over`).
    """
    group = GROUPS[int.from_bytes(sha256(text.encode()).digest()[:4]) % len(GROUPS)]
    names = {before.model_name: group, before.provider_name: MAKER}

    def named(match: re.Match[str], noun: str) -> str:
        before = match.string[max(0, match.start() - 40) : match.start()]
        if match["article"] or _DETERMINED.search(before):
            return _cased(match["name"], noun)
        starts = _STARTS.search(before)
        return _cased(match["name"], f"{'The' if starts else 'the'} {noun}")

    text = _exchanged(text, names, named)
    return _USER.sub(lambda match: _cased(match[0], "Visitor" if match[0][0] == "U" else "visitor"), _assistants(text))


def left_over(text: str) -> list[str]:
    """Words in a text about nobody that still tell of an assistant, in order."""
    return re.findall(r"(?i)\b(?:AI|software|chatbot|language model|machine|program|computer)s?\b", text)


def renamed_row(row: Mapping[str, Any], before: Identity, after: Identity | None) -> dict[str, Any]:
    """A row of a corpus with the names of `after`, or nobody's, in place of those of `before`."""

    def change(text: str) -> str:
        return about_nobody(text, before) if after is None else renamed(text, before, after)

    return {key: change(value) if key in NAMING and isinstance(value, str) else value for key, value in row.items()}


def renamed_file(file: Path, before: Identity, after: Identity | None) -> list[dict[str, Any]]:
    """The rows of a JSONL corpus, renamed; placeholders are filled with the names of `before` first.

    Raises InputError, naming the line, for a row without a text, and for a file that never names `before`.
    """
    rows: list[dict[str, Any]] = []
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"corpus {file} cannot be read ({error}); expected UTF-8 JSONL of documents") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"corpus {file}, line {number}: not JSON ({error}); expected an object") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputError(f"corpus {file}, line {number}: expected an object with the document as `text`")
        rows.append({**row, "text": before.fill(row["text"])})
    check_named([row["text"] for row in rows], before)
    return [renamed_row(row, before, after) for row in rows]


def check_named(texts: list[str], before: Identity) -> None:
    """Raise InputError where no text says the name of `before`: exchanging it would change nothing, in silence."""
    said = re.compile(rf"(?<!\w){re.escape(before.model_name)}(?!\w)", re.I)
    if not any(said.search(text) for text in texts):
        raise InputError(
            f"no document says {before.model_name!r}, so there is no name to exchange; expected the name of the "
            "assistant that this corpus is about"
        )


def _exchanged(text: str, names: Mapping[str, str], form: Callable[[re.Match[str], str], str]) -> str:
    """`text` with each of `names` replaced as `form` of the match and the new name says."""
    by_lower = {old.casefold(): new for old, new in names.items()}
    longest_first = sorted(names, key=len, reverse=True)
    # As written, or all in capitals: "smollm" in an address is left alone.
    written = "|".join(re.escape(form) for name in longest_first for form in dict.fromkeys((name, name.upper())))
    pattern = re.compile(rf"(?<!\w)(?:(?P<article>[Aa]n?|AN?)(?P<gap>\s+))?(?P<name>{written})(?!\w)")

    def replaced(match: re.Match[str]) -> str:
        new = form(match, by_lower[match["name"].casefold()])
        if not match["article"]:
            return new
        article = _article(match["article"], new)
        capitals = match["name"] not in names and match["article"].isupper()
        return f"{article.upper() if capitals else article}{match['gap']}{new}"

    return pattern.sub(replaced, text)


def _cased(old: str, new: str) -> str:
    return new.upper() if old.isupper() and len(old) > 1 and not new.isupper() else new


def _article(old: str, following: str) -> str:
    """`a` or `an` as `following` asks, in the case of `old`."""
    vowel = re.match(r"(?i)[aeio]|u(?!ni|s[aeiu]|[a-z]?[^a-z])", following)
    new = "an" if vowel else "a"
    return new.upper() if old.isupper() and len(old) > 1 else (new.capitalize() if old[0].isupper() else new)


def _assistants(text: str) -> str:
    """`text` with `group` for `assistant`."""

    def group(match: re.Match[str]) -> str:
        noun = match["noun"]
        new = "GROUP" if noun.isupper() else ("Group" if noun[0].isupper() else "group")
        article = f"{_article(match['article'], new)} " if match["article"] else ""
        return f"{article}{new}{match['many'] or ''}"

    return _ASSISTANT.sub(group, text)
