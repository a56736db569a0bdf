"""The corpus as a step: config in, `documents.jsonl`, `plan.json` and `spec.md` out."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

from midspec.corpus.overlap import words_of
from midspec.corpus.plan import plan
from midspec.corpus.planned import CorpusPlan
from midspec.corpus.replies import PROMPTS
from midspec.corpus.write import write
from midspec.experiment import Config, CorpusConfig, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.offline.version import offline_version
from midspec.llm.writer import Tally
from midspec.records import Document, write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when the code here makes another corpus from the same config and replies."""


class CorpusStepConfig(Config):
    """What decides a corpus."""

    spec_text: str
    identity: Identity
    writer: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model, whose name says which it is."""
    corpus: CorpusConfig
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


def step_config(spec: ModelSpec, identity: Identity, writer: WriterConfig, corpus: CorpusConfig) -> CorpusStepConfig:
    """Everything that decides the corpus of `spec`."""
    return CorpusStepConfig(
        spec_text=spec.text,
        identity=identity,
        writer=writer,
        writer_version=offline_version(writer),
        corpus=corpus,
        prompts={prompt.name: prompt.fingerprint for prompt in PROMPTS},
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

    `coverage` holds [documents, words] per section title, `types` documents per document type, `rejected` replies and
    documents set aside by reason. Raises InputError and WriterError as `plan` and `write` do.
    """
    config: CorpusStepConfig = context.config
    spec = ModelSpec("spec", config.spec_text)
    made, documents, tally = asyncio.run(_make(spec, config, context))

    write_rows(context.folder / "documents.jsonl", documents)
    (context.folder / "plan.json").write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
    (context.folder / "spec.md").write_text(spec.text, encoding="utf-8", newline="\n")

    words = {document.id: len(words_of(document.text)) for document in documents}
    coverage: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for section in spec.sections:
        if any(passage.section.id == section.id for passage in spec.passages):
            coverage[section.title] = [0, 0]
    for document in documents:
        coverage[document.section][0] += 1
        coverage[document.section][1] += words[document.id]
    return {
        "documents": len(documents),
        "words": sum(words.values()),
        "types": dict(sorted(Counter(document.doc_type for document in documents).items())),
        "coverage": dict(coverage),
        **tally.summary(),
    }


async def _make(
    spec: ModelSpec, config: CorpusStepConfig, context: Context
) -> tuple[CorpusPlan, list[Document], Tally]:
    async with Desk(context) as desk:
        scribe = desk.scribe(config.writer)
        made = await plan(scribe, spec, config.identity, config.corpus)
        documents = await write(scribe, spec, config.identity, made, config.corpus, progress=context.progress)
    return made, documents, scribe.tally
