"""From the folder of a finished analysis of reasoning to its part of `Results`. Pure but for reading."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from midspec.evals.reasoning.pages import pieces
from midspec.evals.reasoning.results import PAGE, anchor, load_results, quote_rows
from midspec.records import Span
from midspec.report.results import (
    Quoted,
    Reasoning,
    TextPiece,
    Theme,
    ThemeDifference,
    ThemeQuote,
    ThemeShare,
)

QUOTES = 8
"""Quotes of a theme over all arms; each arm has one at least. (ours)"""


def reasoning(folder: Path, over: str, workspace: Path) -> Reasoning:
    """Shares over all transcripts of each arm, differences, a few quotes, and the transcripts they stand in."""
    found = load_results(folder)
    arms = list(found.table["transcripts"])
    quotes = quote_rows(found, max(1, QUOTES // len(arms)))
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for one in quotes:
        spans[one.transcript].append(one.span)
    numbers = ("n", "read", "value", "low", "high", "least", "most")
    apart = ("theme", "arm", "versus", "items", "value", "low", "high", "least", "most", "p", "p_holm")
    shown = ("theme", "arm", "item", "sample", "transcript", "before", "quote", "after", "note")
    return Reasoning(
        over=over,
        judge=found.judge,
        themes_name=found.themes.name,
        origin=found.themes.origin,
        spec=found.spec,
        baseline=found.baseline,
        transcripts=found.table["transcripts"],
        missing=found.table["missing"],
        themes=[
            Theme(id=one.id, name=one.name, definition=one.definition, direction=one.direction)
            for one in found.questions
        ],
        shares=[
            ThemeShare(theme=line["theme"], arm=line["arm"], **{name: line["share"][name] for name in numbers})
            for line in found.table["lines"]
            if line["of"] == "all"
        ],
        differences=[ThemeDifference(**{name: one[name] for name in apart}) for one in found.table["differences"]],
        comparisons=found.table["comparisons"],
        merged=found.merged,
        quotes=[
            ThemeQuote(**{name: getattr(one, name) for name in shown}, anchor=anchor(one.transcript, one.span))
            for one in quotes
        ],
        quoted=[
            Quoted(
                id=name,
                arm=found.transcripts[name].arm,
                item=found.transcripts[name].item,
                sample=found.transcripts[name].sample,
                pieces=[
                    TextPiece(text=piece.text, anchors=list(piece.anchors), marked=piece.marked)
                    for piece in pieces(name, found.transcripts[name].text, some)
                ],
            )
            for name, some in sorted(spans.items())
        ],
        page=(folder / PAGE).relative_to(workspace).as_posix(),
    )
