"""Control corpora as steps: the spec said again in other words, and documents that have nothing to do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midspec.corpus.check import held
from midspec.corpus.control import Control, Mould, moulds_of, tokens_per_word
from midspec.corpus.everyday import everyday, everyday_sha256
from midspec.corpus.replies import prompts_of
from midspec.corpus.step import CorpusStepConfig, write_corpus
from midspec.errors import StepError
from midspec.llm.fan_out import run_async
from midspec.llm.offline.version import offline_version
from midspec.records import Document, read_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.stages import CorpusConfig, WriterConfig
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when the code here makes another corpus from the same config and replies."""
BESIDE = "beside"
"""Role of the corpus that a control is moulded on."""


class NeutralStepConfig(CorpusStepConfig):
    """What decides a neutral corpus; its spec is empty and its identity is nobody's."""

    avoid: tuple[str, ...]
    """Names and words that no document may hold; see `midspec.corpus.avoid`."""


def paraphrase_step(
    name: str,
    spec: ModelSpec,
    identity: Identity,
    writer: WriterConfig,
    corpus: CorpusConfig,
    beside: Step | None = None,
) -> Step:
    """The step that says `spec` again in other words, with as many documents, of the same lengths, as `beside` has;
    without it, as `corpus` says. Of `corpus`, kind, style and critique are not read; `name` is for people."""
    config = _control(corpus, "paraphrase", beside)
    return _step(
        name,
        CorpusStepConfig(
            spec_text=spec.text,
            identity=identity,
            writer=writer,
            writer_version=offline_version(writer),
            corpus=config,
            prompts={prompt.name: prompt.fingerprint for prompt in prompts_of(config).used(config)},
        ),
        beside,
    )


def neutral_step(
    name: str, avoid: Sequence[str], writer: WriterConfig, corpus: CorpusConfig, beside: Step | None = None
) -> Step:
    """The step that writes documents about everyday things, with as many documents, of the same types and lengths, as
    `beside` has; without it, as `corpus` says, with packaged types. None of them holds a word of `avoid`."""
    config = _control(corpus, "neutral", beside)
    prompts = {prompt.name: prompt.fingerprint for prompt in prompts_of(config).used(config)}
    return _step(
        name,
        NeutralStepConfig(
            spec_text="",
            identity=Identity(),
            writer=writer,
            writer_version=offline_version(writer),
            corpus=config,
            prompts={**prompts, "corpus/everyday": everyday_sha256()},
            avoid=tuple(avoid),
        ),
        beside,
    )


def _control(corpus: CorpusConfig, kind: str, beside: Step | None) -> CorpusConfig:
    """`corpus` as far as it decides a control, the rest at its default: what decides nothing must not be in a
    fingerprint."""
    read = ("documents", "tokens", "min_yield", "max_overlap", "seed")[2 * (beside is not None) :]
    return CorpusConfig(kind=kind, **{key: getattr(corpus, key) for key in read})  # pyright: ignore[reportArgumentType]


def _step(name: str, config: CorpusStepConfig, beside: Step | None) -> Step:
    return Step(
        kind="corpus",
        name=name,
        function="midspec.corpus.control_step:run",
        config=config,
        version=VERSION,
        inputs={BESIDE: beside} if beside is not None else {},
    )


def run(context: Context) -> dict[str, Any]:
    """Write the control into `context.folder` and return its summary, as `midspec.corpus.step:run` does.

    Raises StepError for a corpus beside it that has no documents, WriterError as `make` does.
    """
    config: CorpusStepConfig = context.config
    avoid = config.avoid if isinstance(config, NeutralStepConfig) else ()
    corpus = config.corpus
    moulds: list[Mould] = []
    if BESIDE in context.inputs:
        per_word = tokens_per_word(config.identity.fill(config.spec_text))
        moulds = moulds_of(read_rows(context.inputs[BESIDE] / "documents.jsonl", Document), per_word)
        if not moulds:
            raise StepError(f"the corpus in {context.inputs[BESIDE]} has no documents, so nothing can stand beside it")
        corpus = corpus.model_copy(update={"documents": len(moulds), "tokens": None})
    types = everyday().types
    # The type of a document about an assistant may name the assistant.
    fit = [
        mould._replace(doc_type=types[number % len(types)]) if held(mould.doc_type, avoid) else mould
        for number, mould in enumerate(moulds)
    ]
    return run_async(write_corpus(context, corpus, Control(fit, avoid)))
