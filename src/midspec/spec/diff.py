"""What is different between two specs: sentences aligned, told by section, with figures of length and overlap. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from midspec.records import Row, Section
from midspec.spec.document import ModelSpec
from midspec.spec.prose import blocks, body_start, heading, word_count

Op = Literal["same", "changed", "removed", "added", "moved"]
ALIKE = 0.5
"""Share of words in common from which on two sentences count as one that was changed. (ours)"""
SHINGLE = 5
"""Words in a row whose recurrence `overlap` counts. (ours)"""
TOP = "(before the first heading)"


class Piece(Row):
    """Words in a row of a changed sentence."""

    op: Literal["same", "removed", "added"]
    text: str


class Change(Row):
    """One sentence, or a pair of them."""

    op: Op
    """`moved`: word for word in another place; told where it now stands, and as `removed` nowhere."""
    a: str | None
    """As the first spec has it; None for `added`."""
    b: str | None
    """As the second spec has it; None for `removed`."""
    pieces: tuple[Piece, ...] = ()
    """Of `changed`: word by word."""


class SectionChange(Row):
    """A section of either spec, with its sentences in order."""

    title: str
    """Heading path in one line, placeholders unfilled; the second spec's where it has the section."""
    was: str | None = None
    """The first spec's heading path, where the heading was reworded over sentences that stayed."""
    status: Literal["same", "changed", "removed", "added"]
    changes: tuple[Change, ...]

    def count(self, op: Op) -> int:
        """Sentences of one kind."""
        return sum(change.op == op for change in self.changes)


class Side(Row):
    """One of the two specs, in figures."""

    name: str
    sha256: str
    words: int
    """Of the whole file, between white space."""
    characters: int
    sections: int
    sentences: int


class SpecDiff(Row):
    """Two specs beside one another."""

    a: Side
    b: Side
    sections: tuple[SectionChange, ...]
    counts: dict[Op, int]
    """Sentences by what became of them."""
    length_ratio: float
    """Words of the second for each word of the first."""
    kept: float
    """Share of the first spec's sentences that stand in the second word for word, moved ones too; 0-1."""
    overlap: float
    """Rows of SHINGLE words that both have, as a share of those that either has (Jaccard); 0-1."""

    @property
    def equal(self) -> bool:
        """Whether the texts are the same, byte by byte."""
        return self.a.sha256 == self.b.sha256


class _Line(NamedTuple):
    section: int
    text: str


def diff(a: ModelSpec, b: ModelSpec) -> SpecDiff:
    """What became of each sentence of `a` in `b`. Sections are told in the order of `b`; those that are gone stand
    where they were. Headings pair sections, and where a heading changed, its sentences do."""
    lines_a, lines_b = _lines(a), _lines(b)
    keys_a, keys_b = ([line.text for line in lines] for lines in (lines_a, lines_b))
    told: list[tuple[_Place, Change]] = []
    for op, a0, a1, b0, b1 in SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_opcodes():
        if op == "equal":
            told += [
                (_Place(lines_a[a0 + n].section, lines_b[b0 + n].section), Change(op="same", a=text, b=text))
                for n, text in enumerate(keys_a[a0:a1])
            ]
        else:
            told += _replaced(lines_a[a0:a1], lines_b[b0:b1])
    reworded = _reworded(a, b, told)
    told = _with_moves(_elsewhere(a, b, told, reworded))
    counts = Counter(change.op for _, change in told)
    stays = counts["same"] + counts["moved"]
    return SpecDiff(
        a=_side(a, len(lines_a)),
        b=_side(b, len(lines_b)),
        sections=tuple(_sections(a, b, told, reworded)),
        counts={op: counts[op] for op in ("same", "changed", "removed", "added", "moved")},
        length_ratio=word_count(b.text) / max(1, word_count(a.text)),
        kept=stays / max(1, len(lines_a)),
        overlap=_overlap(a.text, b.text),
    )


class _Place(NamedTuple):
    """Sections that a change belongs to; None where a spec has no part in it."""

    a: int | None
    b: int | None


def _lines(spec: ModelSpec) -> list[_Line]:
    return [_Line(block.section, sentence.plain) for block in blocks(spec) for sentence in block.sentences]


def _side(spec: ModelSpec, sentences: int) -> Side:
    return Side(
        name=spec.name,
        sha256=spec.sha256,
        words=word_count(spec.text),
        characters=len(spec.text),
        sections=len(spec.sections),
        sentences=sentences,
    )


def _replaced(a: Sequence[_Line], b: Sequence[_Line]) -> list[tuple[_Place, Change]]:
    """A stretch of sentences against another one: in order, the most alike are paired."""
    told: list[tuple[_Place, Change]] = []
    start = 0
    for line in a:
        best = max(
            range(start, len(b)), key=lambda n: (_likeness(line.text, b[n].text), -n), default=None
        )  # fmt: skip
        if best is None or _likeness(line.text, b[best].text) < ALIKE:
            told.append((_Place(line.section, None), Change(op="removed", a=line.text, b=None)))
            continue
        told += [(_Place(None, new.section), Change(op="added", a=None, b=new.text)) for new in b[start:best]]
        pieces = tuple(_pieces(line.text, b[best].text))
        told.append(
            (_Place(line.section, b[best].section), Change(op="changed", a=line.text, b=b[best].text, pieces=pieces))
        )
        start = best + 1
    return told + [(_Place(None, new.section), Change(op="added", a=None, b=new.text)) for new in b[start:]]


