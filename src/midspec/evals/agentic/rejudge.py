"""A second opinion: stored transcripts graded again, without asking the model, and how far both graders agree."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from midspec.errors import InputError
from midspec.evals.agentic.agreement import agreement
from midspec.evals.agentic.config import AgenticConfig, AgenticStepConfig, RejudgeConfig
from midspec.evals.agentic.judge import JUDGE, FilePrompt
from midspec.evals.agentic.step import ROWS, SETTINGS, grade_all, summary
from midspec.evals.agentic.stored import TRANSCRIPTS, Stored
from midspec.records import EvalRow, read_rows, write_rows
from midspec.steps.step import Context

STORED = (SETTINGS, TRANSCRIPTS, ROWS)
"""Files of an agentic evaluation that a second opinion needs."""


def run(context: Context) -> dict[str, Any]:
    """Write `rows.jsonl` with the second grader's verdicts and `agreement.json` (facet -> Agreement).

    Inputs: the files in STORED, by name. Summary: as of the evaluation, with `agreement`.
    """
    config: RejudgeConfig = context.config
    entry = _settings(context.inputs[SETTINGS] / SETTINGS).eval
    if config.rubric is not None:
        entry = AgenticConfig.model_validate({**entry.model_dump(), "rubric": config.rubric})
    answers = list(read_rows(context.inputs[TRANSCRIPTS] / TRANSCRIPTS, Stored))
    template = FilePrompt(config.prompt) if config.prompt is not None else JUDGE
    rows, tally = asyncio.run(grade_all(context, entry, config.grader, answers, template))
    write_rows(context.folder / ROWS, rows)
    agreed = agreement(list(read_rows(context.inputs[ROWS] / ROWS, EvalRow)), rows)
    plain = {facet: found._asdict() for facet, found in agreed.items()}
    (context.folder / "agreement.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return {"items": len(rows), **summary(rows), "agreement": plain, **tally}


def stored_evaluation(folder: Path) -> AgenticStepConfig:
    """What was asked and who graded it in `folder`. Raises InputError where it holds no agentic evaluation."""
    missing = [name for name in STORED if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} holds no {' and no '.join(missing)}; expected what `midspec eval agentic --out` wrote"
        )
    return _settings(folder / SETTINGS)


def _settings(path: Path) -> AgenticStepConfig:
    try:
        return AgenticStepConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise InputError(
            f"{path} is not of an agentic evaluation of this version ({error.errors()[0]['msg']}); evaluate again"
        ) from error
