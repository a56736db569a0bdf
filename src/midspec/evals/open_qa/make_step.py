"""Questions made for a spec, as a step: config in, `questions.jsonl` out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from midspec.evals.likeness import made_index
from midspec.evals.open_qa.config import MAKE_VERSION as VERSION
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.open_qa.make import make
from midspec.llm.desk import OFFLINE, Desk
from midspec.records import write_rows
from midspec.spec.document import ModelSpec
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Write `questions.jsonl` (OpenQuestion, split frozen) and return its summary.

    `left_out` counts questions by the reason for which they were not used, `near_duplicates` says how they were told.
    Raises WriterError as `make` does; replies outlive a kill in the journal.
    """
    return asyncio.run(_run(context))


async def _run(context: Context) -> dict[str, Any]:
    config: QuestionsStepConfig = context.config
    offline = config.writer.model == OFFLINE
    index = made_index(config.writer, config.questions.max_similarity, context.progress)
    async with Desk(context) as desk:
        scribe = desk.scribe(config.writer)
        spec = ModelSpec("spec", config.spec_text)
        made = await make(config.questions, spec, config.identity, scribe, index, context.progress)
        tally = scribe.tally.summary()
    write_rows(context.folder / "questions.jsonl", made.questions)
    warning = "made without a model: questions from forms, which ask about the words of the spec's headings"
    return {
        "questions": len(made.questions),
        "dimensions": len({one.dimension for one in made.questions}),
        "forms": dict(sorted(Counter(one.form for one in made.questions).items())),
        "left_out": made.left_out,
        "near_duplicates": made.near,
        "warnings": [warning] if offline else [],
        **tally,
    }
