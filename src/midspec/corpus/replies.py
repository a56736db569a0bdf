"""What writers answer to the corpus prompts, and the prompts with their strict parsers."""

from __future__ import annotations

import re

from pydantic import Field

from midspec.llm.prompt import BadReplyError, PromptTemplate, between_tags, json_reply
from midspec.records import Row


class DomainReply(Row):
    """A field of the assistant's character or conduct."""

    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    passages: tuple[int, ...] = Field(min_length=1)
    """Numbers of the passages that belong to it."""


class DomainsReply(Row):
    """All of them."""

    domains: tuple[DomainReply, ...] = Field(min_length=1)


class SubdomainReply(Row):
    """One thing that a passage teaches."""

    passage_number: int
    name: str = Field(min_length=1)
    quote: str = Field(min_length=1)
    """Verbatim from the passage of that number."""
    summary: str = Field(min_length=1)


class SubdomainsReply(Row):
    """At least one per passage."""

    subdomains: tuple[SubdomainReply, ...] = Field(min_length=1)


class AssertionsReply(Row):
    """Statements about the assistant, each true by the passage."""

    assertions: tuple[str, ...] = Field(min_length=1)


class DocTypesReply(Row):
    """Names of document types."""

    types: tuple[str, ...] = Field(min_length=1)


class IdeasReply(Row):
    """One or two sentences per document."""

    ideas: tuple[str, ...] = Field(min_length=1)


def parse_document(text: str) -> str:
    """The text inside `<document>`. A scratchpad before it is dropped; one inside it makes the reply unusable."""
    document = between_tags(text, "document")
    if re.search(r"</?scratchpad>", document):
        raise BadReplyError("unparseable", "the scratchpad runs into the document")
    return document


DOMAINS = PromptTemplate("corpus/domains", json_reply(DomainsReply))
SUBDOMAINS = PromptTemplate("corpus/subdomains", json_reply(SubdomainsReply))
ASSERTIONS = PromptTemplate("corpus/assertions", json_reply(AssertionsReply))
DOC_TYPES = PromptTemplate("corpus/doc_types", json_reply(DocTypesReply))
IDEAS = PromptTemplate("corpus/ideas", json_reply(IdeasReply))
DOCUMENT = PromptTemplate("corpus/document", parse_document)

PROMPTS = (DOMAINS, SUBDOMAINS, ASSERTIONS, DOC_TYPES, IDEAS, DOCUMENT)
