"""A spec's prose as blocks and sentences, each with its exact place, and edits that leave no holes. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from midspec.records import Section, Span
from midspec.spec.document import ModelSpec

_ITEM = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+•][ \t]+|\d{1,3}[.)][ \t]+)")
_FENCE = re.compile(r"[ \t]{0,3}(?:```|~~~)")
_END = re.compile(r"(?:(?<=[.!?…])[\"”’)\]*_]*\s+(?=[^\sa-zß-öø-ÿ])|(?<=[。！？؟।])\s*)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|vs|cf|St|No)\.|\b[A-Z]\.)$")


@dataclass(frozen=True)
class Sentence:
    """One sentence, without the mark of its list item."""

    span: Span
    text: str
    """Verbatim, placeholders unfilled: `spec.text[span[0]:span[1]]`."""

    @property
    def plain(self) -> str:
        """In one line, for comparison."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Block:
    """A paragraph, a list item or a fenced code block of one section."""

    section: int
    """Index in `spec.sections`."""
    span: Span
    """With the item's mark."""
    sentences: tuple[Sentence, ...]
    item: bool = False
    code: bool = False


@lru_cache(maxsize=16)
def blocks(spec: ModelSpec) -> tuple[Block, ...]:
    """The blocks of all sections in file order, headings left out; fenced code is one block of one sentence."""
    return tuple(block for index, section in enumerate(spec.sections) for block in _blocks(spec.text, index, section))


def body_start(section: Section) -> int:
    """Offset in the file of what follows the section's heading (one line, or two in setext form)."""
    if not section.level:
        return section.span[0]
    lines = section.text.split("\n")
    marked = lines[0].lstrip().startswith("#")
    return min(section.span[0] + sum(len(line) + 1 for line in lines[: 1 if marked else 2]), section.span[1])


def heading(section: Section) -> str:
    """The heading itself, empty where there is none."""
    return section.path[-1] if section.level else ""


def word_count(text: str) -> int:
    """Words between white space, as all lengths of specs are told."""
    return len(text.split())


def without(spec: ModelSpec, dropped: Callable[[Sentence], bool]) -> str:
    """The spec's text without the sentences for which `dropped` says so; a block that loses all of its own goes whole.

    Headings stay, except those under which nothing is left that had something before.
    """
    edits: list[tuple[Span, str]] = []
    left = [0] * len(spec.sections)
    had = [0] * len(spec.sections)
    for block in blocks(spec):
        gone = [dropped(sentence) for sentence in block.sentences]
        had[block.section] += 1
        left[block.section] += not all(gone)
        if all(gone):
            edits.append((block.span, ""))
            continue
        kept = [sentence.text for sentence, out in zip(block.sentences, gone, strict=True) if not out]
        if any(gone):
            edits.append(((block.sentences[0].span[0], block.sentences[-1].span[1]), " ".join(kept)))
    for index, section in enumerate(spec.sections):
        under = [i for i in range(index, len(spec.sections)) if _within(spec.sections[i], section)]
        if section.level and any(had[i] for i in under) and not any(left[i] for i in under):
            edits.append(((section.span[0], body_start(section)), ""))
    return edited(spec.text, edits)


def edited(text: str, edits: Iterable[tuple[Span, str]]) -> str:
    """`text` with each span replaced; where that leaves more than one blank line, one stays. Spans must not overlap."""
    parts: list[str] = []
    position = 0
    for (start, end), new in sorted(edits):
        assert start >= position, "edits overlap"
        parts += [text[position:start], new]
        position = end
    parts.append(text[position:])
    return re.sub(r"\n[ \t]*\n(?:[ \t]*\n)+", "\n\n", "".join(parts)).strip() + "\n"


def _within(section: Section, ancestor: Section) -> bool:
    return section.path[: len(ancestor.path)] == ancestor.path and section.span[0] >= ancestor.span[0]


def _blocks(text: str, index: int, section: Section) -> list[Block]:
    found: list[Block] = []
    start = position = body_start(section)
    fenced = item = False
    open_block = False
    for line in text[position : section.span[1]].splitlines(keepends=True):
        fence = bool(_FENCE.match(line))
        new_item = bool(_ITEM.match(line)) and not fenced
        if open_block and not fenced and (not line.strip() or new_item or fence):
            found += _block(text, index, (start, position), item)
            open_block = False
        if fence:
            if fenced:
                span = (start, position + len(line.rstrip("\n")))
                found.append(Block(index, span, (Sentence(span, text[slice(*span)]),), code=True))
                open_block = False
            else:
                start = position
            fenced = not fenced
        elif line.strip() and not fenced and not open_block:
            start, open_block, item = position, True, new_item
        position += len(line)
    if fenced:
        span = (start, section.span[1])
        found.append(Block(index, span, (Sentence(span, text[slice(*span)]),), code=True))
    elif open_block:
        found += _block(text, index, (start, section.span[1]), item)
    return found


def _block(text: str, index: int, span: Span, item: bool) -> list[Block]:
    start, end = span
    end -= len(text[start:end]) - len(text[start:end].rstrip())
    mark = _ITEM.match(text[start:end]) if item else None
    first = start + (mark.end() if mark else len(text[start:end]) - len(text[start:end].lstrip()))
    sentences: list[Sentence] = []
    begin = first
    for gap in [*_END.finditer(text, first, end), None]:
        stop = gap.start() + len(gap[0].rstrip()) if gap else end
        if gap and _ABBREVIATION.search(text[begin:stop]):
            continue
        if text[begin:stop].strip():
            sentences.append(Sentence((begin, stop), text[begin:stop]))
        begin = gap.end() if gap else end
    return [Block(index, (start, end), tuple(sentences), item)] if sentences else []
