"""The stages as steps. Judges' replies outlive a kill in the workspace's journal; nothing is asked twice."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from midspec.evals.reasoning.classify import classify
from midspec.evals.reasoning.config import (
    ClassifyConfig,
    CollectConfig,
    ExtractConfig,
    MergeConfig,
    SynthesiseConfig,
)
from midspec.evals.reasoning.extract import Passage, extract
from midspec.evals.reasoning.labels import Labels
from midspec.evals.reasoning.merge import merge, overlaps
from midspec.evals.reasoning.numbers import table
from midspec.evals.reasoning.offline import HONEST, reader
from midspec.evals.reasoning.pages import quotes_page
from midspec.evals.reasoning.policy import read_policy, spec_rules
from midspec.evals.reasoning.results import LABELS, META, PAGE, TABLE, THEMES, TRANSCRIPTS, load_results
from midspec.evals.reasoning.sources import read_source
from midspec.evals.reasoning.synthesise import synthesise
from midspec.evals.reasoning.themes import ThemeSet, load_themes, themes_text
from midspec.evals.reasoning.transcripts import Transcript, per_run, spread
from midspec.llm.desk import OFFLINE, Desk
from midspec.llm.fan_out import gathered, run_async
from midspec.records import read_rows, write_rows
from midspec.spec.document import ModelSpec
from midspec.steps.step import Context

REASONS = "reasons.jsonl"


def collect(context: Context) -> dict[str, Any]:
    """Write `transcripts.jsonl` (Transcript, arm by arm). Summary: transcripts per arm, and how many are empty."""
    config: CollectConfig = context.config
    found: list[Transcript] = []
    for number, source in enumerate(config.sources):
        roles = [role.partition("/") for role in context.inputs if role.startswith(f"{number}/")]
        files = {name: _file(context.inputs[f"{at}/{name}"], name) for at, _, name in roles}
        found += read_source(source, files, config.reads)
    found = per_run(found, config.per_run, config.seed)
    write_rows(context.folder / TRANSCRIPTS, found)
    empty = Counter(one.arm for one in found if not one.text.strip())
    return {"transcripts": dict(Counter(one.arm for one in found)), "empty": dict(empty)}


def _file(folder: Path, name: str) -> Path:
    """`name` in `folder`; a log keeps the end of its name, by which its reader knows its form."""
    exact = folder / name
    return exact if exact.exists() else next(folder.glob(f"{name}.*"), exact)


def extract_reasons(context: Context) -> dict[str, Any]:
    """Write `reasons.jsonl` (Passage). Summary: as `Extracted`, and the judge's tally."""
    config: ExtractConfig = context.config
    transcripts = list(read_rows(context.inputs["transcripts"] / TRANSCRIPTS, Transcript))

    async def run() -> dict[str, Any]:
        async with Desk(context) as desk:
            scribe = reader(desk, config.judge)
            found = await extract(scribe, spread(transcripts, config.sample, config.seed), context.progress)
            write_rows(context.folder / REASONS, found.passages)
            told = {"reasons": len(found.passages), "read": found.read, "unread": found.unread}
            return {**told, "left_out": found.rejected, **scribe.tally.summary()}

    return run_async(run())


def synthesise_themes(context: Context) -> dict[str, Any]:
    """Write `themes.yaml` (ThemeSet). Summary: themes, those dropped, and the judge's tally. Raises as `synthesise`."""
    config: SynthesiseConfig = context.config
    passages = list(read_rows(context.inputs["reasons"] / REASONS, Passage))
    known = config.known.themes if config.known else ()

    async def run() -> dict[str, Any]:
        async with Desk(context) as desk:
            scribe = reader(desk, config.judge)
            found = await synthesise(
                scribe,
                passages,
                known,
                min_support=config.min_support,
                seed=config.seed,
                progress=context.progress,
            )
            read = len({one.transcript for one in passages})
            who = f"{HONEST}," if config.judge.model == OFFLINE else f"discovered by {config.judge.model}"
            start = f", starting from the themes {config.known.name!r}" if config.known else ""
            origin = f"{who} from {len(passages)} reasons of {read} transcripts{start}"
            themes = ThemeSet(name=config.name, origin=origin, themes=tuple(found.themes))
            (context.folder / THEMES).write_text(themes_text(themes), encoding="utf-8")
            told = {"themes": len(found.themes), "new": len(found.themes) - len(known), "dropped": found.dropped}
            return {**told, "unread_batches": found.unread, **scribe.tally.summary()}

    return run_async(run())


