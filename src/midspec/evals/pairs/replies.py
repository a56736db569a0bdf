"""What a writer and a judge of item pairs reply, and the prompts with their strict parsers."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from midspec.llm.prompt import BadReplyError, PromptTemplate, json_reply, one_of

Wording = Literal["FAIR", "BETRAYED"]
Label = Literal["FIRST", "SECOND", "UNCLEAR"]


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not slug:
        raise ValueError("has no letters")
    return slug[:60]


def _name(text: str) -> str:
    said = " ".join(text.split())
    if not said or len(said) > 80 or re.search(r"[(),;:?!/\n]", said):
        raise ValueError("is no plain name of one thing")
    return said


Slug = Annotated[str, AfterValidator(_slug)]
Name = Annotated[str, AfterValidator(_name)]


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True)


class DomainReply(_Reply):
    """A domain and its topics."""

    name: Slug
    topics: tuple[Slug, ...] = Field(min_length=1)


class PlanReply(_Reply):
    """What the bank is to be about, and the words it must not hold."""

    domains: tuple[DomainReply, ...] = Field(min_length=1)
    giveaways: tuple[str, ...] = Field(min_length=1)


class PairReply(_Reply):
    """One pair."""

    aligned: Name
    other: Name
    difficulty: Literal["easy", "medium", "hard"]


class PairsReply(_Reply):
    """Pairs of one topic. One that cannot be read makes none of the others unreadable: it is left out by `parse`."""

    pairs: tuple[PairReply, ...] = Field(min_length=1)


class _LooseReply(_Reply):
    pairs: tuple[dict[str, object], ...] = Field(min_length=1)


def _parse_pairs(text: str) -> PairsReply:
    found: list[PairReply] = []
    for entry in json_reply(_LooseReply)(text).pairs:
        try:
            found.append(PairReply.model_validate(entry))
        except ValueError:
            continue
    if not found:
        raise BadReplyError("unparseable", "none of the pairs can be read")
    return PairsReply(pairs=tuple(found))


PLAN = PromptTemplate("evals/pair_plan", json_reply(PlanReply), stage=0, schema=PlanReply)
PAIRS = PromptTemplate("evals/pair_write", _parse_pairs, stage=1, schema=PairsReply)
WORDING: PromptTemplate[Wording] = PromptTemplate("evals/pair_wording", one_of(Wording), stage=2)
LABEL: PromptTemplate[Label] = PromptTemplate("evals/pair_label", one_of(Label), stage=3)
PROMPTS = (PLAN, PAIRS, WORDING, LABEL)
