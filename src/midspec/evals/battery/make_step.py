"""Questions made from a text, as a step: config in, `choices.jsonl` and `open.jsonl` out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from midspec.evals.bag_of_words import decided
from midspec.evals.battery.check import as_pairs
from midspec.evals.battery.made import CHOICES, JUDGED, VERSION, MakeStepConfig
from midspec.evals.battery.making import make
from midspec.evals.likeness import made_index
from midspec.llm.desk import OFFLINE, Desk
from midspec.records import write_rows
from midspec.spec.document import ModelSpec
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Write `choices.jsonl` (Choice) and `open.jsonl` (Judged), splits frozen, and return their summary.

    `left_out` counts entries by the reason for which they were not used, `words_decide` is the share of pairs that
    single words get right. Raises WriterError as `make` does; replies outlive a kill in the journal.
    """
    return asyncio.run(_run(context))


async def _run(context: Context) -> dict[str, Any]:
    config: MakeStepConfig = context.config
    offline = config.writer.model == OFFLINE
    index = made_index(config.writer, config.make.max_similarity, context.progress)
    async with Desk(context) as desk:
        scribe = desk.scribe(config.writer)
        made = await make(
            config.make.kind,
            ModelSpec("spec", config.spec_text),
            config.identity,
            scribe,
            index,
            context.progress,
            per_passage=config.make.per_passage,
            seed=config.make.seed,
        )
        tally = scribe.tally.summary()
    write_rows(context.folder / CHOICES, made.choices)
    write_rows(context.folder / JUDGED, made.judged)
    warning = (
        "made without a model: true sentences of the text against themselves with one thing changed, which a reader "
        "may tell apart by taste, and open questions about its headings; no questions of reasoning"
    )
    return {
        **{f"{kind}s": count for kind, count in sorted(Counter(item.kind for item in made.choices).items())},
        **dict(sorted(Counter(item.kind for item in made.judged).items())),
        "words_decide": round(decided(as_pairs([one for one in made.choices if one.kind == "pair"])).rate, 3),
        "left_out": made.left_out,
        "near_duplicates": made.near,
        "warnings": [warning] if offline else [],
        **tally,
    }
