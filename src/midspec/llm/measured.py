"""What a model's replies have taken so far in a workspace, by prompt: better ground for a bill than any assumption."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from midspec.llm.journal_file import NAME, reading


class Measured(NamedTuple):
    """Means over the replies to one prompt."""

    replies: int
    prompt_tokens: float
    """Cached or not."""
    output_tokens: float
    seconds: float | None
    """Of replies outside batch jobs; None where all came out of such jobs."""
    rejected: float
    """Share of replies that could not be used."""


def measured(workspace: Path, model: str) -> dict[str, Measured]:
    """Template name -> what `model` took for it in this workspace; empty without a journal."""
    if not (workspace / NAME).exists():
        return {}
    with reading(workspace / NAME) as connection:
        rows = connection.execute(
            "SELECT template, count(*), avg(input_tokens + cached_tokens + cache_write_tokens), avg(output_tokens),"
            " avg(CASE WHEN batch = '' THEN seconds END), avg(reason IS NOT NULL OR stop_reason = 'error')"
            " FROM replies LEFT JOIN verdicts USING (key) WHERE model = ? GROUP BY template",
            (model,),
        ).fetchall()
    return {template: Measured(*numbers) for template, *numbers in rows}


def paid(workspace: Path, run: str) -> float:
    """Dollars that `run` has paid so far in this workspace; 0 without a journal."""
    if not (workspace / NAME).exists():
        return 0.0
    with reading(workspace / NAME) as connection:
        row = connection.execute("SELECT dollars FROM spending WHERE run = ?", (run,)).fetchone()
    return row[0] if row else 0.0
