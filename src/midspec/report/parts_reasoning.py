"""The parts of `results.json` that say what transcripts reason."""

from __future__ import annotations

from midspec.report.part import Part


class Theme(Part):
    """A kind of reasoning, or a way of using a spec's rules, that transcripts were searched for."""

    id: str
    name: str
    definition: str
    direction: str
    """`misaligned`, `aligned` or `neutral`."""


class ThemeShare(Part):
    """How often one arm's transcripts show a theme. Interval: 95%, clustered by item and training seed."""

    theme: str
    arm: str
    n: int
    """Transcripts."""
    read: int
    """Those with a judgement."""
    value: float | None
    """Share of those read; None without any."""
    low: float | None
    high: float | None
    least: float | None
    """If every missing judgement were a no."""
    most: float | None
    """If every one were a yes."""


class ThemeDifference(Part):
    """`arm` minus `versus` on one theme, paired by item."""

    theme: str
    arm: str
    versus: str
    items: int
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    """If missing judgements were all as far against the arm as they can be."""
    most: float | None
    p: float | None
    p_holm: float | None
    """Adjusted for all differences of the analysis."""


class ThemeQuote(Part):
    """Where a transcript shows a theme."""

    theme: str
    arm: str
    item: str
    sample: int
    transcript: str
    anchor: str
    """Name of its place among `Quoted.pieces`."""
    before: str
    quote: str
    after: str
    note: str
    """Of a rule: which one, and how it is taken."""


class TextPiece(Part):
    """A run of a transcript: plain, or quoted."""

    text: str
    anchors: list[str]
    """Names of the quotes that begin here."""
    marked: bool


class Quoted(Part):
    """A transcript that is quoted, whole."""

    id: str
    arm: str
    item: str
    sample: int
    pieces: list[TextPiece]


class Reasoning(Part):
    """What kinds of reasoning the transcripts of an agentic evaluation show."""

    over: str
    """Name of the evaluation."""
    judge: str
    themes_name: str
    origin: str
    """Who made the themes, and from what."""
    spec: str | None
    """Whose rules were looked for."""
    baseline: str | None
    transcripts: dict[str, int]
    """Arm -> how many."""
    missing: dict[str, dict[str, int]]
    """Arm -> why a transcript lacks a judgement -> how many."""
    themes: list[Theme]
    shares: list[ThemeShare]
    differences: list[ThemeDifference]
    comparisons: int
    """Differences that were tested together."""
    merged: dict[str, str]
    """Theme that is no more -> the one that took it in."""
    quotes: list[ThemeQuote]
    quoted: list[Quoted]
    page: str
    """Page with more quotes, relative to the workspace."""
