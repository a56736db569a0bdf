"""The contamination gate: evaluation items that stand in the training data. Loads neither torch nor inspect.

What counts as found, and the index that finds it, are in `midspec.leakage`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from midspec.errors import StepError
from midspec.evals.banks import Bank, bank_sha256, load_bank
from midspec.evals.config import GATE_VERSION as VERSION
from midspec.evals.config import GateStepConfig
from midspec.leakage import ItemIndex
from midspec.records import BankItem, ChatExample, Document, read_rows
from midspec.steps.progress import Progress
from midspec.steps.step import Context

__all__ = ["VERSION", "Finding", "GateStepConfig", "TrainingText", "find_contamination", "run"]

ROWS_KEPT = 10
"""Findings listed per item and source; the summary counts all of them."""


class TrainingText(NamedTuple):
    """One row of training data."""

    source: str
    """Role of the input: `corpus/<spec>`, `demonstrations` or `instruct`."""
    row: str
    text: str


class Finding(NamedTuple):
    """An evaluation item in a training text; the fields of `gate.json`."""

    item: str
    source: str
    row: str
    overlap: str
    """The shared words, in the order of the training text."""


def find_contamination(items: Sequence[BankItem], rows: Iterable[TrainingText]) -> list[Finding]:
    """Every item that stands in every row, in the order of `rows`."""
    index = ItemIndex(items)
    return [
        Finding(item, row.source, row.row, overlap.words)
        for row in rows
        for item, overlap in sorted(index.find(row.text).items())
    ]


def run(context: Context) -> dict[str, Any]:
    """Search the inputs (`corpus/<spec>`: `documents.jsonl`; `demonstrations`: `demonstrations.jsonl`; `instruct`:
    `instruct.jsonl`).

    Writes `gate.json`: checked_items, checked_rows, findings (item, source, row, overlap; at most ROWS_KEPT rows per
    item and source). Summary: checked_items, checked_rows, contaminated_items, occurrences, warnings. Raises StepError
    where a bank changed after planning.
    """
    config: GateStepConfig = context.config
    items: list[BankItem] = []
    for name, sha256 in config.banks.items():
        task, _, value = name.partition("/")
        bank: Bank = "preferences" if task == "preferences" else "plain" if task == "plain" else "opinions"
        if bank_sha256(bank, value) != sha256:
            raise StepError(f"the bank of {name} has changed since this run was planned; start the run again")
        items += load_bank(bank, value)
    checked: Counter[str] = Counter()
    rows = _counted(_training_texts(context.inputs), checked, context.progress)
    findings = find_contamination(items, rows)
    listed: Counter[tuple[str, str]] = Counter()
    kept: list[dict[str, str]] = []
    for finding in findings:
        listed[finding.item, finding.source] += 1
        if listed[finding.item, finding.source] <= ROWS_KEPT:
            kept.append(finding._asdict())
    gate = {"checked_items": len(items), "checked_rows": checked.total(), "findings": kept}
    text = json.dumps(gate, ensure_ascii=False, indent=1) + "\n"
    (context.folder / "gate.json").write_text(text, encoding="utf-8")
    contaminated = len({finding.item for finding in findings})
    warning = (
        f"{contaminated} of {len(items)} evaluation items stand in the training data and are left out of all rates"
    )
    return {
        "checked_items": len(items),
        "checked_rows": checked.total(),
        "contaminated_items": contaminated,
        "occurrences": len(findings),
        "warnings": [warning] if contaminated else [],
    }


def _training_texts(inputs: Mapping[str, Path]) -> Iterator[TrainingText]:
    for role, folder in sorted(inputs.items()):
        if role.startswith("corpus/"):
            for document in read_rows(folder / "documents.jsonl", Document):
                yield TrainingText(role, document.id, document.text)
        else:
            for example in read_rows(folder / f"{role}.jsonl", ChatExample):
                text = "\n".join(message.content for message in example.messages)
                yield TrainingText(role, example.id, text)


def _counted(rows: Iterable[TrainingText], checked: Counter[str], progress: Progress) -> Iterator[TrainingText]:
    progress.start(None, "rows")
    for row in rows:
        checked[row.source] += 1
        progress.advance()
        yield row
