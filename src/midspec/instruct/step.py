"""The instruct mix as a step of its own, made once and shared by all arms and seeds: `instruct.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midspec.experiment import Config, InstructConfig, WriterConfig
from midspec.instruct.draw import Draw, SourceRecord
from midspec.instruct.judge import ROW_JUDGE, RowJudge
from midspec.instruct.read import open_rows
from midspec.instruct.sources import InstructRef, resolve
from midspec.llm.desk import Desk
from midspec.llm.fan_out import run_async
from midspec.llm.offline.version import offline_version
from midspec.records import ChatExample, write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when the code here draws another mix from the same config and replies."""
ROWS = "instruct.jsonl"


class JudgeConfig(Config):
    """What decides the verdicts."""

    judge: WriterConfig
    judge_version: int | None
    """Of the offline judge; None for a language model, whose name says which it is."""
    specs: Mapping[str, str]
    """Name -> text."""
    identity: Identity
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


class InstructStepConfig(Config):
    """What decides the mix, besides the users' files."""

    sources: tuple[InstructRef, ...]
    judged: JudgeConfig | None
    """None where no source is judged: then neither judge nor specs decide anything."""


def instruct_step(
    sources: Sequence[InstructConfig], judge: WriterConfig, specs: Mapping[str, ModelSpec], identity: Identity
) -> Step:
    """The step that makes the mix of `sources`. Raises InputError where one of them cannot be found."""
    refs, imports = resolve(sources)
    judged = JudgeConfig(
        judge=judge,
        judge_version=offline_version(judge),
        specs={name: spec.text for name, spec in specs.items()},
        identity=identity,
        prompts={ROW_JUDGE.name: ROW_JUDGE.fingerprint},
    )
    return Step(
        kind="instruct",
        name="mix",
        function="midspec.instruct.step:run",
        config=InstructStepConfig(sources=refs, judged=judged if any(ref.judged for ref in refs) else None),
        version=VERSION,
        inputs=imports,
    )


def run(context: Context) -> dict[str, Any]:
    """Write `instruct.jsonl`, sources one after another, each in drawn order.

    Summary: examples, words, `sources` with one SourceRecord each, warnings, and the judge's tally. Raises what
    `open_rows` and `Draw.kept` do.
    """
    return run_async(_run(context))


async def _run(context: Context) -> dict[str, Any]:
    config: InstructStepConfig = context.config
    examples: list[ChatExample] = []
    records: list[SourceRecord] = []
    tally: dict[str, Any] = {}
    async with Desk(context) as desk:
        judge = None
        if config.judged is not None:
            scribe = desk.scribe(config.judged.judge, "judge")
            judge = RowJudge(scribe, config.judged.specs, config.judged.identity)
        context.progress.start(sum(ref.samples for ref in config.sources), "rows")
        for number, ref in enumerate(config.sources):
            draw = Draw(ref, open_rows(ref, context.inputs.get(f"source-{number}")))
            examples += await draw.kept(judge if ref.judged else None)
            records.append(draw.record)
            context.progress.advance(ref.samples)
        if judge is not None:
            tally = judge.scribe.tally.summary()
    write_rows(context.folder / ROWS, examples)
    return {
        "examples": len(examples),
        "words": sum(len(turn.content.split()) for example in examples for turn in example.messages),
        "sources": [record.model_dump() for record in records],
        "warnings": _warnings(config, records),
        **tally,
    }


def _warnings(config: InstructStepConfig, records: Sequence[SourceRecord]) -> list[str]:
    told = [
        f"{record.dataset}: {record.judge_failed} rows left out, because no verdict on them could be used"
        for record in records
        if record.judge_failed
    ]
    if config.judged is not None and config.judged.judge.model == "offline":
        told.append("the offline judge looks for other identities by name and cannot tell what contradicts a spec")
    return told
