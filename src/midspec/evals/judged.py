"""Scoring `judge`: free answers are sampled once, kept, and read by a judge whose replies are kept too."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import read_eval_log, recompute_metrics, write_eval_log

from midspec.evals.config import JudgedStepConfig
from midspec.evals.readings import Reading
from midspec.evals.tasks import as_score
from midspec.evals.verdicts import judge_choice
from midspec.llm.desk import Desk
from midspec.llm.fan_out import gathered
from midspec.records import BankItem, EvalRow, Row, read_rows, write_rows
from midspec.steps.step import Context

KEPT = "answers.jsonl"
"""What was sampled, so that a killed step does not sample again."""


class FreeAnswers(Row):
    """The free answers to one item, one per order asked."""

    item: BankItem
    answers: tuple[str, ...]


def judged_rows(
    context: Context, config: JudgedStepConfig, sampled: Callable[[], list[tuple[BankItem, Any]]]
) -> tuple[list[EvalRow], dict[str, Any]]:
    """(rows in bank order, what the summary says of the judge: `unscored` by reason, and its tally).

    `sampled` gives items with Inspect's samples; it is not called where an earlier run kept the answers.
    """
    from midspec.evals.step import eval_row

    kept = context.folder / KEPT
    if not kept.exists():
        found = sampled()
        given = [(item, sample.scores["judged"].metadata["answers"]) for item, sample in found]
        write_rows(kept, [FreeAnswers(item=item, answers=tuple(answers)) for item, answers in given])
    asked = list(read_rows(kept, FreeAnswers))
    readings, tally = asyncio.run(_read(context, config, asked))
    _into_log(context.folder / "logs", asked, readings)
    rows = [
        eval_row(config, one.item, reading._asdict()).model_copy(
            update={"score": None if reading.aligned is None else float(reading.aligned)}
        )
        for one, reading in zip(asked, readings, strict=True)
    ]
    unscored = Counter(row.unscored for row in rows if row.unscored is not None)
    return rows, {"unscored": dict(sorted(unscored.items())), **tally}


async def _read(
    context: Context, config: JudgedStepConfig, asked: Sequence[FreeAnswers]
) -> tuple[list[Reading], dict[str, Any]]:
    async with Desk(context) as desk:
        scribe = desk.scribe(config.judge, "judge")
        context.progress.start(len(asked), "answers judged")

        async def read(one: FreeAnswers) -> Reading:
            reading = await judge_choice(scribe, one.item, config.eval.form, one.answers)
            context.progress.advance()
            return reading

        readings = await gathered(asked, read)
        return readings, scribe.tally.summary()


def _into_log(folder: Path, asked: Sequence[FreeAnswers], readings: Sequence[Reading]) -> None:
    """Put the verdicts into Inspect's log, for its viewer."""
    found = {one.item.id: reading for one, reading in zip(asked, readings, strict=True)}
    for path in sorted(folder.glob("*.eval")):
        log = read_eval_log(str(path))
        if log.status != "success":  # of a run that was killed
            continue
        for sample in log.samples or []:
            sample.scores = {"judged": as_score(found[str(sample.id)]._asdict(), sample.metadata)}
        recompute_metrics(log)
        write_eval_log(log)
