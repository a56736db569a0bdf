"""The rules of a spec that is made of rules, each with its label and its exact place."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

from midspec.errors import InputError
from midspec.records import Section, Span
from midspec.spec.document import ModelSpec

_RULES_HEADING = re.compile(
    r"\b(?:rules?|polic(?:y|ies)|principles?|prohibitions?|prohibited|constraints?|requirements?|guidelines?|directives?|"
    r"commandments?|obligations?|duties|must|never|red lines|do not|don['’]t)\b",
    re.I,
)
_MARKS = r"[ \t]*(?:>[ \t]*)*(?P<marks>#{1,6}[ \t]+|[-*+•][ \t]+|\d{1,3}[.)][ \t]+)?"
_LABEL = re.compile(
    _MARKS + r"(?P<open>\*\*|__|`|\[|\()?"
    r"(?P<label>(?P<base>(?!(?:Q|A|V|FIG|EX)\d)[A-Z]{1,5}-?\d{1,3}|"
    r"(?:Rule|Policy|Principle|Guideline|Prohibition|Directive|Commandment|Requirement|Clause|Article)[ ]\d{1,3})"
    r"(?P<sub>(?:\.\d{1,2})+|[a-z])?)"
    r"(?P<after>[.:)]?(?:\*\*|__|`|\]|\))|[ \t]?[.:)–—](?=\s|\*|$)|[ \t]-[ \t]|(?=[ \t]))"
)


@dataclass(frozen=True)
class Rule:
    """One rule, with whatever the spec says about it up to the next one."""

    label: str
    """`SP1`, `Rule 4`, `2`; empty for an item of a list without numbers."""
    section: Section
    span: Span
    text: str
    """Verbatim, placeholders unfilled: `spec.text[span[0]:span[1]]`."""

    @property
    def name(self) -> str:
        """How a text cites it: `SP1`, `Rule 2`; empty where the spec has no numbers."""
        return f"Rule {self.label}" if self.label.isdigit() else self.label


@dataclass(frozen=True)
class Mark:
    """A place where a spec puts a label, whether or not it is the one that counts for the rule."""

    label: str
    """`SP1`, `SP1.2`, `Rule 4`, `2`."""
    form: str
    """How it stands there: `heading`, `item` or `line`, a number of a list `number`."""
    span: Span
    """Its line."""
    section: Section


@dataclass(frozen=True)
class _Block:
    """A heading or an outermost list item, by lines."""

    start: int
    end: int
    level: int
    """Of a heading; 0 for an item."""
    ordered: bool = False


def find_rules(spec: ModelSpec) -> tuple[Rule, ...]:
    """The rules in file order; their spans do not overlap.

    Labelled items (`SP1: ...`, `### GP2`, `**Rule 3.** ...`) where there are any; else numbered items, and else any
    list items, under a heading that speaks of rules; else numbered items anywhere. Of a label that comes twice, such as
    in an overview, the longer text counts. Raises InputError for a spec without rules.
    """
    text = spec.text.replace("\ufeff", " ", 1) if spec.text.startswith("\ufeff") else spec.text
    lines = _Lines(text)
    found = _labelled(spec, lines)
    if not found:
        under = [
            block for block in lines.items if _RULES_HEADING.search(_section_at(spec, lines.at[block.start]).title)
        ]
        numbered = [block for block in under if block.ordered]
        items = numbered or under or [block for block in lines.items if block.ordered]
        found = [
            rule
            for block in items
            if (rule := _rule(spec, lines, block.start, block.end, _number(lines.text[block.start])))
        ]
    if not found:
        raise InputError(
            f"spec {spec.name!r} has no rules that could be told apart; expected labelled or numbered items such as "
            "`SP1: ...`, `**GP2.** ...` or `1. ...`, or a list under a heading such as `Rules`. Number the rules, or "
            "use corpus.style: values"
        )
    return tuple(found)


def rule_marks(spec: ModelSpec) -> list[Mark]:
    """Every label in file order, those of subrules and overviews too; the numbers of lists only where nothing is
    labelled and a heading over the list speaks of rules."""
    text = spec.text.replace("\ufeff", " ", 1) if spec.text.startswith("\ufeff") else spec.text
    lines = _Lines(text)
    found: list[Mark] = []
    for number, line in enumerate(lines.text):
        match = _LABEL.match(line) if number not in lines.code else None
        if match and (match["after"] or match["open"] or lines.heading(number)):
            marks = (match["marks"] or "").strip()
            form = "heading" if lines.heading(number) else "item" if marks else "line"
            found.append(_mark(spec, lines, number, match["label"], form))
    if found:
        return found
    return [
        _mark(spec, lines, block.start, label, "number")
        for block in lines.items
        if block.ordered
        and (label := _number(lines.text[block.start]))
        and _RULES_HEADING.search(_section_at(spec, lines.at[block.start]).title)
    ]


def _mark(spec: ModelSpec, lines: _Lines, number: int, label: str, form: str) -> Mark:
    span = (lines.at[number], lines.at[number] + len(lines.text[number]))
    return Mark(label, form, span, _section_at(spec, span[0]))


class _Lines:
    """A text's lines and what Markdown makes of them."""

    def __init__(self, text: str) -> None:
        self.text = text.split("\n")
        self.at = [0]
        for line in self.text:
            self.at.append(self.at[-1] + len(line) + 1)
        self.headings: list[_Block] = []
        self.items: list[_Block] = []
        self.code: set[int] = set()
        depth, ordered = 0, [False]
        for token in MarkdownIt("commonmark").parse(text):
            if token.type in ("bullet_list_open", "ordered_list_open"):
                depth += 1
                ordered.append(token.type == "ordered_list_open")
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
                ordered.pop()
            if token.map is None:
                continue
            if token.type == "heading_open" and token.level == 0:
                self.headings.append(_Block(*token.map, level=int(token.tag[1])))
            elif token.type == "list_item_open" and depth == 1:
                self.items.append(_Block(*token.map, level=0, ordered=ordered[-1]))
            elif token.type in ("fence", "code_block"):
                self.code |= set(range(*token.map))

    def heading(self, line: int) -> _Block | None:
        return next((block for block in self.headings if block.start <= line < block.end), None)

    def end_of(self, line: int) -> int:
        """First line that cannot belong to what begins in `line`, whatever it is."""
        heading = self.heading(line)
        item = next((block for block in self.items if block.start <= line < block.end), None)
        if item and not heading:
            return item.end
        return next(
            (
                block.start
                for block in self.headings
                if block.start > line and (not heading or block.level <= heading.level)
            ),
            len(self.text),
        )


