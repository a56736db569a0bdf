"""The figures in small panels, one per evaluation: a narrow screen stacks what a wide one sets in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from midspec.report.finding import eval_names, measure_names, oriented, specs_for
from midspec.report.format import (
    amount,
    amount_interval,
    bounds,
    nats,
    nats_interval,
    percent,
    percent_interval,
    points,
    points_interval,
    shorten,
    unit,
)
from midspec.report.palette import SENTINELS, Family, families
from midspec.report.results import Contrast, Measured, Results
from midspec.report.svg import FONT_SIZE, Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure = Literal["rate", "shift"]

WIDTH = 330.0
"""Natural width of a panel in pixels: fits a phone without shrinking the text."""

MOST_ROWS = 40
"""Rows of one panel; a longer list goes on in the next."""
MOST_DRAWN = 800
"""Rows of one figure: beyond it, tables are what one reads. The page says how many are left out. (ours)"""

_ROW = 21.0
_LABELS = 148.0
_NUMBERS = 42.0


class Panel(NamedTuple):
    """One drawing and what stands above it."""

    title: str
    svg: Drawing


class _Row(NamedTuple):
    """One line of a dot plot; a heading when it has no tone."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    number: str
    tip: str
    tone: str = ""
    marker: str = "o"
    filled: bool = True
    least: float | None = None
    """Bounds for missing values, where there are any."""
    most: float | None = None


def arm_panels(results: Results, measure: Measure) -> list[Panel]:
    """Rate (percent) or shift (nats) of every arm, one panel per evaluation. No panels where nothing was measured."""
    looks = families(results)
    panels: list[tuple[str, list[_Row], float | None]] = []
    for name in eval_names(results):
        rows: list[_Row] = []
        reference: float | None = 0.0 if measure == "shift" else None
        for arm, form in results.arms.items():
            score = form.evals.get(name)
            tone, marker = looks[form.msm]
            if score is None:
                value = low = high = None
                number = tip = ""
            elif measure == "rate":
                value, low, high = (_hundred(part) for part in (score.rate, score.low, score.high))
                number = percent(score.rate)
                tip = f"{arm}: {number}% {percent_interval(score.low, score.high)}, n = {score.n:,}"
                if form.msm is None and not form.aft and reference is None:
                    reference = value
            else:
                value, low, high = score.shift, score.shift_low, score.shift_high
                number = nats(score.shift)
                tip = f"{arm}: {number} nats {nats_interval(low, high)}, n = {score.n:,}"
            rows.append(_Row(arm, value, low, high, number, tip, tone, marker, form.aft))
        if any(row.value is not None for row in rows):
            panels.append((name, rows, reference))
    panels = _split(panels)
    limits = _limits([row for _, rows, _ in panels for row in rows], zero=measure == "shift")
    axis = "value-aligned choices, %" if measure == "rate" else "shift against the baseline, nats"
    return [
        Panel(name, _dots(rows, limits, reference, axis=axis, prefix=f"{measure}{index}", title=f"{axis}: {name}"))
        for index, (name, rows, reference) in enumerate(panels)
    ]


def measure_panels(results: Results) -> list[Panel]:
    """The headline measure of every evaluation by measures, overall and for each part; one scale per evaluation."""
    looks = families(results)
    found: list[Panel] = []
    for at, name in enumerate(measure_names(results)):
        shown = {arm: form.measures.get(name, []) for arm, form in results.arms.items()}
        first = next((some[0] for some in shown.values() if some), None)
        if first is None:
            continue
        parts = dict.fromkeys(one.part for some in shown.values() for one in some if one.measure == first.measure)
        panels: list[tuple[str, list[_Row], float | None]] = []
        for part in parts:
            rows: list[_Row] = []
            reference: float | None = None
            for arm, form in results.arms.items():
                same = (one for one in shown[arm] if (one.measure, one.part) == (first.measure, part))
                rows.append(_measure_row(arm, next(same, None), looks[form.msm], form.aft))
                if form.msm is None and not form.aft and reference is None:
                    reference = rows[-1].value
            if any(row.value is not None or row.least is not None for row in rows):
                panels.append((name if part is None else f"{name}: {part}", rows, reference))
        panels = _split(panels)
        limits = _limits([row for _, rows, _ in panels for row in rows], zero=False)
        axis = f"{first.measure} {unit(first.scale)}".rstrip()
        found += [
            Panel(title, _dots(rows, limits, line, axis=axis, prefix=f"measure{at}-{index}", title=f"{axis}: {title}"))
            for index, (title, rows, line) in enumerate(panels)
        ]
    return found


