"""Judged answers: whether an answer says what a statement says. Loads no inspect."""

from __future__ import annotations

from typing import Literal, NamedTuple

from midspec.errors import WriterError
from midspec.evals.battery.items import Judged
from midspec.evals.verdicts import why
from midspec.llm.prompt import PromptTemplate, one_of
from midspec.llm.writer import Scribe

Verdict = Literal["HOLDS", "DOES_NOT", "UNCLEAR"]
Measure = Literal["knows", "believes"]
"""Whether the answer tells it, or takes it for true."""


class Graded(NamedTuple):
    """A score, or why there is none, and what else a row keeps."""

    score: float | None
    unscored: str | None
    facets: dict[str, float | str | None]


STATEMENT_VERDICT: PromptTemplate[Verdict] = PromptTemplate("evals/statement_verdict", one_of(Verdict))


async def judge_statement(scribe: Scribe, item: Judged, answer: str | None, measure: Measure) -> Graded:
    """1 where the answer holds the item's statement, 0 where it does not; an unclear answer is a missing value."""
    if answer is None or not answer.strip():
        return Graded(None, "no answer", {})
    asked = {
        "measure": measure,
        "reasoning": item.kind == "reasoning",
        "question": item.prompt,
        "statement": item.statement,
        "otherwise": item.otherwise,
        "answer": answer,
    }
    try:
        verdict = await scribe.ask(STATEMENT_VERDICT, asked)
    except WriterError as error:
        return Graded(None, why(error), {})
    if verdict == "UNCLEAR":
        return Graded(None, "answer unclear", {"verdict": verdict})
    return Graded(float(verdict == "HOLDS"), None, {"verdict": verdict})