def _labelled(spec: ModelSpec, lines: _Lines) -> list[Rule]:
    marked: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines.text):
        match = _LABEL.match(line) if number not in lines.code else None
        if match and (match["after"] or match["open"] or lines.heading(number)):
            marked.append((number, match["label"], match["base"]))
    bases = {label for _, label, base in marked if label == base}
    starts = [(number, label) for number, label, base in marked if label == base or base not in bases]
    best: dict[str, Rule] = {}
    for (number, label), following in pairwise([*starts, (len(lines.text), "")]):
        rule = _rule(spec, lines, number, min(following[0], lines.end_of(number)), label)
        if rule and (label not in best or len(rule.text) > len(best[label].text)):
            best[label] = rule
    return sorted(best.values(), key=lambda rule: rule.span)


def _rule(spec: ModelSpec, lines: _Lines, first: int, end: int, label: str) -> Rule | None:
    """The text of lines `first` to `end`, without the marks of a heading or list before it."""
    marks = re.match(_MARKS, lines.text[first])
    assert marks is not None, "every part of it is optional"
    start = lines.at[first] + (marks.start("marks") if (marks["marks"] or "")[:1].isdigit() else marks.end())
    body = spec.text[start : lines.at[end] - 1]
    text = body.strip()
    if len(re.findall(r"\w+", text)) < 3:
        return None
    start += len(body) - len(body.lstrip())
    return Rule(label, _section_at(spec, start), (start, start + len(text)), text)


def _number(line: str) -> str:
    match = re.match(r"\s*(\d{1,3})[.)]", line)
    return match[1] if match else ""


def _section_at(spec: ModelSpec, position: int) -> Section:
    """The section that begins last at or before `position`."""
    starts = [section.span[0] for section in spec.sections]
    return spec.sections[max(0, bisect_right(starts, position) - 1)]
