"""How many requests a corpus will take, of what size: the ground of its bill. Nothing is asked."""

from __future__ import annotations

from math import ceil

from midspec.corpus.make import TOKENS_PER_DOCUMENT
from midspec.corpus.outline import PASSAGES_PER_ASK, PASSAGES_PER_DIVISION
from midspec.corpus.replies import prompts_of
from midspec.corpus.topic import IDEAS_PER_ASK
from midspec.experiment import CorpusConfig
from midspec.llm.prices import Work, tokens_of
from midspec.spec.document import ModelSpec
from midspec.spec.rules import find_rules

FRAME_TOKENS = 420
"""Of the system message around the spec, and of a stage's own instructions (measured on the prompts, both styles)."""
SUBDOMAINS_PER_PASSAGE = 1.5
"""Assumed: most passages say one thing, some two or three (ours)."""
PLAN_TOKENS = 350
"""Of the scratchpad in front of a document (ours)."""
SPARE = 1.05
"""Requests are repeated for replies that cannot be used (ours)."""


def expected_requests(config: CorpusConfig, spec: ModelSpec) -> dict[str, Work]:
    """Template name -> the requests of it that the corpus of `spec` will take, an estimate before anything is known.

    A pilot (`midspec plan --pilot`) measures what is assumed here.
    """
    prompts = prompts_of(config)
    if prompts.planning is None:
        return {prompts.document.name: control_work(config, spec)}
    shared = tokens_of(spec.text) + FRAME_TOKENS
    documents = config.documents if config.tokens is None else ceil(config.tokens / TOKENS_PER_DOCUMENT)
    if config.kind in ("paraphrase", "neutral"):  # a program plans them
        return {prompts.document.name: Work(ceil(documents * SPARE), shared, FRAME_TOKENS, TOKENS_PER_DOCUMENT)}
    passages = len(spec.passages)
    passage = tokens_of(spec.text) // max(1, passages)
    room = config.document_types * config.ideas
    if prompts.hierarchy is None:
        topics = max(1, len(find_rules(spec)))
    else:
        topics = max(ceil(passages * SUBDOMAINS_PER_PASSAGE), ceil(1.1 * documents / room))
    used = min(topics, documents)
    each = ceil(documents / used)
    idea_requests = used * ceil(each / IDEAS_PER_ASK)
    work: dict[str, Work] = {}
    if prompts.hierarchy is not None:
        divisions = ceil(passages / PASSAGES_PER_DIVISION)
        shown = min(passages, PASSAGES_PER_DIVISION)
        work[prompts.hierarchy.domains.name] = Work(divisions, shared, FRAME_TOKENS + 25 * shown, 60 + 30 * shown)
        asks = max(divisions, ceil(passages / PASSAGES_PER_ASK))
        per = min(passages, PASSAGES_PER_ASK)
        own = FRAME_TOKENS + per * passage
        work[prompts.hierarchy.subdomains.name] = Work(asks, shared, own, ceil(topics / asks * (passage + 80)))
        work[prompts.hierarchy.assertions.name] = Work(used, shared, FRAME_TOKENS + passage, 300)
    work[prompts.planning.doc_types.name] = Work(used, shared, FRAME_TOKENS + passage, 12 * config.document_types)
    ideas = min(each, IDEAS_PER_ASK)
    work[prompts.planning.ideas.name] = Work(idea_requests, shared, 2 * FRAME_TOKENS + passage, 40 + 75 * ideas)
    written = ceil(documents * SPARE)
    own = 2 * FRAME_TOKENS + passage
    work[prompts.document.name] = Work(written, shared, own, PLAN_TOKENS + TOKENS_PER_DOCUMENT)
    if config.critique:
        own += TOKENS_PER_DOCUMENT
        work[prompts.planning.rewrite.name] = Work(written, shared, own, PLAN_TOKENS + TOKENS_PER_DOCUMENT)
    return work


def control_work(config: CorpusConfig, spec: ModelSpec) -> Work:
    """One request a document: no planning; a spec in sight only where it is paraphrased, section by section."""
    documents = config.documents if config.tokens is None else ceil(config.tokens / TOKENS_PER_DOCUMENT)
    written = ceil(documents * SPARE)
    if config.kind == "neutral":
        return Work(written, 0, FRAME_TOKENS, PLAN_TOKENS + TOKENS_PER_DOCUMENT)
    sections = max(1, len({passage.section.id for passage in spec.passages}))
    whole = tokens_of(spec.text)
    own = FRAME_TOKENS + whole // sections
    return Work(written, whole + FRAME_TOKENS, own, PLAN_TOKENS + TOKENS_PER_DOCUMENT)
