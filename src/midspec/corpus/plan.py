"""Plan a corpus: spec -> domains -> subdomains -> assertions, document types -> ideas (paper, section 2).

Every passage of the spec is covered by at least one subdomain, every section gets as many documents as any other.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from midspec.corpus.allocate import even_shares, spread_over_types
from midspec.corpus.planned import CorpusPlan, PlannedDocument, Subdomain
from midspec.corpus.stages import Stages
from midspec.errors import InputError
from midspec.experiment import CorpusConfig
from midspec.llm.fan_out import gathered
from midspec.llm.writer import Scribe
from midspec.records import short_hash
from midspec.spec.document import Identity, ModelSpec


async def plan(scribe: Scribe, spec: ModelSpec, identity: Identity, config: CorpusConfig) -> CorpusPlan:
    """A plan of exactly `config.documents` documents.

    Raises InputError for a spec without text and for more documents than subdomains x types x ideas, WriterError where
    the writer's replies cannot be used.
    """
    if not spec.passages:
        raise InputError(f"spec {spec.name!r} has headings but no text under them; write what the assistant should be")
    stages = Stages(scribe, spec, identity, config)
    domains = await stages.domains()
    subdomains = await stages.subdomains(domains)
    rng = random.Random(short_hash("corpus plan", spec.sha256, config.seed))
    shares = _shares(subdomains, config, rng)
    chosen = [subdomain for subdomain in subdomains if shares[subdomain.id]]
    detailed = {entry.id: entry for entry in await gathered(chosen, stages.detailed)}

    used: Counter[str] = Counter()
    cells: list[tuple[Subdomain, str, int]] = []
    for subdomain in rng.sample(chosen, len(chosen)):
        types = detailed[subdomain.id].doc_types
        for doc_type, count in spread_over_types(shares[subdomain.id], types, config.ideas, used, rng).items():
            cells.append((detailed[subdomain.id], doc_type, count))
    ideas = await gathered(cells, stages.ideas)
    documents = [
        PlannedDocument(subdomain=subdomain.id, doc_type=doc_type, idea=idea)
        for (subdomain, doc_type, _), texts in zip(cells, ideas, strict=True)
        for idea in texts
    ]
    rng.shuffle(documents)
    assert len(documents) == config.documents
    return CorpusPlan(
        spec=spec.sha256,
        domains=domains,
        subdomains=tuple(detailed.get(subdomain.id, subdomain) for subdomain in subdomains),
        documents=tuple(documents),
    )


def _shares(subdomains: Sequence[Subdomain], config: CorpusConfig, rng: random.Random) -> dict[str, int]:
    """Documents per subdomain: even over sections, then even over the subdomains of each."""
    room = config.document_types * config.ideas
    if len(subdomains) * room < config.documents:
        raise InputError(
            f"corpus.documents is {config.documents:,}, but {len(subdomains)} subdomain(s) x {config.document_types} "
            f"document types x {config.ideas} ideas give at most {len(subdomains) * room:,}; lower corpus.documents, "
            "raise corpus.document_types or corpus.ideas, or write a longer spec"
        )
    by_section: dict[str, list[str]] = defaultdict(list)
    for subdomain in subdomains:
        by_section[subdomain.section_id].append(subdomain.id)
    sections = even_shares(config.documents, {key: len(ids) * room for key, ids in by_section.items()}, rng)
    shares: dict[str, int] = {}
    for key, ids in by_section.items():
        shares |= even_shares(sections[key], dict.fromkeys(ids, room), rng)
    return shares
