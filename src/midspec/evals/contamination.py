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
from midspec.evals.banks import bank_sha256, load_bank
from midspec.evals.config import GATE_VERSION as VERSION
from midspec.evals.config import PROMPT_PREFIX, GateStepConfig, QuestionGateStepConfig, bank_of
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
    """Role of the input: `corpus/<name>`, `demonstrations`, `instruct`, or one of several: `demonstrations/<name>`."""
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
    """Search the inputs (`corpus/<name>`: `documents.jsonl`; `demonstrations`, `demonstrations/<name>`:
    `demonstrations.jsonl`; `instruct`, `instruct/<name>`: `instruct.jsonl`).

    Writes `gate.json`: checked_items, checked_rows, findings (item, source, row, overlap; at most ROWS_KEPT rows per
    item and source). Ids of agentic prompts begin with PROMPT_PREFIX: they are no ids of rows, so that nothing is left
    out for them. Summary: checked_items, checked_rows, contaminated_items, occurrences, warnings. Raises StepError
    where a bank changed after planning.
    """
    config: GateStepConfig = context.config
    items = _bank_items(config)
    if isinstance(config, QuestionGateStepConfig):
        items += _question_items(config)
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
    found = {finding.item for finding in findings}
    prompts = sorted(item for item in found if item.startswith(PROMPT_PREFIX))
    contaminated = len(found) - len(prompts)
    warnings: list[str] = []
    if contaminated:
        warnings.append(
            f"{contaminated} of {len(items)} evaluation items stand in the training data and are left out of all rates"
        )
    if prompts:
        warnings.append(
            f"{len(prompts)} agentic prompts share eight words or more with the training data, which is not enough to "
            f"leave a cell out: see gate.json, e.g. {prompts[0]}"
        )
    return {
        "checked_items": len(items),
        "checked_rows": checked.total(),
        "contaminated_items": contaminated,
        "occurrences": len(findings),
        "warnings": warnings,
    }


def _bank_items(config: GateStepConfig) -> list[BankItem]:
    items: list[BankItem] = []
    for name, sha256 in config.banks.items():
        task, value = bank_of(name)
        if bank_sha256(task, value) != sha256:
            raise StepError(f"the bank of {name} has changed since this run was planned; start the run again")
        items += load_bank(task, value)
    return items


def _question_items(config: QuestionGateStepConfig) -> list[BankItem]:
    """Questions outside the banks; what two evaluations share is looked for once."""
    found: dict[str, BankItem] = {}
    for entry in config.asked:
        if entry.questions_sha256() != config.questions[entry.name]:
            raise StepError(f"the questions of {entry.name} have changed since this run was planned; start again")
        found.update((item.id, item) for item in entry.gate_items(config.identity))
    return list(found.values())


def _training_texts(inputs: Mapping[str, Path]) -> Iterator[TrainingText]:
    for role, folder in sorted(inputs.items()):
        if role.startswith("corpus/"):
            for document in read_rows(folder / "documents.jsonl", Document):
                yield TrainingText(role, document.id, document.text)
        else:
            for example in read_rows(folder / f"{role.partition('/')[0]}.jsonl", ChatExample):
                text = "\n".join(message.content for message in example.messages)
                yield TrainingText(role, example.id, text)


def _counted(rows: Iterable[TrainingText], checked: Counter[str], progress: Progress) -> Iterator[TrainingText]:
    progress.start(None, "rows")
    for row in rows:
        checked[row.source] += 1
        progress.advance()
        yield row
