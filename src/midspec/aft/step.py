"""The demonstrations as a step: config in, `demonstrations.jsonl` out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from midspec.aft.preferences import PreferenceSet, load_preferences
from midspec.aft.write import PROMPTS, write
from midspec.experiment import AftConfig, Config, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.offline.version import offline_version
from midspec.llm.writer import Tally
from midspec.records import ChatExample, write_rows
from midspec.spec.document import Identity
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when the code here makes other demonstrations from the same config and replies."""


class AftStepConfig(Config):
    """What decides the demonstrations."""

    preferences: PreferenceSet
    identity: Identity
    writer: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model, whose name says which it is."""
    aft: AftConfig
    """`aft.preferences` holds the set's own name: where its file lies decides nothing."""
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


def step_config(identity: Identity, writer: WriterConfig, aft: AftConfig) -> AftStepConfig:
    """Everything that decides the demonstrations. Raises InputError where the preference set cannot be used."""
    preferences = load_preferences(aft.preferences)
    return AftStepConfig(
        preferences=preferences,
        identity=identity,
        writer=writer,
        writer_version=offline_version(writer),
        aft=aft.model_copy(update={"preferences": preferences.name}),
        prompts={prompt.name: prompt.fingerprint for prompt in PROMPTS},
    )


def demonstrations_step(identity: Identity, writer: WriterConfig, aft: AftConfig) -> Step:
    """The step that writes the demonstrations. Raises InputError where the preference set cannot be used."""
    config = step_config(identity, writer, aft)
    return Step(
        kind="demonstrations",
        name=aft.kind,
        function="midspec.aft.step:run",
        config=config,
        version=VERSION,
    )


def run(context: Context) -> dict[str, Any]:
    """Write the demonstrations into `context.folder` and return their summary; `kinds` counts forms of question.

    Raises WriterError as `write` does.
    """
    config: AftStepConfig = context.config
    examples, tally = asyncio.run(_make(config, context))
    write_rows(context.folder / "demonstrations.jsonl", examples)
    return {
        "examples": len(examples),
        "kinds": dict(sorted(Counter(example.kind for example in examples).items())),
        **tally.summary(),
    }


async def _make(config: AftStepConfig, context: Context) -> tuple[list[ChatExample], Tally]:
    async with Desk(context) as desk:
        scribe = desk.scribe(config.writer)
        examples = await write(scribe, config.preferences, config.identity, config.aft, progress=context.progress)
    return examples, scribe.tally
