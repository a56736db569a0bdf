"""What writers answer to the prompts for demonstrations, and the prompts with their strict parsers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from midspec.llm.prompt import BadReplyError, PromptTemplate, between_tags, json_reply
from midspec.records import Row

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


Kind = Literal["direct", "indirect", "comparison", "recommendation", "opinion", "edge-case"]
"""Kinds of user question (paper)."""


class DomainReply(Row):
    """Something people talk about."""

    name: Text
    description: Text
    sections: tuple[int, ...]
    """Numbers of the sections of the spec that come to bear there."""


class DomainsReply(Row):
    """All that were asked for."""

    domains: tuple[DomainReply, ...] = Field(min_length=1)


class QuestionReply(Row):
    """One thing that somebody says to the assistant."""

    kind: Text
    question: Text
    sections: tuple[int, ...] = Field(min_length=1)
    """Numbers of the sections that an answer shows."""


class _QuestionOfKind(QuestionReply):
    kind: Kind  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # one of those texts


class QuestionsReply(Row):
    """All that were asked for, for servers held to a schema."""

    questions: tuple[_QuestionOfKind, ...] = Field(min_length=1)


class AnswerReply(Row):
    """An answer and what was thought before it."""

    reasoning: Text
    answer: Text


class TalkReply(Row):
    """A conversation in which the assistant says who it is."""

    form: int
    """Number of the form that was asked for."""
    turns: tuple[Text, ...] = Field(min_length=2)
    """User and assistant in turn, the assistant last."""


class TalksReply(Row):
    """All that were asked for."""

    talks: tuple[TalkReply, ...] = Field(min_length=1)


M = TypeVar("M", bound=BaseModel)


class Items(NamedTuple, Generic[M]):
    """Usable items of a reply that holds a list, and how many were not."""

    usable: list[M]
    unusable: int


def items_reply(form: type[M], key: str) -> Callable[[str], Items[M]]:
    """A parser for a reply that is one JSON object with a list under `key`. Each item is read on its own, so that a
    bad one does not throw away the others; a reply without any usable item raises BadReplyError."""

    class Listed(BaseModel, extra="forbid"):
        items: list[object] = Field(alias=key)

    whole = json_reply(Listed)

    def parse(text: str) -> Items[M]:
        found: list[M] = []
        problem = "the list is empty"
        items = whole(text).items
        for item in items:
            try:
                found.append(form.model_validate_json(json.dumps(item)))
            except ValidationError as error:
                first = error.errors()[0]
                problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        if not found:
            raise BadReplyError("unparseable", f"no usable item: {problem}")
        return Items(found, len(items) - len(found))

    return parse


def parse_answer(text: str) -> AnswerReply:
    """Reasoning and answer out of their tags, or out of the JSON object of a server held to a schema."""
    if text.lstrip().startswith("{"):
        return _checked(json_reply(AnswerReply)(text))
    reply = AnswerReply(reasoning=between_tags(text, "reasoning"), answer=between_tags(text, "answer"))
    if text.index("<answer>") < text.index("</reasoning>"):
        raise BadReplyError("unparseable", "the answer stands inside or before the reasoning")
    return _checked(reply)


def _checked(reply: AnswerReply) -> AnswerReply:
    for part in (reply.reasoning, reply.answer):
        if left := re.search(r"</?(?:reasoning|answer|think|thinking|scratchpad|json)>", part):
            raise BadReplyError("unparseable", f"a tag runs into the text: {left[0]}")
    return reply


class _OneText(Row):
    pass


class PreferenceQuestion(_OneText):
    """For servers held to a schema."""

    question: Text


class PreferenceAnswer(_OneText):
    """For servers held to a schema."""

    answer: Text


def one_text(form: type[_OneText], tag: str) -> Callable[[str], str]:
    """A parser for a reply that is one text inside `<tag>`, or `form` as JSON."""

    def parse(text: str) -> str:
        if text.lstrip().startswith("{"):
            return getattr(json_reply(form)(text), tag)
        return between_tags(text, tag)

    return parse


# Where slots are short, questions keep the belt full, and a verdict due tells early what must be made again.
DOMAINS = PromptTemplate("aft/chat_domains", items_reply(DomainReply, "domains"), stage=0, schema=DomainsReply)
QUESTIONS = PromptTemplate(
    "aft/chat_questions", items_reply(QuestionReply, "questions"), stage=1, schema=QuestionsReply
)
ANSWER = PromptTemplate("aft/chat_answer", parse_answer, stage=3, schema=AnswerReply)
IDENTITY = PromptTemplate("aft/identity", items_reply(TalkReply, "talks"), stage=3, schema=TalksReply)
PREFERENCE_QUESTION = PromptTemplate(
    "aft/preference_question", one_text(PreferenceQuestion, "question"), stage=2, schema=PreferenceQuestion
)
PREFERENCE_ANSWER = PromptTemplate(
    "aft/preference_answer", one_text(PreferenceAnswer, "answer"), stage=1, schema=PreferenceAnswer
)
