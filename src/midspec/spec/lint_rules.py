"""What is wrong with the numbering of a spec's rules, and with reasons that explain nothing. Pure functions."""

from __future__ import annotations

import re
from collections import defaultdict

from midspec.errors import InputError
from midspec.records import Section, Span
from midspec.spec.attribution import preferences
from midspec.spec.document import ModelSpec
from midspec.spec.findings import Finding
from midspec.spec.prose import heading
from midspec.spec.rules import Mark, Rule, find_rules, rule_marks
from midspec.spec.statements import REASON

_NO_RULE = re.compile(
    r"\W*(?:overview|introduction|preface|summary|in short|notes?|examples?|scope|terms|definitions?|how|why|what|who|"
    r"about|background|conclusion|glossary|when|the values?|subrules?|reasons?|rationale)\b",
    re.I,
)
"""Headings that stand beside rules and are none."""
_CAUSE = re.compile(r"\b(?:because|since|reason|therefore)\b", re.I)


def rule_findings(spec: ModelSpec) -> list[Finding]:
    """Rules without a number, numbers that come twice and numbers that are missing; none for a spec without rules."""
    try:
        rules = find_rules(spec)
    except InputError:
        return []
    return [*_unnumbered(spec, rules), *_numbering(spec)]


def reason_findings(spec: ModelSpec) -> list[Finding]:
    """Reasons that stand beside no rule and no preference."""
    return [*_without_rule(spec), *_without_preference(spec)]


def _unnumbered(spec: ModelSpec, rules: tuple[Rule, ...]) -> list[Finding]:
    bare = [rule for rule in rules if not rule.label]
    found = [
        _warning(
            "unnumbered-rule",
            f"{len(bare)} rules have no number, from {_short(bare[0].text)!r} on: documents and judges cannot cite "
            "them, and variants cannot tell them apart; number them, e.g. `1.` or `SP1:`",
            bare[0].span,
        )
    ] if bare else []  # fmt: skip
    labelled = {mark.section.id for mark in rule_marks(spec) if mark.form == "heading" and "." not in mark.label}
    beside: dict[tuple[tuple[str, ...], int], int] = defaultdict(int)
    for section in spec.sections:
        if section.id in labelled:
            beside[section.path[:-1], section.level] += 1
    for section in spec.sections:
        numbered = beside[section.path[:-1], section.level]
        if numbered > 1 and section.id not in labelled and not _NO_RULE.match(heading(section)):
            found.append(
                _warning(
                    "unnumbered-rule",
                    f"{heading(section)!r} stands beside {numbered} numbered rules and has no number; number it, or "
                    "move it under a heading of its own",
                    _line(section),
                )
            )
    return found


def _numbering(spec: ModelSpec) -> list[Finding]:
    found: list[Finding] = []
    series: dict[tuple[str, str, str], dict[int, Mark]] = defaultdict(dict)
    for mark in rule_marks(spec):
        stem, number = re.fullmatch(r"(.*?)(\d+)?[a-z]?", mark.label, re.S).groups()  # type: ignore[union-attr]
        if number is None:
            continue
        # Lists begin again under every heading; labels are one series wherever they stand.
        place = mark.section.id if mark.form == "number" else ""
        seen = series[stem, mark.form, place]
        lettered = mark.label[-1].isalpha()
        if int(number) in seen and not lettered:
            first = seen[int(number)]
            found.append(
                _warning(
                    "duplicate-rule",
                    f"rule {mark.label} comes twice, first in line {_line_number(spec, first.span)}; give one of them "
                    "another number",
                    mark.span,
                )
            )
        elif not lettered:
            seen[int(number)] = mark
    for (stem, _, _), seen in series.items():
        numbers = list(seen)
        previous = 0
        for number in numbers:
            if number > previous + 1 and not set(range(previous + 1, number)) & set(numbers):
                gap = f"{stem}{previous + 1}" + (f" to {stem}{number - 1}" if number > previous + 2 else "")
                after = f"after {stem}{previous}" if previous else "at the beginning"
                found.append(
                    _warning("skipped-rule", f"{gap} is missing {after}; renumber, or restore it", seen[number].span)
                )
            previous = max(previous, number)
    return found


def _without_rule(spec: ModelSpec) -> list[Finding]:
    try:
        rules = [rule for rule in find_rules(spec) if rule.label]
    except InputError:
        return []
    if not rules:
        return []
    labels = {rule.label for rule in rules} | {mark.label for mark in rule_marks(spec)}
    found: list[Finding] = []
    for section in spec.sections:
        title = heading(section)
        if not REASON.match(title):
            continue
        named = set(re.findall(r"\b[A-Z]{1,5}-?\d{1,3}(?:\.\d{1,2})*\b", title)) - labels
        inside = any(rule.span[0] <= section.span[0] < rule.span[1] for rule in rules)
        if named or (not inside and section.level > 2):
            what = f"about {sorted(named)[0]}, which is no rule of the spec" if named else "under no rule"
            found.append(
                _warning(
                    "reason-without-rule",
                    f"{title!r} gives reasons {what}; put it under the rule that it explains",
                    _line(section),
                )
            )
    return found


def _without_preference(spec: ModelSpec) -> list[Finding]:
    """A thing under a heading of likes or dislikes of which reasons are given and no preference is stated."""
    try:
        found = preferences(spec)
    except InputError:
        return []
    named = {one.section.id for one in found}
    parents = {one.section.path[:-1] for one in found}
    return [
        _warning(
            "reason-without-preference",
            f"{heading(section)!r} gives reasons and never names what is liked or disliked; say that {{model_name}} "
            f"likes it or does not, by the name in the heading",
            _line(section),
        )
        for section in spec.sections
        if section.path[:-1] in parents and section.id not in named and _CAUSE.search(section.text)
    ]


def _warning(code: str, message: str, span: Span) -> Finding:
    return Finding(level="warning", code=code, message=message, span=span)


def _line(section: Section) -> Span:
    """The heading's line."""
    start = section.span[0]
    return start, start + len(section.text.split("\n", 1)[0])


def _line_number(spec: ModelSpec, span: Span) -> int:
    return spec.text.count("\n", 0, span[0]) + 1


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
