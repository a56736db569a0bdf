"""What a corpus plan is made of; `plan.json` holds one `CorpusPlan`."""

from __future__ import annotations

from midspec.corpus.replies import DomainReply
from midspec.records import Assertion, Row, Span


class Subdomain(Row):
    """What one passage of the spec teaches."""

    id: str
    domain: str
    name: str
    summary: str
    section: str
    """`Section.title`."""
    section_id: str
    span: Span
    """The passage in the spec file."""
    assertions: tuple[Assertion, ...] = ()
    """Empty for a subdomain that no document was planned for."""
    doc_types: tuple[str, ...] = ()


class PlannedDocument(Row):
    """A document to write."""

    subdomain: str
    """`Subdomain.id`."""
    doc_type: str
    idea: str


class CorpusPlan(Row):
    """All there is to know before a document is written."""

    spec: str
    """SHA-256 of the spec file's text."""
    domains: tuple[DomainReply, ...]
    subdomains: tuple[Subdomain, ...]
    documents: tuple[PlannedDocument, ...]
    """In seeded random order."""

    @property
    def assertion_texts(self) -> dict[str, str]:
        """Assertion id -> its text, identity filled in."""
        return {entry.id: entry.text for subdomain in self.subdomains for entry in subdomain.assertions}
