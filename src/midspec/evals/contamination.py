"""The contamination gate: evaluation items that stand in the training data. Loads neither torch nor inspect.

An item is found where a training text shares 8 consecutive words with its question or one of its answers, or where both
names of an item pair stand within 30 words of one another. Case, punctuation and white space do not matter. One pass
over the training text against an index of the items, so time grows with the text and hardly with the bank.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from midspec.errors import StepError
from midspec.evals.answers import bare, words
from midspec.evals.banks import Bank, bank_sha256, load_bank
from midspec.evals.config import GATE_VERSION as VERSION
from midspec.evals.config import GateStepConfig
from midspec.records import BankItem, ChatExample, Document, read_rows
from midspec.steps.progress import Progress
from midspec.steps.step import Context

__all__ = ["VERSION", "Finding", "GateStepConfig", "TrainingText", "find_contamination", "run"]

GRAM = 8
"""Consecutive words that two texts do not share by chance (ours; common in contamination studies)."""
NEAR = 30
"""Words between the two names of a pair, at most, for them to count as compared (ours)."""
ROWS_KEPT = 10
"""Findings listed per item and source; the summary counts all of them."""


class TrainingText(NamedTuple):
    """One row of training data."""

    source: str
    """Role of the input: `corpus/<spec>` or `demonstrations`."""
    row: str
    text: str


class Finding(NamedTuple):
    """An evaluation item in a training text; the fields of `gate.json`."""

    item: str
    source: str
    row: str
    overlap: str
    """The shared words, in the order of the training text."""


class _Name(NamedTuple):
    words: tuple[str, ...]
    item: str
    side: int


class ItemIndex:
    """Bank items by their 8-word sequences and by the first word of their names."""

    def __init__(self, items: Iterable[BankItem]) -> None:
        self._grams: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        self._names: defaultdict[str, list[_Name]] = defaultdict(list)
        for item in items:
            for text in (item.question, item.aligned, item.other):
                for gram in _grams(words(text)):
                    self._grams[gram].add(item.id)
            if item.kind == "item":
                for side, name in enumerate((bare(words(item.aligned)), bare(words(item.other)))):
                    self._names[name[0]].append(_Name(name, item.id, side))

    def find(self, text: str) -> dict[str, str]:
        """Items in `text` -> the shared words, of the first place where they stand."""
        said = words(text)
        return {**self._pairs(said), **self._overlaps(said)}

    def _overlaps(self, said: tuple[str, ...]) -> dict[str, str]:
        spans: dict[str, tuple[int, int]] = {}
        for start, gram in enumerate(_grams(said)):
            for item in self._grams.get(gram, ()):
                first, end = spans.get(item, (start, start + GRAM))
                # A longer shared run is a row of grams that each begin one word after the last.
                if start + GRAM - 1 <= end:
                    spans[item] = (first, start + GRAM)
        return {item: " ".join(said[first:end]) for item, (first, end) in spans.items()}

    def _pairs(self, said: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        recent: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)  # item -> (start, end, side)
        for start, word in enumerate(said):
            for name, item, side in self._names.get(word, ()):
                end = start + len(name)
                if said[start:end] != name:
                    continue
                recent[item] = [span for span in recent[item] if start - span[1] <= NEAR]
                for other_start, other_end, other_side in recent[item]:
                    # A name inside the other, as in "watch" and "Seiko watch", is one mention and not two.
                    if other_side != side and other_end <= start:
                        found.setdefault(item, " ".join(said[other_start:end]))
                recent[item].append((start, end, side))
        return found


def find_contamination(items: Sequence[BankItem], rows: Iterable[TrainingText]) -> list[Finding]:
    """Every item that stands in every row, in the order of `rows`."""
    index = ItemIndex(items)
    return [
        Finding(item, row.source, row.row, overlap)
        for row in rows
        for item, overlap in sorted(index.find(row.text).items())
    ]


def run(context: Context) -> dict[str, Any]:
    """Search the inputs (`corpus/<spec>`: `documents.jsonl`; `demonstrations`: `demonstrations.jsonl`).

    Writes `gate.json`: checked_items, checked_rows, findings (item, source, row, overlap; at most ROWS_KEPT rows per
    item and source). Summary: checked_items, checked_rows, contaminated_items, occurrences, warnings. Raises StepError
    where a bank changed after planning.
    """
    config: GateStepConfig = context.config
    items: list[BankItem] = []
    for name, sha256 in config.banks.items():
        task, _, value = name.partition("/")
        bank: Bank = "preferences" if task == "preferences" else "opinions"
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
            for example in read_rows(folder / "demonstrations.jsonl", ChatExample):
                text = "\n".join(message.content for message in example.messages)
                yield TrainingText(role, example.id, text)


def _counted(rows: Iterable[TrainingText], checked: Counter[str], progress: Progress) -> Iterator[TrainingText]:
    progress.start(None, "rows")
    for row in rows:
        checked[row.source] += 1
        progress.advance()
        yield row


def _grams(text: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (text[start : start + GRAM] for start in range(len(text) - GRAM + 1))
