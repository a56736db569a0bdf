"""Write the planned documents: one per (subdomain, type, idea), each unlike every other."""

from __future__ import annotations

from midspec.corpus.check import check_document
from midspec.corpus.filled import spec_variables
from midspec.corpus.overlap import OverlapIndex
from midspec.corpus.planned import CorpusPlan, PlannedDocument
from midspec.corpus.replies import DOCUMENT
from midspec.corpus.stages import subdomain_variables
from midspec.experiment import CorpusConfig
from midspec.llm.rounds import ROUNDS, in_rounds
from midspec.llm.writer import Scribe
from midspec.records import Document, short_hash
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.progress import Progress


async def write(
    scribe: Scribe,
    spec: ModelSpec,
    identity: Identity,
    plan: CorpusPlan,
    config: CorpusConfig,
    *,
    progress: Progress,
) -> list[Document]:
    """One accepted document per planned one, in plan order; the same whatever the order of arrival.

    Raises WriterError, saying how many are missing and why, where the writer gives too many that cannot be used.
    """
    subdomains = {subdomain.id: subdomain for subdomain in plan.subdomains}
    shared = spec_variables(spec, identity)
    index = OverlapIndex()

    async def ask(planned: PlannedDocument, number: int) -> Document:
        subdomain = subdomains[planned.subdomain]
        sample = config.seed * ROUNDS + number
        variables = {
            **shared,
            **subdomain_variables(spec, identity, subdomain),
            "assertions": [assertion.text for assertion in subdomain.assertions],
            "doc_type": planned.doc_type,
            "idea": planned.idea,
        }
        text = await scribe.ask(
            DOCUMENT, variables, sample, lambda document: check_document(document, shared["spec"], identity)
        )
        return _row(
            text,
            spec=spec.sha256,
            section=subdomain.section,
            section_id=subdomain.section_id,
            span=subdomain.span,
            domain=subdomain.domain,
            subdomain=subdomain.name,
            assertions=tuple(assertion.id for assertion in subdomain.assertions),
            doc_type=planned.doc_type,
            idea=planned.idea,
            writer=scribe.writer.name,
            seed=sample,
        )

    def reject(_: PlannedDocument, document: Document) -> str | None:
        if index.highest(document.text) > config.max_overlap:
            return "overlap"
        index.add(document.text)
        return None

    progress.start(len(plan.documents), "documents")
    found = await in_rounds(
        enumerate(plan.documents),
        ask,
        reject,
        tally=scribe.tally,
        rounds=ROUNDS * scribe.patience,
        min_yield=config.min_yield,
        accepted=lambda _, __: progress.advance(),
    )
    if found.missing:
        raise found.shortfall("documents")
    return [found.results[index] for index in range(len(plan.documents))]


def _row(text: str, **fields: object) -> Document:
    """A document whose id tells everything but its text."""
    return Document.model_validate({"id": f"doc-{short_hash(fields)}", "text": text, **fields})