def classify_transcripts(context: Context) -> dict[str, Any]:
    """Write `labels.jsonl` (Labels) and `themes.yaml`. Summary: unread transcripts by reason, and the judge's tally."""
    config: ClassifyConfig = context.config
    themes = config.themes or load_themes(context.inputs["themes"] / THEMES)
    transcripts = list(read_rows(context.inputs["transcripts"] / TRANSCRIPTS, Transcript))
    policy = config.policy
    rules = spec_rules(ModelSpec(policy.name, policy.text), policy.identity) if policy else None

    async def run() -> dict[str, Any]:
        async with Desk(context) as desk:
            scribe = reader(desk, config.judge)
            context.progress.start(len(transcripts), "transcripts classified")

            async def one(transcript: Transcript) -> Labels:
                found = await classify(scribe, transcript, themes)
                use = await read_policy(scribe, transcript, rules) if rules else None
                context.progress.advance()
                missing = found.missing | ({"policy": use.missing} if use and use.missing else {})
                return Labels(
                    transcript=transcript.id,
                    **transcript.model_dump(include={"arm", "seed", "item", "domain", "sample", "misaligned"}),
                    themes=found.themes,
                    quotes=found.quotes,
                    missing=missing,
                    policy=use.verdicts if use else {},
                    citations=use.citations if use else (),
                )

            rows = await gathered(transcripts, one)
            write_rows(context.folder / LABELS, rows)
            (context.folder / THEMES).write_text(themes_text(themes), encoding="utf-8")
            missing = Counter(reason for row in rows for reason in set(row.missing.values()))
            return {"transcripts": len(rows), "missing": dict(sorted(missing.items())), **scribe.tally.summary()}

    return run_async(run())


def merge_labels(context: Context) -> dict[str, Any]:
    """Write the whole result: transcripts, labels and themes after merging, `table.json`, `quotes.html`.

    Summary: transcripts per arm, themes, those merged, and differences tested.
    """
    config: MergeConfig = context.config
    source = context.inputs["labels"]
    rows = list(read_rows(source / LABELS, Labels))
    themes = load_themes(source / THEMES)
    into: dict[str, str] = {}
    if config.overlap is not None:
        rows, themes, into = merge(rows, themes, config.frozen, config.overlap)
    counted = table(rows, themes, config.baseline, overlaps(rows, themes))
    shutil.copyfile(context.inputs["transcripts"] / TRANSCRIPTS, context.folder / TRANSCRIPTS)
    write_rows(context.folder / LABELS, rows)
    (context.folder / THEMES).write_text(themes_text(themes), encoding="utf-8")
    (context.folder / TABLE).write_text(json.dumps(counted.plain(), indent=1, ensure_ascii=False), encoding="utf-8")
    meta = {"judge": config.judge, "baseline": config.baseline, "spec": config.spec, "merged": into}
    (context.folder / META).write_text(json.dumps(meta, indent=1, ensure_ascii=False), encoding="utf-8")
    (context.folder / PAGE).write_text(quotes_page(load_results(context.folder)), encoding="utf-8")
    return {
        "transcripts": counted.transcripts,
        "themes": len(themes.themes),
        "merged": into,
        "comparisons": counted.comparisons,
        "missing": counted.missing,
    }
