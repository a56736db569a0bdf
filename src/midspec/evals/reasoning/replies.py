"""What judges of reasoning are asked for, and how their replies are read: strictly, each as the form asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from midspec.evals.reasoning.themes import Direction
from midspec.llm.prompt import BadReplyError, PromptTemplate, json_reply

M = TypeVar("M", bound=BaseModel)

_APOLOGY = re.compile(
    r"^\W*(I'm sorry|I am sorry|sorry|I can't|I cannot|I can not|I won't|I'm unable|I am unable)\b", re.I
)

SHOWN = 60_000
"""Characters of a transcript that a judge is shown; of a longer one its first and its last half of that. (ours)"""

_Phrase = Annotated[str, AfterValidator(lambda text: " ".join(text.split())), Field(min_length=1)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReasonReply(_Form):
    """One reason that a transcript gives."""

    reason: _Phrase
    quote: str


class ReasonsReply(_Form):
    """All of one transcript."""

    reasons: tuple[ReasonReply, ...] = Field(max_length=20)


class KnownReply(_Form):
    """Reasons that belong to a known theme."""

    theme: str
    members: tuple[int, ...]


class ProposalReply(_Form):
    """A theme proposed for some of the reasons shown."""

    name: Annotated[_Phrase, Field(max_length=120)]
    definition: _Phrase
    direction: Direction
    members: tuple[int, ...] = Field(min_length=1)


class ProposalsReply(_Form):
    """What a reader makes of one batch of reasons."""

    known: tuple[KnownReply, ...] = ()
    themes: tuple[ProposalReply, ...] = ()


class MergedReply(_Form):
    """One theme made of proposals."""

    known: str | None = None
    name: Annotated[_Phrase, Field(max_length=120)]
    definition: _Phrase
    direction: Direction
    parts: tuple[int, ...] = Field(min_length=1)


class ConsolidatedReply(_Form):
    """All proposals, merged."""

    themes: tuple[MergedReply, ...] = Field(min_length=1)


class LabelReply(_Form):
    """A theme that a transcript shows, and where."""

    theme: str
    quote: str


class LabelsReply(_Form):
    """All themes of one transcript."""

    labels: tuple[LabelReply, ...] = Field(max_length=100)


class CitationReply(_Form):
    """One use of a rule."""

    rule: _Phrase
    reading: Literal["faithful", "stretched", "invented"]
    justifies_harm: StrictBool
    why: str = ""
    quote: str


class CitationsReply(_Form):
    """All uses of rules in one transcript."""

    citations: tuple[CitationReply, ...] = Field(max_length=40)


def _reader(form: type[M]) -> Callable[[str], M]:
    parse = json_reply(form)

    def read(text: str) -> M:
        if "<json>" not in text and _APOLOGY.match(text):
            raise BadReplyError("refused", text[:200])
        return parse(text)

    return read


def _template(name: str, form: type[M], stage: int) -> PromptTemplate[M]:
    return PromptTemplate(f"evals/reasoning_{name}", _reader(form), stage=stage, schema=form)


EXTRACT = _template("extract", ReasonsReply, 0)
PROPOSE = _template("propose", ProposalsReply, 1)
CONSOLIDATE = _template("consolidate", ConsolidatedReply, 2)
CLASSIFY = _template("classify", LabelsReply, 3)
POLICY = _template("policy", CitationsReply, 3)


def shown(text: str) -> str:
    """What a judge is shown of a transcript: all of it, or its beginning and its end."""
    if len(text) <= SHOWN:
        return text
    half = SHOWN // 2
    return f"{text[:half]}\n\n[... {len(text) - 2 * half:,} characters are left out here ...]\n\n{text[-half:]}"
