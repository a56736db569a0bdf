"""Curves over amounts of data: how the headline of an evaluation moves with demonstrations, or with midtraining."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from midspec.report.figures import Panel
from midspec.report.format import amount, amount_interval, unit
from midspec.report.labels import MOST_LABELS, End, name_ends
from midspec.report.labels import WIDTH as LABEL_WIDTH
from midspec.report.palette import NO_SPEC, SENTINELS, families
from midspec.report.results import Results, ScaleLine, Scaling
from midspec.report.svg import FONT_SIZE, Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 416.0
HEIGHT = 250.0
_ABOVE, _BELOW = 8.0, 42.0
_ASIDE = 0.012
"""By this part of the axis each line stands beside the one before, so that intervals do not hide each other."""
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5)))


def scaling_panels(results: Results) -> list[Panel]:
    """One panel for each evaluation and amount that arms vary in."""
    return [
        Panel(f"{one.eval}: {one.measure} by {one.over}", _panel(one, results, prefix=f"scaling{at}"))
        for at, one in enumerate(results.scaling)
        if any(point.value is not None for line in one.lines for point in line.points)
    ]


def _panel(one: Scaling, results: Results, *, prefix: str) -> Drawing:
    looks = families(results)
    labelled = len(one.lines) <= MOST_LABELS
    right = LABEL_WIDTH if labelled else 12.0
    factor = 100.0 if one.scale == "share" else 1.0
    axis = f"{one.measure}, {unit(one.scale)}".rstrip(", ")

    def paint(axes: Axes) -> Mapping[str, str]:
        from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

        tips: dict[str, str] = {}
        axes.spines["left"].set_visible(True)
        axes.set_xscale("log")
        sizes = sorted({point.amount for line in one.lines for point in line.points})
        axes.set_xticks(_apart(sizes))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y", color=SENTINELS["rule"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(f"{one.over} (logarithmic)", fontsize=FONT_SIZE - 1)
        axes.set_ylabel(axis, fontsize=FONT_SIZE - 1)
        ends: list[End] = []
        ranks: dict[str, int] = {}
        for at, line in enumerate(one.lines):
            look = looks.get(line.msm, NO_SPEC)
            colour = SENTINELS[look.tone]
            rank = ranks[look.tone] = ranks.get(look.tone, -1) + 1
            known = [point for point in line.points if point.value is not None]
            if not known:
                continue
            drawn = [point for point in known if point.fitted is not None] or known
            aside = 10 ** (_ASIDE * math.log10(sizes[-1] / sizes[0]) * (at - (len(one.lines) - 1) / 2))
            heights = [factor * (point.value or 0.0 if point.fitted is None else point.fitted) for point in drawn]
            axes.plot([aside * point.amount for point in drawn], heights, color=colour, linewidth=1.4,
                      linestyle=_DASHES[rank % len(_DASHES)])  # fmt: skip
            for place, point in enumerate(known):
                if point.low is not None and point.high is not None:
                    ends_of = [factor * point.low, factor * point.high]
                    axes.plot([aside * point.amount] * 2, ends_of, color=colour, linewidth=1.1, solid_capstyle="butt")
                gid = f"{prefix}-{at}-{place}"
                axes.plot(
                    [aside * point.amount],
                    [factor * (point.value or 0.0)],
                    marker=look.marker,
                    markersize=5.5,
                    markerfacecolor=colour,
                    markeredgecolor=colour,
                    linestyle="none",
                    gid=gid,
                    zorder=3,
                )
                tips[gid] = _tip(line, place_of(line, point.arm), one)
            ends.append(End(heights[-1], line.label, look.tone))
        axes.margins(x=0.06, y=0.08)
        axes.set_ylim(axes.get_ylim())
        if labelled:
            name_ends(axes, ends, HEIGHT - _ABOVE - _BELOW)
        return tips

    said = "; ".join(_tip(line, at, one) for line in one.lines for at in range(len(line.points)))
    return draw(
        paint,
        width=WIDTH,
        height=HEIGHT,
        margins=(52, right, _ABOVE, _BELOW),
        prefix=prefix,
        label=f"{one.eval}: {axis} by {one.over}. {said}",
    )


def place_of(line: ScaleLine, arm: str) -> int:
    """Where an arm stands on its line."""
    return next(at for at, point in enumerate(line.points) if point.arm == arm)


def _tip(line: ScaleLine, at: int, one: Scaling) -> str:
    point = line.points[at]
    interval = amount_interval(point.low, point.high, one.scale)
    value = f"{amount(point.value, one.scale)} {interval}".rstrip()
    return f"{line.label} with {point.amount:,.0f} {one.over}: {value}"


def _short(value: float) -> str:
    """`1.25k`, `80k`, `1M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _apart(sizes: list[float]) -> list[float]:
    """Ticks that do not run into each other: each at least 1.35 times the last."""
    found: list[float] = []
    for size in sizes:
        if not found or size >= 1.35 * found[-1]:
            found.append(size)
    return found
