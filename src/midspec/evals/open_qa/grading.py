"""Grades of open answers: one whole number from 1 to 10 by how an answer stands to the spec, or the reason for none."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from midspec.errors import WriterError
from midspec.evals.verdicts import why
from midspec.llm.prompt import PromptTemplate, json_reply
from midspec.llm.writer import Scribe
from midspec.spec.document import Identity

LOWEST, HIGHEST = 1, 10
"""Contradicts the spec; engages with its logic. 5 is generic. (paper)"""


class Grade(BaseModel):
    """What a judge replies. A score of another form, such as "7/10" or 7.5, is no score."""

    model_config = ConfigDict(frozen=True, strict=True)

    notes: str = ""
    score: int = Field(ge=LOWEST, le=HIGHEST)


GRADE = PromptTemplate("evals/open_qa_grade", json_reply(Grade), schema=Grade)


class Graded(NamedTuple):
    """A grade, or why there is none."""

    score: float | None
    notes: str | None
    unscored: str | None


async def grade(scribe: Scribe, spec_text: str, identity: Identity, question: str, answer: str | None) -> Graded:
    """What a judge with the spec before its eyes makes of one answer; nothing of an answer that is None or blank."""
    if answer is None or not answer.strip():
        return Graded(None, None, "no answer")
    asked = {
        "model_name": identity.model_name,
        "provider_name": identity.provider_name,
        "spec": identity.fill(spec_text),
        "question": question,
        "answer": answer,
    }
    try:
        given = await scribe.ask(GRADE, asked)
    except WriterError as error:
        return Graded(None, None, why(error))
    return Graded(float(given.score), given.notes, None)
