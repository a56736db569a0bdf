"""Rows of one evaluation as a block: items once, then columns for each arm and seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from midspec.evals.banks import Bank, load_bank
from midspec.evals.config import PROMPT_PREFIX
from midspec.evaluation import BANKS, Evaluation
from midspec.experiment import Experiment
from midspec.records import BankItem, EvalRow
from midspec.report.explorer.blocks import Limits, Table, evenly, rounded, useful

ALIGNED, OTHER, UNDECIDED, MISSING, GRADED = "aoumg"
"""What became of an answer, one letter a row."""


class Run(NamedTuple):
    """What one training seed of an arm answered."""

    arm: str
    seed: int
    rows: Sequence[EvalRow]


class RowsBlock(NamedTuple):
    """A block, and what did not go into it."""

    block: dict[str, Any]
    rows: int
    shown: int
    answers_cut: int
    """Answers that are shown shortened, or not at all."""
    characters: int
    """Of the answers that are shown."""


def questions(entry: Evaluation, experiment: Experiment) -> dict[str, BankItem]:
    """Item id -> what was asked, where the evaluation can tell: packaged banks and questions of a folder."""
    task = str(getattr(entry, "task", ""))
    if task in BANKS:
        bank: Bank = task  # pyright: ignore[reportAssignmentType]
        found = load_bank(bank, str(getattr(entry, "value", "")))
    else:
        found = entry.gate_items(experiment.identity)
    return {item.id.removeprefix(PROMPT_PREFIX): item for item in found}


def rows_block(
    runs: Sequence[Run], asked: Mapping[str, BankItem], excluded: Collection[str], limits: Limits, characters: int
) -> RowsBlock:
    """Columns of every run over one table of items.

    `limits.rows` and `characters`: what this evaluation may take. Beyond it each run shows rows that are spread evenly,
    and answers are left out.
    """
    total = sum(len(run.rows) for run in runs)
    texts, items = Table(), Table()
    spent = cut = shown = 0
    columns: list[dict[str, Any]] = []
    seen: dict[str, EvalRow] = {}
    for run in runs:
        some = evenly(run.rows, len(run.rows) * limits.rows // total) if total > limits.rows else list(run.rows)
        shown += len(some)
        answers: list[list[int]] = []
        for row in some:
            seen.setdefault(row.item, row)
            told: list[int] = []
            for answer in row.answers:
                short = answer[: limits.answer]
                cut += len(short) < len(answer) or spent + len(short) > characters
                if spent + len(short) > characters:
                    continue
                spent += len(short)
                told.append(texts.place(short if short == answer else f"{short} …"))
            answers.append(told)
        columns.append(
            {
                "arm": run.arm,
                "seed": run.seed,
                "of": len(run.rows),
                "items": [items.place(row.item) for row in some],
                "outcome": "".join(_outcome(row) for row in some),
                **useful({"odds": [rounded(row.log_odds) for row in some]}),
                **useful({"score": [rounded(row.score) for row in some]}),
                **useful({"orders": [[rounded(one) for one in row.by_order] for row in some]}, []),
                **useful({"answers": answers}, []),
                **useful({"why": [texts.place(row.unscored) for row in some]}, -1),
                **useful({"sample": [row.sample for row in some]}, 0),
                "facets": _facets(some, texts),
            }
        )  # fmt: skip
    block = {
        "items": [_item(seen[name], asked.get(name), name in excluded) for name in items.texts],
        "texts": texts.texts,
        "runs": columns,
    }
    return RowsBlock(block, total, shown, cut, spent)


def _outcome(row: EvalRow) -> str:
    if row.aligned is not None:
        return ALIGNED if row.aligned else OTHER
    if row.score is not None:
        return GRADED
    return MISSING if row.unscored is not None else UNDECIDED


def _item(row: EvalRow, asked: BankItem | None, excluded: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"id": row.item, "domain": row.domain, "topic": row.topic}
    if row.difficulty:
        told["difficulty"] = row.difficulty
    if excluded:
        told["excluded"] = 1
    if asked is not None:
        told |= {
            key: text
            for key, text in (("question", asked.question), ("aligned", asked.aligned), ("other", asked.other))
            if text
        }
    return told


def _facets(rows: Sequence[EvalRow], texts: Table) -> dict[str, list[Any]]:
    """Numbers as they are; texts by place, as `[place]`."""
    names = dict.fromkeys(name for row in rows for name in row.facets)
    found: dict[str, list[Any]] = {}
    for name in names:
        values = [row.facets.get(name) for row in rows]
        if any(value is not None for value in values):
            found[name] = [[texts.place(value)] if isinstance(value, str) else rounded(value) for value in values]
    return found
