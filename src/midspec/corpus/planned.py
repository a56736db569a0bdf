"""What a corpus plan is made of; `plan.json` holds one `CorpusPlan`."""

from __future__ import annotations

from midspec.corpus.replies import DomainReply
from midspec.records import Assertion, Row, Span


class Subdomain(Row):
    """What one passage of the spec teaches; one rule, where a spec is taken by its rules."""

    id: str
    domain: str
    name: str
    summary: str
    section: str
    """`Section.title`."""
    section_id: str
    span: Span
    """The passage in the spec file."""
    rule: str = ""
    """How a text cites the rule, e.g. `SP1`; empty for a passage, and for a rule without a number."""
    assertions: tuple[Assertion, ...] = ()
    """Empty for a subdomain that no document was planned for."""
    doc_types: tuple[str, ...] = ()


class PlannedDocument(Row):
    """A document to write."""

    subdomain: str
    """`Subdomain.id`."""
    doc_type: str
    idea: str
    words: int | None = None
    """Words it was to have; None where its type decides that."""


class CorpusPlan(Row):
    """Where the documents of a corpus come from."""

    spec: str
    """SHA-256 of the spec file's text."""
    domains: tuple[DomainReply, ...]
    """Empty for a spec that is taken by its rules."""
    subdomains: tuple[Subdomain, ...]
    documents: tuple[PlannedDocument, ...]
    """Those that were written, in the order of `documents.jsonl`."""
    hopeless: tuple[str, ...] = ()
    """`Subdomain.id` of those given up, because too little of them could be planned or written."""

    @property
    def assertion_texts(self) -> dict[str, str]:
        """Assertion id -> its text, identity filled in."""
        return {entry.id: entry.text for subdomain in self.subdomains for entry in subdomain.assertions}
