"""Open QA as a step: questions asked of one checkpoint, answers graded by the spec; `rows.jsonl` and Inspect logs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import read_eval_log, recompute_metrics, write_eval_log

from midspec.evals.open_qa.config import VERSION, OpenQAStepConfig, asked_questions
from midspec.evals.open_qa.grading import Graded, grade
from midspec.evals.open_qa.results import SECOND, agreement, means
from midspec.evals.open_qa.sampling import Planned, sample_answers
from midspec.evals.open_qa.task import as_score
from midspec.evals.sampling import Sampled, to_read
from midspec.llm.desk import Desk
from midspec.llm.fan_out import gathered
from midspec.records import EvalRow, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Ask, grade, and write `rows.jsonl` (EvalRow, sample by sample in the order of the questions) and `logs/`.

    Row: `domain` the dimension, `topic` the form, `score` the first judge's grade or `unscored` why there is none;
    facets `notes`, and with a second judge `second_score`, `second_notes`, `second_unscored`. Input `checkpoint`
    (optional) as in `midspec.evals.step`. Answers (`samples.jsonl`) and judges' replies (journal) outlive a kill.
    Summary: items, unscored by reason, means (see `results.Mean`), agreement, dollars and tokens of the judges. Raises
    StepError where the model answered nothing.
    """
    config: OpenQAStepConfig = context.config
    questions = asked_questions(config, context.inputs)
    planned = [Planned(question, sample) for sample in range(config.eval.samples) for question in questions]
    answers = sample_answers(context, config, questions)
    graded, tallies = asyncio.run(_graded(context, config, planned, answers))
    rows = [
        _row(one, answers.get((one.question.id, one.sample)), grades)
        for one, grades in zip(planned, graded, strict=True)
    ]
    write_rows(context.folder / "rows.jsonl", rows)
    _into_logs(context.folder / "logs", {one.id: grades[0] for one, grades in zip(planned, graded, strict=True)})
    agreed = agreement(rows)
    return {
        "items": len(rows),
        "served": context.compute.serve,
        "unscored": dict(sorted(Counter(row.unscored for row in rows if row.unscored is not None).items())),
        "means": [mean._asdict() for mean in means(rows)],
        "agreement": agreed._asdict() if agreed else None,
        **tallies,
    }


async def _graded(
    context: Context, config: OpenQAStepConfig, planned: Sequence[Planned], answers: Mapping[tuple[str, int], Sampled]
) -> tuple[list[list[Graded]], dict[str, Any]]:
    """(of each answer, the grades by judge; the judges' tallies added up)"""
    async with Desk(context) as desk:
        scribes = [desk.scribe(judge, "judge") for judge in config.judges]
        context.progress.start(len(planned), "answers graded")

        async def one(asked: Planned) -> list[Graded]:
            read = to_read(answers.get((asked.question.id, asked.sample)), config.eval.judge_sees)
            found = [
                await grade(scribe, config.spec_text, config.identity, asked.question.question, read)
                for scribe in scribes
            ]
            context.progress.advance()
            return found

        found = await gathered(planned, one)
        tallies = [scribe.tally.summary() for scribe in scribes]
    total = {name: sum(tally[name] for tally in tallies) for name in tallies[0] if name != "rejected"}
    rejected = Counter[str]()
    for tally in tallies:
        rejected.update(tally["rejected"])
    return found, {**total, "rejected": dict(sorted(rejected.items()))}


def _row(one: Planned, answer: Sampled | None, grades: Sequence[Graded]) -> EvalRow:
    facets: dict[str, float | str | None] = {"notes": grades[0].notes}
    if answer is not None:
        facets["stop_reason"] = answer.stop_reason
    if len(grades) > 1:
        second = grades[1]
        facets |= {SECOND: second.score, "second_notes": second.notes, "second_unscored": second.unscored}
    return EvalRow(
        eval="open-qa",
        item=one.question.id,
        domain=one.question.dimension,
        topic=one.question.form,
        difficulty="",
        answers=() if answer is None else (answer.text,),
        score=grades[0].score,
        unscored=grades[0].unscored,
        facets=facets,
        sample=one.sample,
    )


def _into_logs(folder: Path, grades: Mapping[str, Graded]) -> None:
    """Put the grades into Inspect's logs, for its viewer."""
    for path in sorted(folder.glob("*.eval")):
        log = read_eval_log(str(path))
        if log.status != "success":  # of a run that was killed
            continue
        for sample in log.samples or []:
            sample.scores = {"grade": as_score(grades[str(sample.id)])}
        recompute_metrics(log)
        write_eval_log(log)
