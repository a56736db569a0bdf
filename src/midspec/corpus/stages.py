"""The stages of planning, each one prompt, and what its replies must hold beyond their form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from midspec.corpus.filled import filled, spec_variables
from midspec.corpus.planned import Subdomain
from midspec.corpus.replies import (
    ASSERTIONS,
    DOC_TYPES,
    DOMAINS,
    IDEAS,
    SUBDOMAINS,
    AssertionsReply,
    DocTypesReply,
    DomainReply,
    DomainsReply,
    IdeasReply,
    SubdomainsReply,
)
from midspec.experiment import CorpusConfig
from midspec.llm.fan_out import gathered
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe
from midspec.records import Assertion, Span, short_hash
from midspec.spec.document import Identity, ModelSpec, Passage

A = TypeVar("A")
B = TypeVar("B")

PASSAGES_PER_ASK = 8
"""Passages whose subdomains are asked for at once, so that a reply is not cut (ours)."""


class Stages:
    """Asks for the parts of one spec's plan."""

    def __init__(self, scribe: Scribe, spec: ModelSpec, identity: Identity, config: CorpusConfig) -> None:
        self.scribe = scribe
        self.spec = spec
        self.identity = identity
        self.config = config
        self.shared = spec_variables(spec, identity)

    async def domains(self) -> tuple[DomainReply, ...]:
        """Domains that hold every passage exactly once."""
        numbered = [self._shown(number) for number in range(1, len(self.spec.passages) + 1)]
        everything = set(range(1, len(numbered) + 1))

        def check(reply: DomainsReply) -> None:
            named = Counter(number for domain in reply.domains for number in domain.passages)
            if set(named) != everything or max(named.values()) > 1:
                wrong = sorted(set(named) ^ everything) or [number for number, count in named.items() if count > 1]
                raise BadReplyError("off-spec", f"passages not in exactly one domain: {wrong[:10]}")

        variables = {**self.shared, "passages": numbered}
        return (await self.scribe.ask(DOMAINS, variables, self.config.seed, check)).domains

    async def subdomains(self, domains: Sequence[DomainReply]) -> list[Subdomain]:
        """Subdomains in the order of the spec, at least one per passage."""
        asks = [
            (domain, domain.passages[start : start + PASSAGES_PER_ASK])
            for domain in domains
            for start in range(0, len(domain.passages), PASSAGES_PER_ASK)
        ]
        replies = await gathered(asks, self._subdomains_of)
        found = {subdomain.id: subdomain for reply in replies for subdomain in reply}
        return sorted(found.values(), key=lambda subdomain: (subdomain.span, subdomain.id))

    async def _subdomains_of(self, ask: tuple[DomainReply, tuple[int, ...]]) -> list[Subdomain]:
        domain, numbers = ask

        def check(reply: SubdomainsReply) -> None:
            if {item.passage_number for item in reply.subdomains} != set(numbers):
                raise BadReplyError("off-spec", f"expected subdomains for the passages {list(numbers)} and no others")
            for item in reply.subdomains:
                if self._quoted(item.passage_number, item.quote) is None:
                    raise BadReplyError(
                        "off-spec", f"not in passage {item.passage_number} verbatim: {item.quote[:80]!r}"
                    )

        variables = {
            **self.shared,
            "domain": domain.name,
            "description": domain.description,
            "passages": [self._shown(number) for number in numbers],
        }
        reply = await self.scribe.ask(SUBDOMAINS, variables, self.config.seed, check)
        subdomains: list[Subdomain] = []
        for item in reply.subdomains:
            section = self._passage(item.passage_number).section
            span = self._quoted(item.passage_number, item.quote)
            assert span is not None
            identifier = f"sub-{short_hash(section.id, span, domain.name, item.name)}"
            subdomains.append(
                Subdomain(
                    id=identifier,
                    domain=domain.name,
                    name=item.name,
                    summary=item.summary,
                    section=section.title,
                    section_id=section.id,
                    span=span,
                )
            )
        return subdomains

    async def detailed(self, subdomain: Subdomain) -> Subdomain:
        """`subdomain` with assertions and document types."""
        variables = {**self.shared, **self._about(subdomain)}
        reply: AssertionsReply = await self.scribe.ask(ASSERTIONS, variables, self.config.seed)
        texts = dict.fromkeys(" ".join(text.split()) for text in reply.assertions if text.strip())
        assertions = tuple(
            Assertion(
                id=f"as-{short_hash(subdomain.section_id, subdomain.span, text)}",
                section_id=subdomain.section_id,
                span=subdomain.span,
                text=text,
            )
            for text in texts
        )
        count = self.config.document_types

        def check(reply: DocTypesReply) -> None:
            _distinct(reply.types, count, "document types")

        types = await self.scribe.ask(DOC_TYPES, {**variables, "count": count}, self.config.seed, check)
        return subdomain.model_copy(
            update={"assertions": assertions, "doc_types": tuple(_distinct(types.types, count, "document types"))}
        )

    async def ideas(self, cell: tuple[Subdomain, str, int]) -> list[str]:
        """So many different ideas for a document type of a subdomain."""
        subdomain, doc_type, count = cell
        variables = {
            **self.shared,
            **self._about(subdomain),
            "assertions": [assertion.text for assertion in subdomain.assertions],
            "doc_type": doc_type,
            "count": count,
        }

        def check(reply: IdeasReply) -> None:
            _distinct(reply.ideas, count, "ideas")

        return _distinct((await self.scribe.ask(IDEAS, variables, self.config.seed, check)).ideas, count, "ideas")

    def _about(self, subdomain: Subdomain) -> dict[str, str]:
        return subdomain_variables(self.spec, self.identity, subdomain)

    def _passage(self, number: int) -> Passage:
        return self.spec.passages[number - 1]

    def _shown(self, number: int) -> dict[str, str | int]:
        passage = self._passage(number)
        return {
            "number": number,
            "heading": self.identity.fill(passage.section.title),
            "text": self.identity.fill(passage.text),
        }

    def _quoted(self, number: int, quote: str) -> Span | None:
        passage = self._passage(number)
        return filled(passage.text, self.identity, passage.span[0]).locate(quote)


def subdomain_variables(spec: ModelSpec, identity: Identity, subdomain: Subdomain) -> dict[str, str]:
    """What prompts are told about a subdomain, identity filled in."""
    return {
        "domain": subdomain.domain,
        "subdomain": subdomain.name,
        "summary": subdomain.summary,
        "section": identity.fill(subdomain.section),
        "passage": identity.fill(spec.text[slice(*subdomain.span)]),
    }


def _distinct(texts: Sequence[str], count: int, what: str) -> list[str]:
    """The first `count` different ones, white space folded. Raises BadReplyError where there are fewer."""
    found = list({" ".join(text.split()).casefold(): " ".join(text.split()) for text in texts if text.strip()}.values())
    if len(found) < count:
        raise BadReplyError("off-spec", f"expected {count} different {what}, got {len(found)}")
    return found[:count]
