"""The cells of a comparison as text, the same on a terminal, in Markdown, in the report and on a page. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from midspec.compare.compare import Comparison, Row
from midspec.compare.deviations import Deviation
from midspec.compare.entries import Kind
from midspec.compare.numbers import Number
from midspec.compare.reference import Figure, Remark
from midspec.compare.verdict import VERDICTS
from midspec.report.format import MISSING, amount, amount_interval, unit

KINDS: dict[Kind, str] = {"effect": "Differences between arms", "level": "Levels"}
_ZERO = re.compile(r"\.0+$")


class TableOf(NamedTuple):
    """Rows of one kind on one evaluation and measure: what makes a table."""

    on: str
    units: str
    """What its numbers are in."""
    rows: list[Row]
    cells: list[dict[str, str]]
    """Of each row: `what`, `ours`, `reference`, `apart`, `tolerance`, `verdict`."""
    shared: str
    """Ids of what is otherwise in all rows."""
    own: list[str]
    """Of each row: ids of what else is otherwise."""
    several_models: bool


def tables(rows: Sequence[Row], comparison: Comparison) -> list[TableOf]:
    """Rows by what they were measured on, in their order."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((on(row), _units(row)), []).append(row)
    return [_table(named, units, some, comparison) for (named, units), some in groups.items()]


def _table(named: str, units: str, rows: list[Row], comparison: Comparison) -> TableOf:
    held = [{comparison.deviations[one] for one in row.deviations} for row in rows]
    measured = [names for row, names in zip(rows, held, strict=True) if row.ours is not None]
    shared = set[str].intersection(*measured) if measured else set[str]()
    models = {row.model for row in rows}
    own = [ids(sorted(names - shared)) for names in held]
    return TableOf(named, units, rows, [_cells(row) for row in rows], ids(sorted(shared)), own, len(models) > 1)


def _cells(row: Row) -> dict[str, str]:
    judged = row.judged
    return {
        "what": row.condition,
        "ours": number(row.ours, signed=row.kind == "effect"),
        "reference": reference(row),
        "apart": _apart(judged.difference, row),
        "tolerance": _tolerance(judged.tolerance, row),
        "verdict": judged.verdict,
    }


def reasons(rows: Sequence[Row]) -> list[str]:
    """What verdicts rest on, each once. Of rows that are not comparable, the deviations say it."""
    told = [row.judged for row in rows if row.judged.reason and row.judged.verdict != "not comparable"]
    return list(dict.fromkeys(f"{one.verdict}: {one.reason}" for one in told))


def missing(rows: Sequence[Row]) -> str:
    """Rows that the run has nothing for, in a sentence."""
    reasons: dict[str, int] = {}
    for row in rows:
        reasons[row.judged.reason] = reasons.get(row.judged.reason, 0) + 1
    told = "; ".join(f"{count} because {reason}" for reason, count in reasons.items())
    return f"Not measured: {told}."


def on(row: Row) -> str:
    """Evaluation and measure."""
    measure = row.entry.measure
    named = f": {measure}" if measure and measure not in ("rate", "decided", "grade") else ""
    return f"{row.eval}{named}{f' ({row.entry.part})' if row.entry.part else ''}"


def number(one: Number | None, *, signed: bool) -> str:
    """A number with its interval; `unpaired` where a difference is one of two arms' numbers."""
    if one is None or one.value is None:
        return MISSING
    if one.scale == "times":
        ends = "" if one.low is None or one.high is None else f" [{_factor(one.low)}, {_factor(one.high)}]"
        return _factor(one.value) + ends
    told = (
        f"{amount(one.value, one.scale, signed=signed)} {amount_interval(one.low, one.high, one.scale, signed=signed)}"
    )
    return told.rstrip() + ("" if one.paired else " unpaired")


def reference(row: Row) -> str:
    """The reference's number as exactly as it is known."""
    one, signed = row.entry.published, row.kind == "effect"
    if one.direction is not None:
        return "no effect" if one.direction == "none" else one.direction
    about = "about " if row.entry.certainty == "approximate" else ""
    if one.range is not None:
        return about + " to ".join(_short(end, one.scale, signed=signed) for end in one.range)
    return MISSING if one.value is None else about + _short(one.value, one.scale, signed=signed)


def _short(value: float, scale: str, *, signed: bool) -> str:
    return _factor(value) if scale == "times" else _ZERO.sub("", amount(value, scale, signed=signed))


def _factor(value: float) -> str:
    return "\N{INFINITY}" if math.isinf(value) else f"{value:.3g}\N{MULTIPLICATION SIGN}"


def _apart(difference: float | None, row: Row) -> str:
    if difference is None:
        return MISSING
    return _factor(difference) if row.entry.published.scale == "times" else amount(
        difference, row.entry.published.scale, signed=True
    )  # fmt: skip


def _tolerance(tolerance: float | None, row: Row) -> str:
    if tolerance is None:
        return MISSING
    if row.entry.published.scale == "times":
        return f"\N{MULTIPLICATION SIGN}/ {tolerance:.3g}"
    return f"\N{PLUS-MINUS SIGN}{amount(tolerance, row.entry.published.scale)}"


def _units(row: Row) -> str:
    scale = row.entry.published.scale
    if scale == "times":
        return "times less data"
    return unit(scale, difference=row.kind == "effect") or ("grades" if scale == "grade" else "its own unit")


def ids(names: Sequence[str]) -> str:
    """`D1-4, D7`: runs of ids in short."""
    numbers = sorted(int(name[1:]) for name in names)
    runs: list[str] = []
    for _, group in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in group]
        runs.append(f"D{run[0]}" if len(run) == 1 else f"D{run[0]}-{run[-1]}")
    return ", ".join(runs)


def tally(comparison: Comparison, kind: Kind) -> str:
    """How many rows came out how, in a sentence."""
    counts = [f"{one} {count}" for one in VERDICTS if (count := comparison.tallies[kind][one])]
    return f"{KINDS[kind]}: {', '.join(counts) or 'none'}."


def deviation(one: Deviation) -> str:
    """What is otherwise, and what it does."""
    told = f"{one.words}: ours {one.ours}; reference: {one.theirs}"
    void = " Not comparable for it." if one.voids else ""
    why = f" {one.why[0].upper()}{one.why[1:]}." if one.why else ""
    return f"{told}.{void}{why}{f' ({one.source})' if one.source else ''}"


def remark(one: Remark) -> str:
    """A tension or remark with its source."""
    between = f" {'; '.join(one.between)}." if one.between else ""
    head = "The reference contradicts itself: " if one.kind == "tension" else ""
    return f"{head}{one.text.strip().rstrip('.')}.{between}{f' ({one.source})' if one.source else ''}"


def remarks_of(figure: Figure, comparison: Comparison) -> list[Remark]:
    """Those beside a figure: of its rows, and of all figures."""
    named = {name for kind in KINDS for row in comparison.rows_of(figure, kind) for name in row.remarks}
    return [one for name, one in comparison.remarks.items() if name in named]


def general_remarks(comparison: Comparison) -> list[Remark]:
    """Those about every figure."""
    return [one for one in comparison.remarks.values() if "*" in one.figures]


def pair(row: Row) -> str:
    """Ours and the reference's in a few letters, for figures."""
    scale, value = row.entry.published.scale, row.ours.value if row.ours is not None else None
    signed = row.kind == "effect"
    mine = MISSING if value is None else _factor(value) if scale == "times" else amount(value, scale, signed=signed)
    theirs = reference(row).replace(" to ", "..").replace("about ", "")
    return f"{mine} / {theirs}"
