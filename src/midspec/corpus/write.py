"""Write planned documents, check each strictly, and judge it beside those that came before."""

from __future__ import annotations

from typing import NamedTuple

from midspec.corpus.asking import Asking
from midspec.corpus.check import check_control, check_document
from midspec.corpus.overlap import OverlapIndex, words_of
from midspec.corpus.planned import PlannedDocument, Subdomain
from midspec.corpus.spool import Place, Spool
from midspec.corpus.tokens import estimated_tokens
from midspec.corpus.voices import NAMELESS, VOICES
from midspec.errors import WriterError
from midspec.records import Document, short_hash

FIRST_LOOK = 60
"""Documents that may fail before any is written: a writer that can do none of these can do none (ours)."""


class Written(NamedTuple):
    """A document whose text lies in the spool."""

    planned: PlannedDocument
    sample: int
    place: Place
    words: int
    tokens: int
    """Estimated."""


class DocumentWriter:
    """Asks for documents and judges them. Texts lie in `spool`; memory holds what tells them apart."""

    def __init__(self, asking: Asking, spool: Spool) -> None:
        self._asking = asking
        self._spool = spool
        self._judged: list[Place] = []
        self._index = OverlapIndex(lambda number: spool.read(self._judged[number]))
        nobody = asking.config.kind in ("belief", "neutral") or asking.config.style in NAMELESS
        self._identity = None if nobody else asking.identity
        self._written = 0
        self._failed = 0
        self.last = ""
        """What the writer said about the last reply that could not be used at all."""

    async def write(self, planned: PlannedDocument, subdomain: Subdomain, number: int) -> Written:
        """One document that passes all checks; with `critique`, criticised and written anew.

        `number` asks for another sample. Raises WriterError where no reply can be used, and without asking where none
        of the first FIRST_LOOK could, unless the recipe's `min_yield` is 0.
        """
        if self._failed >= FIRST_LOOK and not self._written and self._asking.config.min_yield:
            raise WriterError(self.last)
        try:
            text = await self._text(planned, subdomain, number)
        except WriterError as error:
            self._failed += 1
            self.last = str(error)
            raise
        self._written += 1
        return Written(
            planned,
            self._asking.sample(number),
            self._spool.add(text),
            words=len(words_of(text)),
            tokens=estimated_tokens(text),
        )

    async def _text(self, planned: PlannedDocument, subdomain: Subdomain, number: int) -> str:
        prompts = self._asking.prompts
        variables = {**self._asking.about(subdomain), "doc_type": planned.doc_type, "idea": planned.idea}
        if planned.words is not None:
            variables["words"] = planned.words
        if self._asking.config.style in VOICES:
            variables["voice"] = self._asking.config.style

        def check(text: str) -> None:
            check_document(text, self._asking.shared.get("spec", ""), self._identity)
            if planned.words is not None:
                check_control(text, planned.words, self._asking.control.avoid)

        text = await self._asking.ask(prompts.document, variables, check, number)
        if self._asking.config.critique and prompts.planning is not None:
            rewrite = prompts.planning.rewrite
            text = await self._asking.ask(rewrite, {**variables, "document": text}, check, number)
        return text

    def fault(self, written: Written) -> str | None:
        """Why a document cannot stand beside those judged before it; None keeps it in mind."""
        text = self._spool.read(written.place)
        limit = self._asking.config.max_overlap
        if self._index.highest(text, limit) > limit:
            return "overlap"
        self._index.add(text)
        self._judged.append(written.place)
        return None

    def row(self, written: Written, subdomain: Subdomain) -> Document:
        """The finished row; its id tells everything but its text."""
        fields = {
            "spec": self._asking.spec.sha256,
            "section": subdomain.section,
            "section_id": subdomain.section_id,
            "span": subdomain.span,
            "domain": subdomain.domain,
            "subdomain": subdomain.name,
            "assertions": tuple(assertion.id for assertion in subdomain.assertions),
            "doc_type": written.planned.doc_type,
            "idea": written.planned.idea,
            "writer": self._asking.scribe.writer.name,
            "seed": written.sample,
            "style": self._asking.config.style if self._asking.config.kind == "spec" else self._asking.config.kind,
            "critiqued": self._asking.config.critique,
        }
        return Document.model_validate(
            {"id": f"doc-{short_hash(fields)}", "text": self._spool.read(written.place), **fields}
        )
