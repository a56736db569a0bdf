"""The figures of a reference redrawn with ours over them, and the section of the report that shows them.

Ours is a filled dot with its 95% interval, the reference an open diamond with a bar as wide as it is known; shape and
filling say what colour says. What cannot be compared is grey.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from midspec.compare import words
from midspec.compare.compare import Comparison, Row, compare
from midspec.compare.read import paper
from midspec.compare.words import TableOf
from midspec.report.figures import WIDTH, Panel
from midspec.report.format import shorten
from midspec.report.palette import SENTINELS
from midspec.report.results import Results
from midspec.report.svg import FONT_SIZE, Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, THEIRS, VOID = "family-0", "family-1", "none"
"""Tones."""
_ROW, _LABELS, _NUMBERS, _TOP, _BOTTOM = 21.0, 148.0, 62.0, 4.0, 44.0
"""Pixels: height of a row, and what stands left, right, above and below of the axes."""


class Drawn(NamedTuple):
    """One figure of the reference: its panels and tables."""

    title: str
    source: str
    panels: list[Panel]
    tables: list[tuple[str, TableOf]]
    """(kind in words, table)"""
    missing: list[str]
    """What the run has nothing for, by kind."""
    remarks: list[str]


class _Line(NamedTuple):
    """One line of a panel; a heading where it has no row."""

    label: str
    row: Row | None


def beside_paper(results: Results) -> Comparison | None:
    """The run beside the paper; None where no figure of the paper is about a recipe of this name, and where the run
    has measured nothing of them."""
    if not paper().about(results.name):
        return None
    found = compare(results, paper())
    measured = (row.ours for row in found.rows if row.ours is not None)
    return found if any(one.value is not None for one in measured) else None


def context(comparison: Comparison | None, *, everything: bool = False) -> dict[str, Any]:
    """What `paper.html.jinja` shows. Without a comparison that is nothing; where no row can be compared, words only,
    unless `everything` is wanted: a picture of both side by side would say what the words deny."""
    if comparison is None:
        return {"compared": None}
    shown = everything or not comparison.warnings
    return {"compared": comparison, "beside": drawn(comparison) if shown else [], "paper_words": words}


def drawn(comparison: Comparison) -> list[Drawn]:
    """Every figure of the comparison, in its order."""
    found: list[Drawn] = []
    for at, figure in enumerate(comparison.figures):
        panels: list[Panel] = []
        tables: list[tuple[str, TableOf]] = []
        missing: list[str] = []
        for kind, heading in words.KINDS.items():
            rows = comparison.rows_of(figure, kind)
            measured = [row for row in rows if row.ours is not None]
            panels += _panels(measured, f"paper{at}{kind}")
            tables += [(heading, table) for table in words.tables(measured, comparison)]
            if len(measured) < len(rows):
                missing.append(f"{heading}. {words.missing([row for row in rows if row.ours is None])}")
        remarks = [words.remark(one) for one in words.remarks_of(figure, comparison)]
        found.append(Drawn(figure.title, figure.source or "", panels, tables, missing, remarks))
    return found


def _panels(rows: Sequence[Row], prefix: str) -> Iterator[Panel]:
    """One for each evaluation, measure and model; reasoning has one for all measures of an arm."""
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        reasoning = row.eval == "reasoning"
        what = row.condition if reasoning else words.on(row)
        groups.setdefault((what, row.model, row.kind, row.entry.published.scale), []).append(row)
    for at, ((what, model, kind, scale), some) in enumerate(groups.items()):
        of = f"Differences on {what}" if kind == "effect" and some[0].eval != "reasoning" else what
        title = ", ".join(part for part in (of, model.rpartition("/")[2]) if part)
        axis = {"share": "percentage points" if kind == "effect" else "%", "times": "times less data"}.get(scale, "")
        axis = axis or ("grades" if scale == "grade" else "")
        yield Panel(title, _draw(list(_lines(some)), axis, scale, kind == "effect", f"{prefix}-{at}", title))


def _lines(rows: Sequence[Row]) -> Iterator[_Line]:
    """Differences of one arm stand under its name; levels have a line each."""
    heading = ""
    order = list(dict.fromkeys(row.arm for row in rows))
    named = [name for row in rows for name in (row.arm, row.versus) if name is not None]
    # The model's name, which the title has already, stands behind all names or behind none.
    _, dot, model = named[0].partition(".")
    model = dot + model if dot and all(name.endswith(dot + model) for name in named) else ""
    for row in sorted(rows, key=lambda row: order.index(row.arm)):
        if row.eval == "reasoning":
            yield _Line(str(row.entry.measure), row)
            continue
        arm = row.arm.removesuffix(model)
        if row.versus is None:
            yield _Line(arm, row)
            continue
        if arm != heading:
            heading = arm
            yield _Line(heading, None)
        yield _Line(f"\N{MINUS SIGN} {row.versus.removesuffix(model)}", row)


def _draw(lines: Sequence[_Line], axis: str, scale: str, effect: bool, prefix: str, title: str) -> Drawing:
    factor = 100.0 if scale == "share" else 1.0
    rows = [line.row for line in lines if line.row is not None]
    limits = _limits(rows, factor, scale, effect)

    def paint(axes: Axes) -> Mapping[str, str]:
        from matplotlib.ticker import MaxNLocator

        tips: dict[str, str] = {}
        if scale == "times":
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlim(*limits)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_yticks([])
        axes.grid(axis="x", color=SENTINELS["rule"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(axis, fontsize=FONT_SIZE - 1)
        if effect:
            axes.axvline(1.0 if scale == "times" else 0.0, color=SENTINELS["muted"], linewidth=1.0, zorder=1.5)
        for index, line in enumerate(lines):
            heading = line.row is None
            axes.annotate(
                shorten(line.label, 44 if heading else 24),
                xy=(0, index), xycoords=("axes fraction", "data"), xytext=(-_LABELS if heading else -8, 0),
                textcoords="offset points", ha="left" if heading else "right", va="center_baseline",
                fontsize=FONT_SIZE if heading else FONT_SIZE - 0.5, fontweight="bold" if heading else "normal",
            )  # fmt: skip
            if line.row is not None:
                tips[f"{prefix}-{index}"] = _tip(line.row)
                _mark(axes, index, line.row, factor, limits, gid=f"{prefix}-{index}")
        return tips

    return draw(
        paint, width=WIDTH, height=len(lines) * _ROW + _TOP + _BOTTOM, margins=(_LABELS, _NUMBERS, _TOP, _BOTTOM),
        prefix=prefix, label=f"{title}, {axis}. {'; '.join(_tip(row) for row in rows)}",
    )  # fmt: skip


def _mark(axes: Axes, index: int, row: Row, factor: float, limits: tuple[float, float], *, gid: str) -> None:
    ours, one = row.ours, row.entry.published
    tone = SENTINELS[VOID if row.judged.verdict == "not comparable" else OURS]
    ends = _reference_ends(row, factor)
    if ends is not None:
        axes.plot(ends, [index, index], color=SENTINELS[THEIRS], linewidth=5.0, alpha=0.45, solid_capstyle="butt")
    if one.value is not None:
        axes.plot(
            [factor * one.value], [index], marker="D", markersize=9.0, markerfacecolor=SENTINELS["paper"],
            markeredgecolor=SENTINELS[THEIRS], markeredgewidth=1.6, linestyle="none", zorder=2.5, clip_on=False,
        )  # fmt: skip
    if ours is not None and ours.value is not None:
        if ours.low is not None and ours.high is not None:
            span = [min(max(factor * end, limits[0]), limits[1]) for end in (ours.low, ours.high)]
            axes.plot(span, [index, index], color=tone, linewidth=1.8, solid_capstyle="butt", zorder=2.8)
        axes.plot(
            [factor * ours.value], [index], marker="o", markersize=5.5, markerfacecolor=tone, markeredgecolor=tone,
            linestyle="none", gid=gid, zorder=3, clip_on=False,
        )  # fmt: skip
    axes.annotate(
        words.pair(row), xy=(1, index), xycoords=("axes fraction", "data"), xytext=(_NUMBERS, 0),
        textcoords="offset points", ha="right", va="center_baseline", fontsize=FONT_SIZE - 1, color=SENTINELS["ink"],
    )  # fmt: skip


def _reference_ends(row: Row, factor: float) -> tuple[float, float] | None:
    """Between what the reference's number lies, as far as is known: range, or reading and sampling."""
    one = row.entry.published
    if one.range is not None:
        return factor * one.range[0], factor * one.range[1]
    if one.value is None:
        return None
    if one.scale == "times":
        return one.value / one.digit, one.value * one.digit
    return factor * (one.value - one.below - one.digit), factor * (one.value + one.above + one.digit)


def _limits(rows: Sequence[Row], factor: float, scale: str, effect: bool) -> tuple[float, float]:
    """Of the axis, with air on both sides; ends that are not known do not widen it."""
    found = [end for row in rows for end in _reference_ends(row, factor) or ()]
    for row in rows:
        numbers = (row.ours.value, row.ours.low, row.ours.high) if row.ours is not None else ()
        found += [
            factor * end for end in numbers if end is not None and math.isfinite(end) and (end > 0 or scale != "times")
        ]
    if effect:
        found.append(1.0 if scale == "times" else 0.0)
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    if scale == "times":
        return low / 1.3, high * 1.3
    air = 0.06 * (high - low) or 1.0
    return low - air, high + air


def _tip(row: Row) -> str:
    ours = words.number(row.ours, signed=row.kind == "effect")
    what = f"{row.condition}, {words.on(row)}" if row.eval == "reasoning" else row.condition
    return f"{what}: ours {ours}, reference {words.reference(row)}, {row.judged.verdict}"
