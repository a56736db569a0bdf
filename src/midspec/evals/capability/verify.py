"""Whether an answer keeps to an instruction that a program can check. Pure functions of text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from midspec.records import Row

Kind = Literal[
    "words_at_most", "words_at_least", "words_exactly", "sentences_exactly", "paragraphs_exactly", "lines_exactly",
    "bullets_exactly", "numbered_exactly", "includes", "excludes", "word_exactly", "word_at_least", "uppercase",
    "lowercase", "capitalised", "json_keys", "json_list", "json_values", "starts_with", "ends_with", "quoted",
    "no_commas", "no_digits", "one_of", "integer_between", "title_in_brackets", "sections", "placeholders",
    "alphabetical", "line_starts", "table_columns", "csv_columns", "separated_by", "no_letter", "letters_first",
    "postscript", "numbers_ascending", "code_block", "longest_word",
]  # fmt: skip


class Check(Row):
    """One instruction in a form that can be checked. Which fields it needs follows from `kind`."""

    kind: Kind
    n: int | None = None
    most: int | None = None
    text: str = ""
    texts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        for field in _NEEDS[self.kind]:
            if getattr(self, field) in (None, "", ()):
                raise ValueError(f"a check {self.kind} needs {field}")
        return self


class Verified(NamedTuple):
    """An answer against all instructions of a prompt."""

    strict: bool
    """All are kept, in the answer as it is."""
    loose: bool
    """All are kept once what often stands around an answer is taken away: see `variants`."""
    broken: tuple[str, ...]
    """Kinds of instructions that the answer as it is does not keep."""


def verify(answer: str, checks: tuple[Check, ...]) -> Verified:
    """What an answer makes of its instructions. An empty answer keeps none of them."""
    broken = tuple(check.kind for check in checks if not kept(answer, check))
    loose = any(all(kept(text, check) for check in checks) for text in variants(answer))
    return Verified(not broken, not broken or loose, broken)


_ENTRY = re.compile(r"\s*(?:[-*•|>]|\d{1,3}[.)])")


def variants(answer: str) -> list[str]:
    """The answer as it is, without a first line, without a last one, without both; each without emphasis too.

    A first line such as "Sure, here it is:" and a last one such as "Let me know if ..." break many instructions that
    the text between them keeps. An entry of a list or a table is no such line.
    """
    lines = answer.strip().split("\n")
    first, last = (not _ENTRY.match(line) for line in (lines[0], lines[-1]))
    cut = [answer]
    cut += ["\n".join(lines[1:])] if first else []
    cut += ["\n".join(lines[:-1])] if last else []
    cut += ["\n".join(lines[1:-1])] if first and last else []
    found = [text.strip() for text in cut]
    found += [re.sub(r"\*+", "", text).strip() for text in found]
    return list(dict.fromkeys(text for text in found if text))


def kept(answer: str, check: Check) -> bool:
    """Whether `answer` keeps to one instruction; white space around it does not matter."""
    text = answer.strip()
    return bool(text) and _CHECKS[check.kind](text, check)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def _sentences(text: str) -> int:
    ends = re.sub(r"\b(?:e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|vs|St|No)\.", "", text)
    return len([part for part in re.split(r"[.!?…]+(?=[\"”’')\]]*(?:\s|$))", ends) if re.search(r"\w", part)])


def _paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text) if part.strip()]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _count(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _json(text: str) -> object:
    """The value of a text that is JSON and nothing else, a code fence around it allowed; `...` where it is none."""
    inner = re.sub(r"^```(?:json)?\s*\n(.*?)\n?\s*```$", r"\1", text, flags=re.DOTALL)
    try:
        return json.loads(inner)
    except ValueError:
        return ...


def _json_keys(text: str, check: Check) -> bool:
    value = _json(text)
    return isinstance(value, dict) and set(value) == set(check.texts)


def _json_list(text: str, check: Check) -> bool:
    value = _json(text)
    return isinstance(value, list) and len(value) == check.n and all(isinstance(one, str) and one for one in value)


def _json_values(text: str, check: Check) -> bool:
    """An object all of whose values are numbers (`text` "number") or texts (`text` "string")."""
    value = _json(text)
    if not isinstance(value, dict) or not value:
        return False
    kinds = (int, float) if check.text == "number" else (str,)
    return all(isinstance(one, kinds) and not isinstance(one, bool) for one in value.values())


def _bullets(text: str) -> int:
    return sum(bool(re.match(r"[-*•]\s+\S", line)) for line in _lines(text))


def _numbered(text: str, check: Check) -> bool:
    numbers = [int(found[1]) for line in _lines(text) if (found := re.match(r"(\d{1,3})[.)]\s+\S", line))]
    return numbers == list(range(1, (check.n or 0) + 1))


def _one_of(text: str, check: Check) -> bool:
    return text.strip(" .!\"'").casefold() in {option.casefold() for option in check.texts}


def _integer(text: str, check: Check) -> bool:
    return bool(re.fullmatch(r"-?\d+", text)) and (check.n or 0) <= int(text) <= (check.most or 0)


def _separated(text: str, check: Check) -> bool:
    parts = text.split(check.text)
    return len(parts) == check.n and all(re.search(r"\w", part) for part in parts)


def _alphabetical(text: str, check: Check) -> bool:
    """Lines, or parts between commas where there is one line, in order; `n` of them where it is said."""
    lines = _lines(text)
    parts = [part.strip() for part in text.split(",")] if len(lines) == 1 else lines
    names = [re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", part).casefold() for part in parts]
    return names == sorted(names) and (check.n is None or len(names) == check.n)


def _table(text: str, check: Check) -> bool:
    rows = [line.strip("|").split("|") for line in _lines(text) if line.startswith("|") and line.endswith("|")]
    ruled = len(rows) >= 3 and all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in rows[1])
    return ruled and all(len(row) == check.n for row in rows)


def _csv(text: str, check: Check) -> bool:
    """`n` cells in every line, and at least `most` lines where it is said."""
    lines = _lines(text)
    return all(len(line.split(",")) == check.n for line in lines) and len(lines) >= (check.most or 1)


def _first_letters(text: str, check: Check) -> bool:
    """An acrostic: first letters of the lines spell `text`."""
    return "".join(line[0] for line in _lines(text)).casefold() == check.text.casefold()


def _ascending(text: str, check: Check) -> bool:
    numbers = [int(found) for found in re.findall(r"-?\d+", text)]
    return len(numbers) == check.n and all(a < b for a, b in pairwise(numbers))


_CHECKS: dict[Kind, Callable[[str, Check], bool]] = {
    "words_at_most": lambda text, check: len(_words(text)) <= (check.n or 0),
    "words_at_least": lambda text, check: len(_words(text)) >= (check.n or 0),
    "words_exactly": lambda text, check: len(_words(text)) == check.n,
    "sentences_exactly": lambda text, check: _sentences(text) == check.n,
    "paragraphs_exactly": lambda text, check: len(_paragraphs(text)) == check.n,
    "lines_exactly": lambda text, check: len(_lines(text)) == check.n,
    "bullets_exactly": lambda text, check: _bullets(text) == check.n,
    "numbered_exactly": _numbered,
    "includes": lambda text, check: all(_count(text, word) for word in check.texts),
    "excludes": lambda text, check: not any(_count(text, word) for word in check.texts),
    "word_exactly": lambda text, check: _count(text, check.text) == check.n,
    "word_at_least": lambda text, check: _count(text, check.text) >= (check.n or 0),
    "uppercase": lambda text, check: text == text.upper() and text != text.lower(),
    "lowercase": lambda text, check: text == text.lower() and text != text.upper(),
    "capitalised": lambda text, check: all(word[0].isupper() for word in _words(text) if word[0].isalpha()),
    "json_keys": _json_keys,
    "json_list": _json_list,
    "json_values": _json_values,
    "starts_with": lambda text, check: text.startswith(check.text),
    "ends_with": lambda text, check: text.endswith(check.text),
    "quoted": lambda text, check: len(text) > 2 and text[0] in '"“' and text[-1] in '"”',
    "no_commas": lambda text, check: "," not in text,
    "no_digits": lambda text, check: not re.search(r"\d", text),
    "one_of": _one_of,
    "integer_between": _integer,
    "title_in_brackets": lambda text, check: bool(re.search(r"<<[^<>\n]*\w[^<>\n]*>>", text)),
    "sections": lambda text, check: (
        [int(number) for number in re.findall(rf"^\W*{re.escape(check.text)}\s+(\d+)", text, re.MULTILINE)]
        == list(range(1, (check.n or 0) + 1))
    ),
    "placeholders": lambda text, check: len(re.findall(r"\[[^\[\]\n]*\w[^\[\]\n]*\]", text)) >= (check.n or 0),
    "alphabetical": _alphabetical,
    "line_starts": lambda text, check: all(line.startswith(check.text) for line in _lines(text)),
    "table_columns": _table,
    "csv_columns": _csv,
    "separated_by": _separated,
    "no_letter": lambda text, check: check.text.casefold() not in text.casefold(),
    "letters_first": _first_letters,
    "postscript": lambda text, check: bool(re.search(r"^P\.?\s?S\.?:?\s+\S", text, re.MULTILINE)),
    "numbers_ascending": _ascending,
    "code_block": lambda text, check: bool(re.search(r"^```\w*\n.*?\S.*?\n```\s*$", text, re.DOTALL | re.MULTILINE)),
    "longest_word": lambda text, check: max(map(len, _words(text)), default=0) <= (check.n or 0),
}

_NEEDS: dict[Kind, tuple[str, ...]] = {
    **dict.fromkeys(_CHECKS, ()),
    **dict.fromkeys(
        (
            "words_at_most", "words_at_least", "words_exactly", "sentences_exactly", "paragraphs_exactly",
            "lines_exactly", "bullets_exactly", "numbered_exactly", "json_list", "placeholders", "table_columns",
            "csv_columns", "numbers_ascending", "longest_word",
        ),
        ("n",),
    ),
    **dict.fromkeys(("includes", "excludes", "json_keys", "one_of"), ("texts",)),
    **dict.fromkeys(
        ("starts_with", "ends_with", "line_starts", "no_letter", "letters_first", "json_values"),
        ("text",),
    ),
    **dict.fromkeys(("word_exactly", "word_at_least", "sections", "separated_by"), ("text", "n")),
    "integer_between": ("n", "most"),
}  # fmt: skip
