"""Questions made for a spec, as a step: config in, `questions.jsonl` out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from midspec.evals.open_qa.config import MAKE_VERSION as VERSION
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.open_qa.make import make
from midspec.llm.desk import OFFLINE, Desk
from midspec.near import near_index
from midspec.records import write_rows
from midspec.spec.document import ModelSpec
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]

LEXICAL = 0.95
"""Limit by letters, of questions that a program wrote: one form about two subjects is alike, and is meant. (ours)"""


def run(context: Context) -> dict[str, Any]:
    """Write `questions.jsonl` (OpenQuestion, split frozen) and return its summary.

    `left_out` counts questions by the reason for which they were not used, `near_duplicates` says how they were told.
    Raises WriterError as `make` does; replies outlive a kill in the journal.
    """
    return asyncio.run(_run(context))


async def _run(context: Context) -> dict[str, Any]:
    config: QuestionsStepConfig = context.config
    offline = config.writer.model == OFFLINE
    index = (
        near_index(LEXICAL, "lexical", context.progress)
        if offline
        else near_index(config.questions.max_similarity, "auto", context.progress)
    )
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
