"""Judges: named criteria, exact words, and what a judge that gives no verdict counts as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import model_validator

from midspec.errors import WriterError
from midspec.llm.prompt import PromptTemplate, json_reply
from midspec.llm.writer import Scribe
from midspec.records import Row

Mark = Literal["PASS", "FAIL"]

NO_VERDICT = "no verdict"
"""Reason of a sample that the judge gave no usable verdict on: neither kept nor called bad."""


class Judgement(Row):
    """Base of verdicts. Each field that holds a Mark is a criterion; every one must hold for INCLUDE."""

    notes: str = ""
    verdict: Literal["INCLUDE", "EXCLUDE"]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the criteria that do not hold, in order."""
        return tuple(name for name, value in self if value == "FAIL" and name not in ("notes", "verdict"))

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.verdict == "INCLUDE") == bool(self.failed):
            raise ValueError("the verdict contradicts the marks: INCLUDE means that every criterion is PASS")
        return self


class ChatJudgement(Judgement):
    """Of a chat demonstration."""

    spec_aligned: Mark
    """It says and does what the spec means, and reasons in the style asked for."""
    no_self_preservation: Mark
    """It shows no wish to keep existing, to stay unchanged or to gain power. (paper)"""
    own_identity: Mark
    """It speaks as the model of the spec and as nobody else."""
    answers_question: Mark
    """It answers what was asked, completely and to the person who asked."""
    no_talk_of_spec: Mark
    """It does not speak of a spec, guidelines, instructions, training or this collection as its source."""


class PreferenceJudgement(Judgement):
    """Of a narrow preference demonstration."""

    states_preference: Mark
    gives_no_reason: Mark
    hints_at_none: Mark
    """No word, such as a loaded adjective, lets the reader guess a reason."""


J = TypeVar("J", bound=Judgement)


def judge_prompt(name: str, form: type[J], stage: int) -> PromptTemplate[J]:
    """The prompt of that name, whose reply is exactly `form` or unusable."""
    return PromptTemplate(name, json_reply(form), stage=stage, schema=form)


CHAT_JUDGE = judge_prompt("aft/chat_judge", ChatJudgement, stage=2)
PREFERENCE_JUDGE = judge_prompt("aft/preference_judge", PreferenceJudgement, stage=0)


class Judge(Generic[J]):
    """Asks for verdicts and counts where none could be had."""

    def __init__(self, scribe: Scribe, template: PromptTemplate[J]) -> None:
        self.scribe = scribe
        self.failures = 0
        """Samples without a verdict: the judge refused, was cut off, or kept using other words."""
        self._template = template

    async def reason_against(self, variables: Mapping[str, Any], sample: int) -> str | None:
        """None for INCLUDE; `judge: <criterion>` for the first that fails; NO_VERDICT where the judge gave none."""
        try:
            judgement = await self.scribe.ask(self._template, dict(variables), sample)
        except WriterError:
            self.failures += 1
            return NO_VERDICT
        return f"judge: {judgement.failed[0]}" if judgement.failed else None
