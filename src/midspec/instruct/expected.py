"""How many verdicts the instruction-tuning mix will take, of what size: the ground of its bill. Nothing is asked."""

from __future__ import annotations

from math import ceil

from midspec.instruct.judge import ROW_JUDGE
from midspec.instruct.step import InstructStepConfig
from midspec.llm.prices import Work, tokens_of

FRAME_TOKENS = 400
"""Of the judge's instructions (ours: estimated)."""
ROW_TOKENS = 500
"""Of a conversation (ours: estimated)."""
VERDICT_TOKENS = 60
SPARE = 1.1
"""Rows are judged until enough are good (ours)."""


def row_requests(config: InstructStepConfig) -> dict[str, Work]:
    """Of the judge, by template name; every row is held against all specs. Nothing where no source is judged."""
    if config.judged is None:
        return {}
    rows = sum(source.samples for source in config.sources if source.judged)
    shared = FRAME_TOKENS + sum(tokens_of(text) for text in config.judged.specs.values())
    return {ROW_JUDGE.name: Work(ceil(SPARE * rows), shared, ROW_TOKENS, VERDICT_TOKENS)}
