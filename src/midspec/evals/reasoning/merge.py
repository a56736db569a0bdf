"""Merge: themes that show in the same transcripts are one theme (paper: patterns that overlap more than 75%). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import NamedTuple

from midspec.evals.reasoning.labels import Labels
from midspec.evals.reasoning.themes import ThemeSet

OVERLAP = 0.75
"""Jaccard index above which two themes overlap. (the paper says 75%, not of what; ours: of all that show either)"""
LEAST = 5
"""Transcripts that both themes must show in together: less overlap is chance. (ours)"""


class Merged(NamedTuple):
    """Labels and themes after merging."""

    rows: list[Labels]
    themes: ThemeSet
    into: dict[str, str]
    """Theme that is no more -> the one that took it in."""


def overlaps(rows: Sequence[Labels], themes: ThemeSet, above: float = OVERLAP) -> list[tuple[str, str, float]]:
    """(theme, theme, Jaccard index) of pairs of one direction that overlap, the more frequent theme first."""
    shown = {theme.id: {row.transcript for row in rows if row.themes.get(theme.id)} for theme in themes.themes}
    found: list[tuple[str, str, float]] = []
    for first, second in combinations(themes.themes, 2):
        if first.direction != second.direction:
            continue
        both = shown[first.id] & shown[second.id]
        either = shown[first.id] | shown[second.id]
        if len(both) >= LEAST and len(both) / len(either) > above:
            pair = sorted((first.id, second.id), key=lambda one: (-len(shown[one]), one))
            found.append((pair[0], pair[1], len(both) / len(either)))
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def merge(rows: Sequence[Labels], themes: ThemeSet, keep: Collection[str] = (), above: float = OVERLAP) -> Merged:
    """Take in one theme of each overlapping pair, most overlapping first, until none overlaps.

    `keep`: themes that are never taken in, such as those of a theme file: two of them stay apart however they overlap.
    A transcript shows the merged theme if it shows either; it is missing where one is missing and the other not shown.
    """
    rows = list(rows)
    into: dict[str, str] = {}
    while True:
        pairs = [
            (kept, gone)
            for first, second, _ in overlaps(rows, themes, above)
            for kept, gone in ((first, second), (second, first))
            if gone not in keep
        ]
        if not pairs:
            return Merged(rows, themes, into)
        kept, gone = pairs[0]
        rows = [_joined(row, kept, gone) for row in rows]
        themes = themes.model_copy(update={"themes": tuple(one for one in themes.themes if one.id != gone)})
        into = {old: kept if new == gone else new for old, new in into.items()} | {gone: kept}


def _joined(row: Labels, kept: str, gone: str) -> Labels:
    either = (row.themes.get(kept), row.themes.get(gone))
    shows = True if True in either else None if None in either else False
    themes = {theme: shows if theme == kept else value for theme, value in row.themes.items() if theme != gone}
    reasons = {theme: why for theme, why in row.missing.items() if theme not in (kept, gone)}
    if shows is None:
        reasons[kept] = row.missing.get(kept) or row.missing[gone]
    quotes = tuple(quote.model_copy(update={"theme": kept}) if quote.theme == gone else quote for quote in row.quotes)
    return row.model_copy(update={"themes": themes, "missing": reasons, "quotes": quotes})
