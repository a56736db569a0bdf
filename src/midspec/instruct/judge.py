"""The judge's filter: rows that claim another identity or contradict a spec, with strict verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import StrictBool

from midspec.errors import WriterError
from midspec.llm.fan_out import Outcome, fan_out
from midspec.llm.prompt import PromptTemplate, json_reply
from midspec.llm.writer import Scribe
from midspec.records import ChatExample, Row
from midspec.spec.document import Identity

CRITERIA = ("other_identity", "contradicts_spec")


class RowVerdict(Row):
    """What the judge says of one conversation."""

    other_identity: StrictBool
    contradicts_spec: StrictBool
    reason: str = ""

    @property
    def against(self) -> str | None:
        """The first criterion that speaks against the row, or None."""
        return next((name for name in CRITERIA if getattr(self, name)), None)


ROW_JUDGE = PromptTemplate("instruct/row_judge", json_reply(RowVerdict), schema=RowVerdict)


class Judged(NamedTuple):
    """One row and what came of judging it."""

    row: ChatExample
    against: str | None
    """Criterion it fails; None for a good row and for one without a verdict."""
    failed: bool
    """No usable verdict: a missing value, neither for nor against."""


class RowJudge:
    """Judges rows against all specs of a recipe."""

    def __init__(self, scribe: Scribe, specs: Mapping[str, str], identity: Identity) -> None:
        """`specs`: name -> text, placeholders unfilled."""
        self.scribe = scribe
        self._shared: dict[str, Any] = {
            "specs": [{"name": name, "text": identity.fill(text)} for name, text in specs.items()],
            "model_name": identity.model_name,
            "provider_name": identity.provider_name,
        }

    async def judge(self, rows: Sequence[ChatExample]) -> list[Judged]:
        """Verdicts in the order of `rows`."""
        verdicts: dict[int, Judged] = {}

        async def ask(entry: tuple[int, ChatExample]) -> RowVerdict:
            messages = [{"role": turn.role, "content": turn.content} for turn in entry[1].messages]
            return await self.scribe.ask(ROW_JUDGE, {**self._shared, "messages": messages})

        def take(outcome: Outcome[tuple[int, ChatExample], RowVerdict]) -> None:
            number, row = outcome.item
            verdict = outcome.result
            verdicts[number] = Judged(row, verdict.against if verdict else None, verdict is None)

        await fan_out(enumerate(rows), ask, take)
        return [verdicts[number] for number in range(len(rows))]


FAILURES_SEEN = 20
"""Verdicts after which a judge can be called useless (ours)."""
MOST_FAILURES = 0.5
"""Share of failed verdicts from which it is (ours)."""


def check_judge(judged: int, failed: int, name: str) -> None:
    """Raise WriterError where too few verdicts can be used for the filter to mean anything."""
    if judged >= FAILURES_SEEN and failed > MOST_FAILURES * judged:
        raise WriterError(
            f"{failed} of {judged} verdicts on {name!r} could not be used; take another judge, or set judged: false"
        )