def _likeness(a: str, b: str) -> float:
    """Twice the words in common over all words; 1 for the same words."""
    one, two = _bag(a), _bag(b)
    return 2 * (one & two).total() / max(1, one.total() + two.total())


@lru_cache(maxsize=4096)
def _bag(text: str) -> Counter[str]:
    return Counter(text.lower().split())


def _pieces(a: str, b: str) -> list[Piece]:
    one, two = a.split(), b.split()
    found: list[Piece] = []
    for op, a0, a1, b0, b1 in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(Piece(op="same", text=" ".join(one[a0:a1])))
        else:
            found += [Piece(op="removed", text=" ".join(one[a0:a1]))] if a1 > a0 else []
            found += [Piece(op="added", text=" ".join(two[b0:b1]))] if b1 > b0 else []
    return found


def _titles(spec: ModelSpec) -> list[str]:
    return [section.title or TOP for section in spec.sections]


def _reworded(a: ModelSpec, b: ModelSpec, told: list[tuple[_Place, Change]]) -> dict[str, str]:
    """Title in the first spec -> title in the second, of sections whose heading alone was reworded: all sentences of
    the one that are still there came to the other, or, without sentences, the headings are alike."""
    one, two = _titles(a), _titles(b)
    pairs = {
        (one[place.a], two[place.b])
        for place, change in told
        if change.op in ("same", "changed") and place.a is not None and place.b is not None
    }
    froms, tos = Counter(old for old, _ in pairs), Counter(new for _, new in pairs)
    found = {
        old: new
        for old, new in sorted(pairs)
        if froms[old] == tos[new] == 1 and old != new and old not in two and new not in one
    }
    bare_a = [section for section in a.sections if section.title not in {*two, *found, *froms}]
    bare_b = [section for section in b.sections if section.title not in {*one, *found.values(), *tos}]
    for new in bare_b:
        for old in bare_a:
            alike = _likeness(heading(old), heading(new)) >= ALIKE
            if old.level == new.level and old.title not in found and alike and not _said(a, old) and not _said(b, new):
                found[old.title] = new.title
                break
    return found


def _said(spec: ModelSpec, section: Section) -> bool:
    return bool(spec.text[body_start(section) : section.span[1]].strip())


def _elsewhere(
    a: ModelSpec, b: ModelSpec, told: list[tuple[_Place, Change]], reworded: dict[str, str]
) -> list[tuple[_Place, Change]]:
    """A sentence that stayed in the row and came under another heading was moved, unless the heading was reworded."""
    one, two = _titles(a), _titles(b)
    result: list[tuple[_Place, Change]] = []
    for place, change in told:
        if change.op == "same" and place.a is not None and place.b is not None:
            old, new = one[place.a], two[place.b]
            if reworded.get(old, old) != new:
                change = Change(op="moved", a=change.a, b=change.b)
        result.append((place, change))
    return result


def _with_moves(told: list[tuple[_Place, Change]]) -> list[tuple[_Place, Change]]:
    """A sentence that is removed here and added there was moved: it is told once, where it now stands."""
    gone = Counter(change.a for _, change in told if change.op == "removed")
    come = Counter(change.b for _, change in told if change.op == "added")
    moved = gone & come
    forget = Counter(moved)
    result: list[tuple[_Place, Change]] = []
    for place, change in told:
        if change.op == "removed" and forget[change.a]:
            forget[change.a] -= 1
        elif change.op == "added" and moved[change.b]:
            moved[change.b] -= 1
            result.append((place, Change(op="moved", a=change.b, b=change.b)))
        else:
            result.append((place, change))
    return result


def _sections(
    a: ModelSpec, b: ModelSpec, told: list[tuple[_Place, Change]], reworded: dict[str, str]
) -> list[SectionChange]:
    """Changes by section, in the order of `b`; what only `a` has stands behind what it followed there."""
    one, two = [reworded.get(title, title) for title in _titles(a)], _titles(b)
    ordered = list(dict.fromkeys(two))
    for number, title in enumerate(one):
        if title not in ordered:
            before = ordered.index(one[number - 1]) + 1 if number else 0
            ordered.insert(before, title)
    of_title: dict[str, list[Change]] = {title: [] for title in ordered}
    for place, change in told:
        title = two[place.b] if place.b is not None else one[place.a or 0]
        of_title[title].append(change)
    was = {new: old for old, new in reworded.items()}
    return [
        SectionChange(
            title=title, was=was.get(title), status=_status(title, one, two, was, changes), changes=tuple(changes)
        )
        for title, changes in of_title.items()
    ]


def _status(
    title: str, one: list[str], two: list[str], was: dict[str, str], changes: list[Change]
) -> Literal["same", "changed", "removed", "added"]:
    if title not in one:
        return "added"
    if title not in two:
        return "removed"
    return "same" if title not in was and all(change.op == "same" for change in changes) else "changed"


def _overlap(a: str, b: str) -> float:
    one, two = (_shingles(text) for text in (a, b))
    return len(one & two) / max(1, len(one | two))


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))}