def _measure_row(arm: str, one: Measured | None, look: Family, filled: bool) -> _Row:
    if one is None:
        return _Row(arm, None, None, None, "", "", look.tone, look.marker, filled)
    factor = 100.0 if one.scale == "share" else 1.0
    value, low, high, least, most = (
        None if number is None else factor * number for number in (one.value, one.low, one.high, one.least, one.most)
    )
    number = amount(one.value, one.scale)
    within = bounds(one.least, one.most, one.scale)
    missing = f", {one.missing:,} missing{': between ' + within if within else ''}" if one.missing else ""
    tip = f"{arm}: {number} {amount_interval(one.low, one.high, one.scale)}, n = {one.n:,}{missing}"
    outer = (least, most) if one.missing else (None, None)
    return _Row(arm, value, low, high, number, tip, look.tone, look.marker, filled, *outer)


def contrast_panels(results: Results, measure: Measure) -> list[Panel]:
    """Paired differences, one panel per evaluation, grouped by the arm that the others are taken from."""
    looks = families(results)
    contrasts = oriented(results)
    panels: list[tuple[str, list[_Row], float | None]] = []
    for name in eval_names(results):
        here = [contrast for contrast in contrasts if contrast.eval == name]
        if not any(getattr(contrast, measure) is not None for contrast in here):
            continue
        rows: list[_Row] = []
        # The arm that the claim is about stands first, its rivals after it, controls last.
        own = specs_for(name, results)
        claims = {arm: form.msm not in own for arm, form in results.arms.items() if form.msm and form.aft}
        for arm in sorted(dict.fromkeys(contrast.arm for contrast in here), key=lambda arm: claims.get(arm, 2)):
            rows.append(_Row(arm, None, None, None, "", ""))
            form = results.arms.get(arm)
            tone, marker = looks[form.msm if form else None]
            filled = form is None or form.aft
            for contrast in (entry for entry in here if entry.arm == arm):
                value, low, high, number, tip = _difference(contrast, measure)
                rows.append(
                    _Row(f"\N{MINUS SIGN} {contrast.versus}", value, low, high, number, tip, tone, marker, filled)
                )
        panels.append((f"{name} ({_sizes(results, name)})", rows, 0.0))
    panels = _split(panels)
    limits = _limits([row for _, rows, _ in panels for row in rows], zero=True)
    unit = "points" if measure == "rate" else "nats"
    axis = f"paired difference, {unit}"
    return [
        Panel(name, _dots(rows, limits, zero, axis=axis, prefix=f"contrast-{measure}{index}", title=f"{axis}: {name}"))
        for index, (name, rows, zero) in enumerate(panels)
    ]


