"""A variant of a spec, written by a language model, as a step: config in, `spec.md` out."""

from __future__ import annotations

import asyncio
from typing import Any

from midspec.errors import InputError
from midspec.experiment import Config, WriterConfig
from midspec.llm.desk import OFFLINE, Desk
from midspec.llm.writer import Tally
from midspec.spec.document import ModelSpec
from midspec.spec.prose import word_count
from midspec.spec.vary import VERSION, VaryConfig
from midspec.spec.written import PROMPTS, write
from midspec.steps.step import Context, Step

FILE = "spec.md"


class VaryStepConfig(Config):
    """What decides a written variant."""

    vary: VaryConfig
    spec_text: str
    writer: WriterConfig
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


def vary_step(name: str, spec: ModelSpec, config: VaryConfig, writer: WriterConfig) -> Step:
    """The step that writes a variant; `name` is for people. Raises InputError for the writer without a model."""
    if writer.model == OFFLINE:
        raise InputError(
            f"variant {config.variant!r} of spec {spec.name!r} has to be written by a language model, and the offline "
            "writer is none; name one with --writer, e.g. --writer anthropic/claude-opus-4-6"
        )
    return Step(
        kind="spec",
        name=name,
        function="midspec.spec.vary_step:run",
        config=VaryStepConfig(
            vary=config,
            spec_text=spec.text,
            writer=writer,
            prompts={prompt.name: prompt.fingerprint for prompt in PROMPTS},
        ),
        version=VERSION,
    )


def run(context: Context) -> dict[str, Any]:
    """Write `spec.md` and return its summary. Raises WriterError as `write` does; replies outlive a kill."""
    config: VaryStepConfig = context.config
    text, tally = asyncio.run(_run(context, config))
    (context.folder / FILE).write_text(text, encoding="utf-8", newline="\n")
    return {"variant": config.vary.variant, "words": word_count(text), **tally.summary()}


async def _run(context: Context, config: VaryStepConfig) -> tuple[str, Tally]:
    async with Desk(context) as desk:
        scribe = desk.scribe(config.writer)
        text = await write(ModelSpec("spec", config.spec_text), config.vary, scribe)
        return text, scribe.tally
