"""The tables of the report as plain rows: shares as fractions, as in results.json, one header, no units in cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from midspec.report.finding import oriented
from midspec.report.results import Results

Table = tuple[list[str], list[list[Any]]]
"""Header and rows; None = there is no such number."""

_FORMULA = re.compile(r"^\s*[=+\-@\t\r]")


def as_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """RFC 4180. Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _arms(results: Results) -> Table:
    fields = ("n", "items", "rate", "low", "high", "shift", "shift_low", "shift_high", "undecided", "position_bias",
              "missing", "least", "most")  # fmt: skip
    rows = [
        [name, arm.msm, arm.aft, of, *(getattr(score, field) for field in fields)]
        for name, arm in results.arms.items()
        for of, score in arm.evals.items()
    ]
    return ["arm", "msm", "aft", "eval", *fields], rows


def _measures(results: Results) -> Table:
    fields = ("measure", "part", "scale", "n", "items", "missing", "value", "low", "high", "least", "most", "change",
              "change_low", "change_high")  # fmt: skip
    rows = [
        [name, arm.msm, arm.aft, of, *(getattr(one, field) for field in fields)]
        for name, arm in results.arms.items()
        for of, shown in arm.measures.items()
        for one in shown
    ]
    return ["arm", "msm", "aft", "eval", *fields], rows


def _differences(results: Results) -> Table:
    matched = {(one.arm, one.versus): one for one in results.matches}

    def trained(arm: str, versus: str) -> list[Any]:
        found = matched.get((arm, versus)) or matched.get((versus, arm))
        return [None, None] if found is None else [found.matched, found.words]

    rows: list[list[Any]] = []
    for one in oriented(results):
        ends = trained(one.arm, one.versus)
        names = [one.arm, one.versus, one.n]
        rows.append([one.eval, "rate", "share", *names, one.rate, one.rate_low, one.rate_high, *ends])
        if one.shift is not None:
            rows.append([one.eval, "shift", "nats", *names, one.shift, one.shift_low, one.shift_high, *ends])
    for one in results.differences:
        names = [one.arm, one.versus, one.n]
        ends = trained(one.arm, one.versus)
        rows.append([one.eval, one.measure, one.scale, *names, one.value, one.low, one.high, *ends])
    header = ["eval", "measure", "scale", "arm", "versus", "n", "value", "low", "high", "matched", "trained"]
    return header, rows


def _claims(results: Results) -> Table:
    fields = ("text", "verdict", "kind", "eval", "measure", "part", "scale", "arm", "versus", "margin", "value", "low",
              "high", "corrected_low", "corrected_high", "corrected_level", "p", "p_adjusted", "family", "pairs",
              "clusters", "unit", "holds_for", "missing", "detectable")  # fmt: skip
    return list(fields), [[getattr(one, field) for field in fields] for one in results.claims]


def _amounts(results: Results) -> Table:
    fields = ("arm", "amount", "tokens", "value", "low", "high", "fitted")
    rows = [
        [one.eval, one.measure, one.over, line.label, *(getattr(point, field) for field in fields)]
        for one in results.scaling
        for line in one.lines
        for point in line.points
    ]
    return ["eval", "measure", "over", "line", *fields], rows


def _savings(results: Results) -> Table:
    fields = ("line", "reference", "outcome", "times", "low", "high", "sentence")
    rows = [
        [one.eval, one.measure, *(getattr(saving, field) for field in fields)]
        for one in results.scaling
        for saving in one.savings
    ]
    return ["eval", "measure", *fields], rows


def _cells(results: Results) -> Table:
    rows = [
        [
            one.eval,
            one.measure,
            cell,
            one.scenarios[at],
            one.goals[at],
            arm,
            shares[at].n,
            shares[at].read,
            shares[at].value,
        ]
        for one in results.cells
        for arm, shares in one.arms.items()
        for at, cell in enumerate(one.cells)
    ]
    return ["eval", "measure", "cell", "scenario", "goal", "arm", "n", "read", "value"], rows


def _reasoning(results: Results) -> Table:
    found = results.reasoning
    fields = ("theme", "arm", "n", "read", "value", "low", "high", "least", "most")
    return list(fields), [] if found is None else [[getattr(one, name) for name in fields] for one in found.shares]


def _training(results: Results) -> Table:
    rows = [[curve.step, curve.kind, update, loss] for curve in results.curves for update, loss in curve.points]
    return ["step", "kind", "update", "loss"], rows


def _corpora(results: Results) -> Table:
    rows = [
        [corpus.spec, corpus.about, corpus.writer, row.section, row.documents, row.words]
        for corpus in results.corpora
        for row in corpus.coverage
    ]
    return ["corpus", "spec", "writer", "section", "documents", "words"], rows


def _health(results: Results) -> Table:
    fields = ("name", "verdict", "flagged", "of", "limit", "says")
    rows = [[one.corpus, *(getattr(check, name) for name in fields)] for one in results.health for check in one.checks]
    return ["corpus", *fields], rows


def _steps(results: Results) -> Table:
    rows = [
        [step.kind, step.name, step.fingerprint, step.seconds, step.summary.get("tokens"), step.summary.get("dollars")]
        for step in results.steps
    ]
    return ["kind", "name", "fingerprint", "seconds", "tokens", "dollars"], rows


def _checkpoints(results: Results) -> Table:
    rows = [
        [name, entry.seed, entry.checkpoint, " ".join(entry.parents)]
        for name, arm in results.arms.items()
        for entry in arm.seeds
    ]
    return ["arm", "seed", "checkpoint", "training_steps"], rows


TABLES: Mapping[str, Callable[[Results], Table]] = {
    "arms": _arms,
    "measures": _measures,
    "differences": _differences,
    "claims": _claims,
    "amounts": _amounts,
    "savings": _savings,
    "cells": _cells,
    "reasoning": _reasoning,
    "training": _training,
    "corpora": _corpora,
    "health": _health,
    "steps": _steps,
    "checkpoints": _checkpoints,
}
"""Name of the file -> its rows."""