def _split(panels: Sequence[tuple[str, list[_Row], float | None]]) -> list[tuple[str, list[_Row], float | None]]:
    """The same in panels that are not too long, as many as a figure has room for; a heading stands above each part of
    its rows. Each evaluation has its share of the room."""
    room = max(MOST_ROWS, MOST_DRAWN // max(1, len(panels)))
    found: list[tuple[str, list[_Row], float | None]] = []
    for name, every, reference in panels:
        rows = every[:room]
        parts: list[list[_Row]] = []
        above: _Row | None = None
        for row in rows:
            above = row if not row.tone else above
            if not parts or len(parts[-1]) >= MOST_ROWS:
                parts.append([above] if above is not None and row.tone else [])
            parts[-1].append(row)
        many = len(parts) > 1
        found += [(f"{name}, part {at} of {len(parts)}" if many else name, some, reference)
                  for at, some in enumerate(parts, start=1)]  # fmt: skip
    return found


def _difference(contrast: Contrast, measure: Measure) -> tuple[float | None, float | None, float | None, str, str]:
    names = f"{contrast.arm} minus {contrast.versus}"
    if measure == "rate":
        interval = points_interval(contrast.rate_low, contrast.rate_high)
        tip = f"{names}: {points(contrast.rate)} points {interval}, n = {contrast.n:,}"
        value, low, high = (_hundred(part) for part in (contrast.rate, contrast.rate_low, contrast.rate_high))
        return value, low, high, points(contrast.rate), tip
    interval = nats_interval(contrast.shift_low, contrast.shift_high)
    tip = f"{names}: {nats(contrast.shift)} nats {interval}, n = {contrast.n:,}"
    return contrast.shift, contrast.shift_low, contrast.shift_high, nats(contrast.shift), tip


def _sizes(results: Results, name: str) -> str:
    sizes = sorted({contrast.n for contrast in results.contrasts if contrast.eval == name})
    return f"n = {sizes[0]:,}" if len(sizes) == 1 else f"n = {sizes[0]:,} to {sizes[-1]:,}"


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _limits(rows: Sequence[_Row], *, zero: bool) -> tuple[float, float]:
    """One scale for all panels of a figure, with air on both sides."""
    ends = [end for row in rows for end in (row.value, row.low, row.high, row.least, row.most) if end is not None]
    if zero:
        ends.append(0.0)
    if not ends:
        return (0.0, 1.0)
    low, high = min(ends), max(ends)
    air = 0.06 * (high - low) or max(0.1 * abs(high), 0.1)
    return low - air, high + air


def _dots(
    rows: Sequence[_Row],
    limits: tuple[float, float],
    reference: float | None,
    *,
    axis: str,
    prefix: str,
    title: str,
) -> Drawing:
    def paint(axes: Axes) -> Mapping[str, str]:
        from matplotlib.ticker import MaxNLocator

        tips: dict[str, str] = {}
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.grid(axis="x", color=SENTINELS["rule"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(axis, fontsize=FONT_SIZE - 1)
        if reference is not None:
            axes.axvline(reference, color=SENTINELS["muted"], linewidth=1.0, zorder=1.5)
        edge = limits[0] - (limits[1] - limits[0]) * 8 / (WIDTH - _LABELS - _NUMBERS)
        for index, row in enumerate(rows):
            heading = not row.tone
            axes.text(
                edge if not heading else limits[0] - (limits[1] - limits[0]) * _LABELS / (WIDTH - _LABELS - _NUMBERS),
                index,
                shorten(row.label, 50 if heading else 24),
                ha="left" if heading else "right",
                va="center_baseline",
                fontsize=FONT_SIZE if heading else FONT_SIZE - 0.5,
                fontweight="bold" if heading else "normal",
            )
            if heading:
                continue
            _dot(axes, index, row, gid=f"{prefix}-{index}", tips=tips)
        return tips

    summary = "; ".join(row.tip for row in rows if row.tip)
    return draw(
        paint,
        width=WIDTH,
        height=len(rows) * _ROW + 48,
        margins=(_LABELS, _NUMBERS, 4, 44),
        prefix=prefix,
        label=f"{title}. {summary}",
    )


def _dot(axes: Axes, index: int, row: _Row, *, gid: str, tips: dict[str, str]) -> None:
    colour = SENTINELS[row.tone]
    if row.least is not None and row.most is not None:
        axes.plot(
            [row.least, row.most], [index, index], color=colour, linewidth=1.0, linestyle=(0, (1, 1.5)), clip_on=False
        )
    if row.low is not None and row.high is not None:
        axes.plot(
            [row.low, row.high], [index, index], color=colour, linewidth=1.8, solid_capstyle="butt", clip_on=False
        )
    if row.value is not None:
        axes.plot(
            [row.value],
            [index],
            marker=row.marker,
            markersize=7.0 if row.marker in "os" else 7.5,
            markerfacecolor=colour if row.filled else SENTINELS["paper"],
            markeredgecolor=colour,
            markeredgewidth=1.6,
            linestyle="none",
            gid=gid,
            zorder=3,
            clip_on=False,
        )
        tips[gid] = row.tip
    axes.annotate(
        row.number or "not measured",
        xy=(1, index),
        xycoords=("axes fraction", "data"),
        xytext=(_NUMBERS, 0) if row.number else (0, 0),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        fontsize=FONT_SIZE - 0.5,
        color=SENTINELS["ink" if row.number else "muted"],
    )
