"""A comparison as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from midspec.compare import words
from midspec.compare.compare import Comparison, Row

_HEADINGS = ("model", "what", "ours", "reference", "apart", "tolerance", "verdict", "why", "also otherwise")
_NUMBERS = ("value", "low", "high", "n", "paired")


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Everything, for scripts. Shares are fractions; infinite ends of factors are null."""
    return {
        "run": comparison.run,
        "reference": {"name": comparison.reference.name, "title": comparison.reference.title},
        "warnings": comparison.warnings,
        "notes": list(comparison.notes),
        "tallies": comparison.tallies,
        "rows": [_row(row, comparison) for row in comparison.rows],
        "deviations": {name: one._asdict() for one, name in comparison.deviations.items()},
        "remarks": {name: one.model_dump(mode="json", exclude={"id"}) for name, one in comparison.remarks.items()},
        "absent": list(comparison.reference.absent),
    }


def _row(row: Row, comparison: Comparison) -> dict[str, Any]:
    entry, one = row.entry, row.entry.published
    return {
        "figure": entry.figure.id,
        "kind": row.kind,
        "eval": row.eval,
        "measure": entry.measure,
        "part": entry.part,
        "arm": row.arm,
        "versus": row.versus,
        "model": row.model or None,
        "scale": one.scale,
        "ours": {name: _finite(getattr(row.ours, name)) for name in _NUMBERS} if row.ours is not None else None,
        "reference": {
            "value": one.value, "range": one.range, "direction": one.direction, "digit": one.digit,
            "below": one.below, "above": one.above, "n": entry.n, "model": entry.model,
            "certainty": entry.certainty, "source": entry.source, "note": entry.note,
        },
        "difference": _finite(row.judged.difference),
        "tolerance": _finite(row.judged.tolerance),
        "verdict": row.judged.verdict,
        "reason": row.judged.reason,
        "deviations": [comparison.deviations[deviation] for deviation in row.deviations],
        "remarks": list(row.remarks),
    }  # fmt: skip


def _finite(number: Any) -> Any:
    return None if isinstance(number, float) and number in (float("inf"), float("-inf")) else number


def csv_text(comparison: Comparison) -> str:
    """One line a row; what is a mapping in the JSON has columns of its own."""
    lines = [_flat(_row(row, comparison)) for row in comparison.rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found.update({f"{key}_{inner}": one for inner, one in value.items() if inner != "range"})
            if "range" in value:
                found[f"{key}_least"], found[f"{key}_most"] = value["range"] or ("", "")
        elif isinstance(value, list):
            found[key] = " ".join(str(one) for one in value)
        elif not (key == "ours" and value is None):
            found[key] = value
    return found


def markdown(comparison: Comparison) -> str:
    """For a README or an issue."""
    lines = [f"# {_plain(comparison.run)} beside {comparison.reference.title}", ""]
    lines += [f"> **{line}**" if at == 0 else f"> {line}" for at, line in enumerate(comparison.warnings)]
    lines += ["", *comparison.notes, *(words.tally(comparison, kind) for kind in words.KINDS)]
    if comparison.reference.levels:
        lines.append(f"Go by the differences: {comparison.reference.levels}.")
    for figure in comparison.figures:
        lines += ["", f"## {figure.title}"]
        for kind, heading in words.KINDS.items():
            for table in words.tables(comparison.rows_of(figure, kind), comparison):
                lines += ["", f"{heading} on {_plain(table.on)}, {table.units}:", "", *_table(table)]
        lines += ["", *(f"- {words.remark(one)}" for one in words.remarks_of(figure, comparison))]
    lines += ["", "## What is otherwise", ""]
    lines += [f"- **{name}** {_plain(words.deviation(one))}" for one, name in comparison.deviations.items()]
    lines += [f"- {words.remark(one)}" for one in words.general_remarks(comparison)]
    if comparison.reference.absent:
        lines += ["", "## Not in the reference", "", *(f"- {line}" for line in comparison.reference.absent)]
    return "\n".join(lines).strip() + "\n"


def _table(table: words.TableOf) -> list[str]:
    lines = [_line(_HEADINGS), "|" + "---|" * len(_HEADINGS)]
    for row, cells, own in zip(table.rows, table.cells, table.own, strict=True):
        lines.append(_line([row.model, *cells.values(), row.judged.reason, own]))
    return [*lines, "", f"Otherwise in all rows: {table.shared}."] if table.shared else lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Names come from recipes: none of them is markup."""
    for mark in ("\\", "|", "<", "*", "_", "`", "[", "]"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
