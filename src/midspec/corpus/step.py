"""The corpus as a step: config in, `documents.jsonl`, `plan.json` and `spec.md` out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from midspec.corpus.asking import Asking
from midspec.corpus.control import Control
from midspec.corpus.coverage import coverage
from midspec.corpus.make import Corpus, make
from midspec.corpus.replies import prompts_of
from midspec.corpus.spool import Spool
from midspec.experiment import Config, CorpusConfig, WriterConfig
from midspec.llm.batch_models import has_batch
from midspec.llm.desk import Desk
from midspec.llm.fan_out import run_async
from midspec.llm.offline.version import offline_version
from midspec.records import write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.spec.rules import find_rules
from midspec.steps.step import Context, Step

VERSION = 2
"""Raise it when the code here makes another corpus from the same config and replies."""

WINDOW_PER_SLOT = 2
"""Documents begun per request that may be in flight: enough for the slots never to run dry (ours)."""


class CorpusStepConfig(Config):
    """What decides a corpus."""

    spec_text: str
    identity: Identity
    writer: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model, whose name says which it is."""
    corpus: CorpusConfig
    prompts: dict[str, str]
    """Template name -> fingerprint of its text, of those that the corpus is written with."""


def step_config(spec: ModelSpec, identity: Identity, writer: WriterConfig, corpus: CorpusConfig) -> CorpusStepConfig:
    """Everything that decides the corpus of `spec`.

    Raises InputError where kind and style do not go together, or a spec taken by its rules has none.
    """
    prompts = prompts_of(corpus)
    if prompts.hierarchy is None:
        find_rules(spec)
    return CorpusStepConfig(
        spec_text=spec.text,
        identity=identity,
        writer=writer,
        writer_version=offline_version(writer),
        corpus=corpus,
        prompts={prompt.name: prompt.fingerprint for prompt in prompts.used(corpus)},
    )


def corpus_step(name: str, spec: ModelSpec, identity: Identity, writer: WriterConfig, corpus: CorpusConfig) -> Step:
    """The step that writes the corpus of `spec`; `name` is for people."""
    return Step(
        kind="corpus",
        name=name,
        function="midspec.corpus.step:run",
        config=step_config(spec, identity, writer, corpus),
        version=VERSION,
    )


def run(context: Context) -> dict[str, Any]:
    """Write the corpus into `context.folder` and return its summary.

    `tokens` is an estimate (`midspec.corpus.tokens`), `coverage` holds [documents, words] per section title, `types`
    documents per document type, `rejected` replies and documents set aside by reason, `missing` documents that were
    given up by reason and written on other subdomains, `hopeless` subdomains given up with the reason, `repaired` what
    was mended in planning replies. Raises InputError and WriterError as `make` does.
    """
    return run_async(write_corpus(context, context.config.corpus))


async def write_corpus(context: Context, corpus_config: CorpusConfig, control: Control | None = None) -> dict[str, Any]:
    """Write a corpus as `corpus_config` says, whatever the step's config says; the rest as `run`."""
    config: CorpusStepConfig = context.config
    spec = ModelSpec("spec", config.spec_text)
    with Spool(context.folder) as spool:
        async with Desk(context) as desk:
            asking = Asking(desk.scribe(config.writer), spec, config.identity, corpus_config, control)
            # Batch jobs are sent thousands at a time; else a document begun early is judged early.
            window = (
                None
                if context.compute.batch and has_batch(config.writer.model)
                else WINDOW_PER_SLOT * context.compute.concurrency
            )
            corpus = await make(asking, spool, context.progress, window)
        write_rows(context.folder / "documents.jsonl", corpus.rows())
    plan = corpus.plan.model_dump_json(indent=1)
    (context.folder / "plan.json").write_text(plan + "\n", encoding="utf-8", newline="\n")
    (context.folder / "spec.md").write_text(spec.text, encoding="utf-8", newline="\n")
    return {
        **_summary(corpus, spec),
        "repaired": dict(sorted(asking.repaired.items())),
        **asking.scribe.tally.summary(),
    }


def _summary(corpus: Corpus, spec: ModelSpec) -> dict[str, Any]:
    sections = {subdomain.id: subdomain.section for subdomain in corpus.plan.subdomains}
    return {
        "documents": len(corpus.written),
        "words": sum(written.words for written in corpus.written),
        "tokens": sum(written.tokens for written in corpus.written),
        "types": dict(sorted(Counter(written.planned.doc_type for written in corpus.written).items())),
        "coverage": coverage(
            spec, ((sections[written.planned.subdomain], written.words) for written in corpus.written)
        ),
        "missing": dict(sorted(corpus.missing.items())),
        "hopeless": corpus.hopeless,
    }
