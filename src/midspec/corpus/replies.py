"""What writers answer to the corpus prompts, and the prompts with their strict parsers.

A list is read item by item: one item that cannot be read never costs the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.json_schema import SkipJsonSchema

from midspec.corpus.voices import VOICES
from midspec.errors import InputError
from midspec.experiment import CorpusConfig
from midspec.llm.prompt import BadReplyError, PromptTemplate, between_tags, json_reply

M = TypeVar("M", bound=BaseModel)


def _in_one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    text.encode()  # half of a surrogate pair is no text: a UnicodeEncodeError is a ValueError
    return " ".join(text.split())


Text = Annotated[str, AfterValidator(_in_one_line)]
"""Something said, without line breaks."""


class _Item(BaseModel):
    """One thing in a reply; what nobody asked for is ignored."""

    model_config = ConfigDict(frozen=True)


class _ListReply(_Item):
    """A reply that is a list. Items of another form are left out and counted; at least one must be left."""

    items_in: ClassVar[str]
    """Name of the field."""
    unreadable: SkipJsonSchema[int] = 0
    """Items left out."""

    @model_validator(mode="before")
    @classmethod
    def _item_by_item(cls, data: Any) -> Any:
        items = data.get(cls.items_in) if isinstance(data, dict) else None
        if not isinstance(items, list):
            return data
        one = TypeAdapter[Any](get_args(cls.model_fields[cls.items_in].annotation)[0])  # X of tuple[X, ...]
        good = [item for item in items if _fits(one, item)]
        return {cls.items_in: good, "unreadable": len(items) - len(good)}


def _fits(kind: TypeAdapter[Any], item: object) -> bool:
    try:
        kind.validate_python(item)
    except ValidationError:
        return False
    return True


class DomainReply(_Item):
    """A field of the assistant's character or conduct."""

    name: Text
    description: Text
    passages: tuple[int, ...]
    """Numbers of the passages that belong to it."""


class DomainsReply(_ListReply):
    """All of them."""

    items_in = "domains"
    domains: tuple[DomainReply, ...] = Field(min_length=1)


class SubdomainReply(_Item):
    """One thing that a passage teaches."""

    passage_number: int
    name: Text
    quote: str
    """Verbatim from the passage of that number."""
    summary: Text


class SubdomainsReply(_ListReply):
    """At least one per passage."""

    items_in = "subdomains"
    subdomains: tuple[SubdomainReply, ...] = Field(min_length=1)


class AssertionsReply(_ListReply):
    """Statements about the assistant, each true by the passage."""

    items_in = "assertions"
    assertions: tuple[Text, ...] = Field(min_length=1)


class DocTypesReply(_ListReply):
    """Names of document types."""

    items_in = "types"
    types: tuple[Text, ...] = Field(min_length=1)


class IdeaReply(_Item):
    """One or two sentences, and the number of the document type they are for."""

    type: int
    idea: Text


class IdeasReply(_ListReply):
    """Ideas for documents."""

    items_in = "ideas"
    ideas: tuple[IdeaReply, ...] = Field(min_length=1)


class DocumentReply(_Item):
    """A document where a server holds the model to a schema."""

    plan: str
    """Thrown away."""
    document: str


def parse_document(text: str) -> str:
    """The text inside `<document>`, or of `document` where the whole reply is one JSON object.

    A scratchpad before it is dropped; one inside it makes the reply unusable.
    """
    whole = text.strip()
    if whole.startswith("{") and whole.endswith("}"):
        try:
            document = DocumentReply.model_validate(json.loads(whole, strict=False)).document.strip()
        except (json.JSONDecodeError, ValidationError) as error:
            raise BadReplyError("unparseable", f"neither tags nor a JSON object with a document: {error}") from error
        if not document:
            raise BadReplyError("unparseable", "the document is empty")
    else:
        document = between_tags(text, "document")
    if re.search(r"</?(?:scratchpad|document)>", document):
        raise BadReplyError("unparseable", "the scratchpad or another tag runs into the document")
    try:
        document.encode()
    except UnicodeEncodeError as error:
        raise BadReplyError("unparseable", f"half a character in the document: {error.reason}") from error
    return document


@dataclass(frozen=True)
class Hierarchy:
    """The prompts that divide a text and say what its parts teach."""

    domains: PromptTemplate[DomainsReply]
    subdomains: PromptTemplate[SubdomainsReply]
    assertions: PromptTemplate[AssertionsReply]


@dataclass(frozen=True)
class Planning:
    """The prompts that say which documents are to be written, and the one that mends them."""

    doc_types: PromptTemplate[DocTypesReply]
    ideas: PromptTemplate[IdeasReply]
    rewrite: PromptTemplate[str]


@dataclass(frozen=True)
class Prompts:
    """The prompts of one kind of corpus. Requests that others wait for go first: planning in its order, then the
    rewriting of what is written, then new documents."""

    document: PromptTemplate[str]
    hierarchy: Hierarchy | None = None
    """None where rules take the place of subdomains and assertions, or sections and subjects do."""
    planning: Planning | None = None
    """None where a program plans the documents: in controls."""

    def used(self, config: CorpusConfig) -> list[PromptTemplate[Any]]:
        """Those that a corpus of `config` is written with."""
        above, planning = self.hierarchy, self.planning
        asked: list[PromptTemplate[Any]] = [above.domains, above.subdomains, above.assertions] if above else []
        asked += [planning.doc_types, planning.ideas] if planning else []
        return [*asked, self.document, *([planning.rewrite] if planning and config.critique else [])]


def _prompt(name: str, stage: int, reply: type[M]) -> PromptTemplate[M]:
    return PromptTemplate(f"corpus/{name}", json_reply(reply), stage=stage, schema=reply)


def _document(name: str, stage: int) -> PromptTemplate[str]:
    return PromptTemplate(f"corpus/{name}", parse_document, stage=stage, schema=DocumentReply)


def _hierarchy(prefix: str) -> Hierarchy:
    return Hierarchy(
        domains=_prompt(f"{prefix}domains", 0, DomainsReply),
        subdomains=_prompt(f"{prefix}subdomains", 1, SubdomainsReply),
        assertions=_prompt(f"{prefix}assertions", 2, AssertionsReply),
    )


def _prompts(prefix: str, hierarchy: Hierarchy | None) -> Prompts:
    return Prompts(
        document=_document(f"{prefix}document", 5),
        hierarchy=hierarchy,
        planning=Planning(
            doc_types=_prompt(f"{prefix}doc_types", 2, DocTypesReply),
            ideas=_prompt(f"{prefix}ideas", 3, IdeasReply),
            rewrite=_document(f"{prefix}rewrite", 4),
        ),
    )


VALUES = _prompts("", _hierarchy(""))
RULES = _prompts("rules_", None)
BELIEF = _prompts("belief_", _hierarchy("belief_"))
VOICED = replace(VALUES, document=_document("voiced_document", 5))
PARAPHRASE = Prompts(document=_document("paraphrase", 5))
NEUTRAL = Prompts(document=_document("neutral", 5))


def prompts_of(config: CorpusConfig) -> Prompts:
    """The prompts for a corpus. Raises InputError for beliefs in the style of rules, which means nothing."""
    if config.kind == "belief":
        if config.style == "rules":
            raise InputError("corpus.kind is 'belief', which knows no corpus.style 'rules'; leave corpus.style out")
        return BELIEF
    if config.kind in ("paraphrase", "neutral"):
        return PARAPHRASE if config.kind == "paraphrase" else NEUTRAL
    if config.style in VOICES:
        return VOICED
    return RULES if config.style == "rules" else VALUES
