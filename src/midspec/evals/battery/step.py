"""Ask all parts of a battery of one checkpoint: `rows.jsonl`, `parts/`, and Inspect's logs."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_ai.log import read_eval_log, recompute_metrics, write_eval_log
from inspect_ai.scorer import Score

from midspec.evals.battery.choosing import read_said, rotations
from midspec.evals.battery.config import BatteryConfig, BatteryStepConfig
from midspec.evals.battery.parts import Answers, Choices, Part, answer_row, choice_row
from midspec.evals.battery.passes import choice_task, said_prompts
from midspec.evals.battery.results import measures
from midspec.evals.battery.sampling import sampled
from midspec.evals.inspect_run import opened, run_task
from midspec.evals.sampling import Sampled, Sampling, to_read
from midspec.evals.tasks import WholePass
from midspec.llm.desk import Desk
from midspec.llm.fan_out import gathered
from midspec.records import EvalRow, read_rows, write_rows
from midspec.steps.step import Context

if TYPE_CHECKING:
    from inspect_ai.model import Model

NO_LIKELIHOODS = "the model gives no log-probabilities of whole replies"


def run_battery(
    context: Context, settings: BatteryConfig, parts: Sequence[Part], *, earlier: Sequence[EvalRow] = ()
) -> dict[str, Any]:
    """Write `rows.jsonl` (EvalRow, part by part, sample by sample, in the order of the items) and return the summary.

    `earlier`: rows of parts that were asked in another way, put first. What was sampled, judged or scored before an
    interruption is not asked again: free answers and written letters lie in `answers.jsonl` and `letters.jsonl`,
    judgements in the journal, scored parts in `parts/`. Summary: items, unscored by reason, measures (see
    `results.Measure`), not_run (part -> why), tokens and dollars of the judge. Raises StepError where the model answers
    nothing.
    """
    config: BatteryStepConfig = context.config
    rows: dict[str, list[EvalRow]] = {}
    not_run = {part.name: "there are no items for it" for part in parts if not part.items}
    parts = [part for part in parts if part.items]
    letters = answers = dict[tuple[str, int], Sampled]()
    with opened(config.model, context, local=True) as model:  # servers give no likelihoods of whole texts
        scores = isinstance(model.api, WholePass)
        said: list[Choices] = []
        for part in parts:
            if not isinstance(part, Choices):
                continue
            if part.way == "said" or (part.way == "letter" and not scores):
                said.append(part)
            elif scores:
                rows[part.name] = _scored(context, model, part, settings)
            else:
                not_run[part.name] = NO_LIKELIHOODS
        prompts = {key: prompt for part in said for key, prompt in said_prompts(part).items()}
        free = {
            f"{part.name}/{item.id}": item.prompt for part in parts if isinstance(part, Answers) for item in part.items
        }
        if prompts:
            letters = sampled(context, model, prompts, _letters(settings), "letters")
        if free:
            answers = sampled(context, model, free, _free(settings), "answers")
    for part in said:
        rows[part.name] = [_said_row(part, index, letters) for index in range(len(part.items))]
    graded, tally = asyncio.run(
        _graded(context, settings, [part for part in parts if isinstance(part, Answers)], answers)
    )
    rows.update(graded)
    written = [*earlier, *(row for part in parts for row in rows.get(part.name, ()))]
    write_rows(context.folder / "rows.jsonl", written)
    _into_logs(context.folder / "logs", written)
    return {
        "items": len(written),
        "unscored": dict(sorted(Counter(row.unscored for row in written if row.unscored is not None).items())),
        "measures": [one._asdict() for one in measures(written)],
        "not_run": not_run,
        "warnings": [f"{name} was not asked: {why}" for name, why in not_run.items()],
        **tally,
    }


def _scored(context: Context, model: Model, part: Choices, settings: BatteryConfig) -> list[EvalRow]:
    """The rows of a part that the model scores in one pass, kept when they are whole."""
    kept = context.folder / "parts" / f"{part.name.replace('/', '-')}.jsonl"
    if kept.exists():
        return list(read_rows(kept, EvalRow))
    log = run_task(choice_task(part, settings.letter_tokens), model, context, name=part.name, seed=settings.seed)
    readings = {str(sample.id): (sample.scores or {})["right_option"].metadata or {} for sample in log.samples or []}
    found = [choice_row(part, item, readings[item.id]) for item in part.items]
    kept.parent.mkdir(exist_ok=True)
    write_rows(kept, found)
    return found


def _said_row(part: Choices, index: int, letters: Mapping[tuple[str, int], Sampled]) -> EvalRow:
    item = part.items[index]
    given = [
        to_read(letters.get((f"{part.name}/{item.id}/{turn}", 0)), "answer") for turn in range(len(rotations(item)))
    ]
    return choice_row(part, item, read_said(item, given)._asdict())


async def _graded(
    context: Context,
    settings: BatteryConfig,
    parts: Sequence[Answers],
    answers: Mapping[tuple[str, int], Sampled],
) -> tuple[dict[str, list[EvalRow]], dict[str, Any]]:
    """(rows by part, the judge's tally)"""
    asked = [(part, item, n) for part in parts for n in range(settings.samples) for item in part.items]
    if not asked:
        return {}, {}
    async with Desk(context) as desk:
        scribe = desk.scribe(context.config.judge, "judge")
        context.progress.start(len(asked), "answers graded")

        async def one(this: tuple[Answers, Any, int]) -> EvalRow:
            part, item, sample = this
            answer = answers.get((f"{part.name}/{item.id}", sample))
            # Nothing written is an answer, and keeps no instruction; thinking that was cut off is none.
            empty = answer is not None and not answer.text.strip()
            found = await part.grade(item, "" if empty else to_read(answer, "answer"), scribe)
            context.progress.advance()
            return answer_row(part, item, sample, None if answer is None else answer.text, found)

        rows = await gathered(asked, one)
        tally = scribe.tally.summary()
    found: defaultdict[str, list[EvalRow]] = defaultdict(list)
    for row in rows:
        found[row.eval].append(row)
    return dict(found), tally


def _letters(settings: BatteryConfig) -> Sampling:
    return Sampling(0.0, max(16, settings.letter_tokens), settings.seed)


def _free(settings: BatteryConfig) -> Sampling:
    return Sampling(settings.temperature, settings.max_tokens, settings.seed, settings.samples)


def _into_logs(folder: Path, rows: Sequence[EvalRow]) -> None:
    """Put what was graded later into Inspect's logs, for its viewer."""
    found = {(f"{row.eval}/{row.item}", row.sample): row for row in rows}
    for path in sorted(folder.glob("*.eval")):
        log = read_eval_log(str(path))
        if log.status != "success" or log.eval.task not in ("answers", "letters"):  # killed, or scored already
            continue
        for sample in log.samples or []:
            key, _, number = str(sample.id).rpartition("#")
            row = found[key if log.eval.task == "answers" else key.rpartition("/")[0], int(number)]
            sample.scores = {
                "grade": Score.unscored(reason=row.unscored)
                if row.score is None
                else Score(value=row.score, metadata=dict(row.facets))
            }
        recompute_metrics(log)
        write_eval_log(log)
