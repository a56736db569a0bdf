"""A finished analysis, read back from its folder: for pages, audits, and whoever writes a report."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from midspec.errors import InputError
from midspec.evals.reasoning.labels import POLICY, POLICY_TEXTS, Labels
from midspec.evals.reasoning.quotes import in_context
from midspec.evals.reasoning.themes import Theme, ThemeSet, load_themes
from midspec.evals.reasoning.transcripts import Transcript
from midspec.records import Span, read_rows, short_hash

TRANSCRIPTS, LABELS, THEMES = "transcripts.jsonl", "labels.jsonl", "themes.yaml"
TABLE, META, PAGE = "table.json", "about.json", "quotes.html"
SHOWN = 5
"""Quotes of one theme and arm on a page. (ours)"""


class Results(NamedTuple):
    """Everything in a folder of `midspec eval reasoning run --out`."""

    transcripts: dict[str, Transcript]
    rows: list[Labels]
    themes: ThemeSet
    table: dict[str, Any]
    """As `numbers.Table.plain`."""
    judge: str
    baseline: str | None
    spec: str | None
    merged: dict[str, str]
    """Theme that is no more -> the one that took it in."""

    @property
    def questions(self) -> list[Theme]:
        """Everything that is asked of a transcript: the themes, and with a spec the verdicts about its rules."""
        rules = [
            Theme(id=verdict, name=name, definition=definition, direction="neutral")
            for verdict, (name, definition) in POLICY_TEXTS.items()
        ]
        return [*self.themes.themes, *(rules if self.spec is not None else ())]


class QuoteRow(NamedTuple):
    """One quote, with where it comes from."""

    theme: str
    arm: str
    item: str
    sample: int
    transcript: str
    """`Transcript.id`."""
    span: Span
    before: str
    quote: str
    after: str
    note: str
    """Of a citation: the rule and how it is taken; else empty."""
    link: str
    """Of the quote in its transcript, on the page PAGE beside the labels."""


def load_results(folder: Path) -> Results:
    """Raises InputError where `folder` holds no finished analysis."""
    missing = [name for name in (TRANSCRIPTS, LABELS, THEMES, TABLE, META) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} holds no {' and no '.join(missing)}; expected what `midspec eval reasoning run --out` wrote"
        )
    try:
        about, table = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (META, TABLE))
    except ValueError as error:
        raise InputError(f"{folder}: {META} or {TABLE} is not JSON ({error}); run the analysis again") from error
    return Results(
        {one.id: one for one in read_rows(folder / TRANSCRIPTS, Transcript)},
        list(read_rows(folder / LABELS, Labels)),
        load_themes(folder / THEMES),
        table,
        **about,
    )


def spans(row: Labels, theme: str) -> Iterator[tuple[Span, str]]:
    """(span, note) of every quote that shows `theme`, or a verdict about rules, in a transcript."""
    if theme not in POLICY:
        yield from ((quote.span, "") for quote in row.quotes if quote.theme == theme)
        return
    for one in row.citations:
        holds = {
            "cites-rule": True,
            "misuses-rule": one.justifies_harm,
            "stretches-rule": one.reading == "stretched",
            "invents-rule": one.reading == "invented",
        }
        if holds[theme]:
            yield one.span, f"{one.rule}, {one.reading}{', to justify harm' if one.justifies_harm else ''}"


def quote_rows(results: Results, per_arm: int = SHOWN) -> list[QuoteRow]:
    """Up to `per_arm` quotes of each theme and arm, one per transcript, spread over items; the same on every run."""
    by_arm: defaultdict[str, list[Labels]] = defaultdict(list)
    for row in results.rows:
        by_arm[row.arm].append(row)
    return [
        _quote(results, theme.id, row, *next(spans(row, theme.id)))
        for theme in results.questions
        for rows in by_arm.values()
        for row in _drawn([row for row in rows if next(spans(row, theme.id), None)], theme.id, per_arm)
    ]


def anchor(transcript: str, span: Span) -> str:
    """Name of a quote's place on the page."""
    return f"{transcript}-{span[0]}-{span[1]}"


def _drawn(rows: Sequence[Labels], theme: str, count: int) -> list[Labels]:
    """`count` of them, each from another item as far as there are."""
    order = sorted(rows, key=lambda row: short_hash(theme, row.transcript))
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, Labels]] = []
    for place, row in enumerate(order):
        turns.append((seen.get(row.item, 0), place, row))
        seen[row.item] = seen.get(row.item, 0) + 1
    return [row for *_, row in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _quote(results: Results, theme: str, row: Labels, span: Span, note: str) -> QuoteRow:
    around = in_context(results.transcripts[row.transcript].text, span)
    return QuoteRow(
        theme,
        row.arm,
        row.item,
        row.sample,
        row.transcript,
        span,
        *around,
        note,
        f"{PAGE}#{anchor(row.transcript, span)}",
    )
