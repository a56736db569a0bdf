"""A bank of item pairs as a step: config in, `bank.jsonl` out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from midspec.evals.bag_of_words import decided
from midspec.evals.pairs.config import VERSION, PairsStepConfig
from midspec.evals.pairs.make import Making, make
from midspec.llm.desk import OFFLINE, Desk
from midspec.records import BankItem, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Write `bank.jsonl` (BankItem, split frozen) and `giveaways.json` (words it does not hold); return the summary.

    `left_out` counts pairs by the reason for which they were not used, `words_decide` is what `bag_of_words` finds.
    Raises WriterError as `make` does; replies outlive a kill in the journal.
    """
    config: PairsStepConfig = context.config
    bank, making, tallies = asyncio.run(_make(context, config))
    write_rows(context.folder / "bank.jsonl", bank)
    watched = json.dumps(sorted(making.giveaways), ensure_ascii=False, indent=1)
    (context.folder / "giveaways.json").write_text(watched + "\n", encoding="utf-8")
    offline = OFFLINE in (config.writer.model, config.judge.model)
    warning = "made without a model: which of two things agrees with the value was drawn by chance; it measures nothing"
    return {
        "pairs": len(bank),
        "domains": len({item.domain for item in bank}),
        "topics": len({(item.domain, item.topic) for item in bank}),
        "accepted": len(making.accepted),
        "left_out": dict(sorted(making.left_out.items())),
        "rounds": making.rounds,
        "words_decide": round(decided(bank).rate, 3),
        "warnings": [warning] if offline else [],
        **tallies,
    }


async def _make(context: Context, config: PairsStepConfig) -> tuple[list[BankItem], Making, dict[str, Any]]:
    async with Desk(context) as desk:
        writer, judge = desk.scribe(config.writer), desk.scribe(config.judge, "judge")
        bank, making = await make(config.bank, writer, judge, context.progress)
        written, judged = writer.tally.summary(), judge.tally.summary()
    sums = {name: written[name] + judged[name] for name in written if name != "rejected"}
    return bank, making, {**sums, "rejected": written["rejected"], "judge_rejected": judged["rejected"]}
