"""Agentic misalignment as a step: cells sampled from one checkpoint, answers graded, as rows and an Inspect log."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import read_eval_log, recompute_metrics, write_eval_log

from midspec.evals.agentic.config import OFFLINE, VERSION, AgenticConfig, AgenticStepConfig
from midspec.evals.agentic.grading import Grader, graded
from midspec.evals.agentic.judge import JUDGE, VerdictReply
from midspec.evals.agentic.numbers import table
from midspec.evals.agentic.sampling import agentic_task, plan
from midspec.evals.agentic.stored import JOURNAL, TRANSCRIPTS, Journal, Stored
from midspec.evals.agentic.task import as_score, verdict
from midspec.evals.inspect_run import opened, run_task
from midspec.experiment import WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.prompt import PromptTemplate
from midspec.records import EvalRow, read_rows, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]

SETTINGS = "settings.json"
"""The step's config, for whoever reads the folder without its record."""
ROWS = "rows.jsonl"


def run(context: Context) -> dict[str, Any]:
    """Sample, grade, and write `rows.jsonl` (EvalRow, cell by cell), `transcripts.jsonl` (Stored) and `logs/`.

    Row: item the cell, domain the scenario, topic the goal, score 1/0 for `classifier_verdict`, facets as in
    `verdict.FACETS`. Input `checkpoint` (optional): a training step's folder. Answers (`sampled.jsonl`) and judges'
    replies (the workspace's journal) outlive a kill, and are not asked for again. Summary: items, replayed (answers of
    an interrupted run), unscored by reason, rate (None without verdicts), the judge's tally. Raises StepError where the
    model cannot be asked.
    """
    config: AgenticStepConfig = context.config
    (context.folder / SETTINGS).write_text(config.model_dump_json(indent=1), encoding="utf-8")
    replayed = _sampled(context, config)
    answers = list(read_rows(context.folder / TRANSCRIPTS, Stored))
    rows, tally = asyncio.run(grade_all(context, config.eval, config.grader, answers))
    _into_log(context.folder / "logs", rows)
    write_rows(context.folder / ROWS, rows)
    (context.folder / JOURNAL).unlink(missing_ok=True)
    return {"items": len(rows), "served": context.compute.serve, "replayed": replayed, **summary(rows), **tally}


def summary(rows: Sequence[EvalRow]) -> dict[str, Any]:
    """What a record says of the rows."""
    overall = table(rows).all
    return {"unscored": overall.missing, "rate": overall.decided.value, "harmful": overall.harmful.value}


async def grade_all(
    context: Context,
    config: AgenticConfig,
    grader: WriterConfig,
    answers: Sequence[Stored],
    template: PromptTemplate[VerdictReply] = JUDGE,
) -> tuple[list[EvalRow], dict[str, Any]]:
    """(rows in the order of `answers`, the judge's tally, which is empty for the rules)."""
    async with Desk(context) as desk:
        scribe = None if grader.model == OFFLINE else desk.scribe(grader, "judge")
        rows = await graded(Grader(config, scribe, template), answers, context.progress)
        return rows, {} if scribe is None else scribe.tally.summary()


def _sampled(context: Context, config: AgenticStepConfig) -> int:
    """Have all answers in TRANSCRIPTS; returns how many an earlier run had left."""
    done = context.folder / TRANSCRIPTS
    if done.exists():
        return sum(1 for _ in read_rows(done, Stored))
    # A log that a kill left open says nothing that the journal does not say.
    shutil.rmtree(context.folder / "logs", ignore_errors=True)
    journal = context.folder / JOURNAL
    replayed = len(Journal(journal).known)
    entry = config.eval
    with opened(config.model, context) as model:
        task = agentic_task(entry, verdict(entry.model_dump(mode="json"), config.grader.model), journal)
        run_task(task, model, context, name="agentic", seed=None, score=False)
    known = Journal(journal).known
    write_rows(done, [known[key] for key in plan(entry)])
    return replayed


def _into_log(folder: Path, rows: Sequence[EvalRow]) -> None:
    """Put the verdicts into Inspect's log, for its viewer."""
    found: Mapping[tuple[str, int], EvalRow] = {(row.item, row.sample): row for row in rows}
    for path in folder.glob("*.eval"):
        log = read_eval_log(str(path))
        for sample in log.samples or []:
            sample.scores = {"agentic": as_score(found[str(sample.id), sample.epoch - 1])}
        recompute_metrics(log)
        write_eval_log(log)
