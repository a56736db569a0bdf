"""What a rule says, told apart from the reasons and subrules that a spec gives with it. Pure functions."""

from __future__ import annotations

import re

from midspec.records import Span
from midspec.spec.document import ModelSpec
from midspec.spec.prose import body_start
from midspec.spec.rules import Rule, find_rules

REASON = re.compile(
    r"\W*(?:why\b|because\b|the reasons?\b|reasons?\s*:|rationale\b|explanation\b|the values? behind\b|values?\s*:|"
    r"this (?:rule |policy |principle )?(?:is so |exists |matters )?because\b)",
    re.I,
)
"""How a paragraph begins that explains a rule, or a heading over such paragraphs."""
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+")
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]")


def statement(spec: ModelSpec, rule: Rule) -> Span:
    """Where the rule itself stands, from the beginning of its line (marks of a heading or list are part of it) to
    before the first reason, subrule, list or subheading."""
    start, end = rule.span
    line_start = spec.text.rfind("\n", 0, start) + 1
    sub = re.compile(rf"\W*{re.escape(rule.label)}(?:\.\d|[a-z]\b)") if rule.label else None
    opens = bool(_HEADING.match(spec.text[line_start:]))  # a paragraph may begin in the line after a heading
    position = last = start
    for number, line in enumerate(spec.text[start:end].splitlines(keepends=True)):
        ends = _HEADING.match(line) or _ITEM.match(line) or (sub and sub.match(line))
        if number and (ends or (opens and REASON.match(line))):
            break
        position += len(line)
        if line.strip():
            last = position - (len(line) - len(line.rstrip()))
        opens = not line.strip() or (number == 0 and opens)
    return line_start, min(last, end)


def statements(spec: ModelSpec) -> list[Span]:
    """`statement` of every rule, in file order. Raises InputError for a spec without rules."""
    return [statement(spec, rule) for rule in find_rules(spec)]


def rules_only(spec: ModelSpec) -> str:
    """The spec's rules under the headings they stand under, and nothing else. Raises InputError where it has none."""
    kept = statements(spec)
    text = spec.text
    pieces: list[Span] = []
    for section in spec.sections:
        inside = [
            other
            for other in spec.sections
            if other.path[: len(section.path)] == section.path and other.span[0] >= section.span[0]
        ]
        holds = any(start < other.span[1] and other.span[0] < end for other in inside for start, end in kept)
        is_rule = any(start <= section.span[0] < end for start, end in kept)
        if section.level and holds and not is_rule:
            start = section.span[0]
            pieces.append((start, start + len(text[start : body_start(section)].rstrip())))
    pieces = sorted({*pieces, *kept})
    parts: list[str] = []
    for number, (start, end) in enumerate(pieces):
        if number:
            before, last = pieces[number - 1]
            items = _ITEM.match(text[before:]) and _ITEM.match(text[start:])
            parts.append("\n" if items or text[last:start] == "\n" else "\n\n")
        parts.append(text[start:end])
    return "".join(parts) + "\n"
