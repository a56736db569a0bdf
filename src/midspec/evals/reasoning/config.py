"""What decides each stage, and the steps: collect -> extract -> synthesise -> classify -> merge. Loads no inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.reasoning.policy import spec_rules
from midspec.evals.reasoning.replies import CLASSIFY, CONSOLIDATE, EXTRACT, POLICY, PROPOSE
from midspec.evals.reasoning.sources import AGENTIC, Source, find_source
from midspec.evals.reasoning.themes import ThemeSet
from midspec.evals.reasoning.transcripts import Reads
from midspec.experiment import Config, WriterConfig
from midspec.spec.document import Identity, ModelSpec
from midspec.stages import ReasoningConfig
from midspec.steps.imported import import_step
from midspec.steps.step import Step

COLLECT_VERSION = EXTRACT_VERSION = SYNTHESISE_VERSION = CLASSIFY_VERSION = MERGE_VERSION = 1
RULES_VERSION = 1
"""Of the reader without a model. Raise it when it gives another reply to an equal request."""


class CollectConfig(Config):
    """What decides which transcripts are read."""

    sources: tuple[Source, ...] = Field(min_length=1)
    reads: Reads
    per_run: int | None
    seed: int


class JudgeConfig(Config):
    """Who reads, and with which prompts."""

    judge: WriterConfig
    rules_version: int | None
    """Of the reader without a model; None for a language model."""
    prompts: tuple[str, ...]
    """Fingerprints."""


class ExtractConfig(JudgeConfig):
    """What decides the reasons extracted."""

    sample: int | None
    seed: int


class SynthesiseConfig(JudgeConfig):
    """What decides the themes discovered."""

    known: ThemeSet | None
    """None = start from nothing."""
    name: str
    min_support: int
    seed: int


class Policy(Config):
    """The rules whose use is looked at."""

    name: str
    """Of the spec, as the user calls it."""
    text: str
    identity: Identity


class ClassifyConfig(JudgeConfig):
    """What decides the labels."""

    themes: ThemeSet | None
    """None = those of the input `themes`."""
    policy: Policy | None


class MergeConfig(Config):
    """What decides the tables."""

    frozen: tuple[str, ...]
    """Themes that are never taken in by others."""
    overlap: float | None
    """None = nothing is merged, only shown."""
    baseline: str | None
    judge: str
    spec: str | None


class Steps(NamedTuple):
    """The steps of one analysis; `extract` and `synthesise` are None where themes are given."""

    collect: Step
    extract: Step | None
    synthesise: Step | None
    classify: Step
    merge: Step


def collect_step(arms: Sequence[tuple[str, Path]], config: ReasoningConfig) -> Step:
    """Transcripts of arms, read from folders and files. A name that comes again is another run of that arm.

    Raises InputError for an arm without a name, and for what holds no transcripts.
    """
    sources: list[Source] = []
    inputs: dict[str, Step] = {}
    for number, (arm, path) in enumerate(arms):
        if not arm.strip():
            raise InputError(f"the transcripts at {path} have no arm; expected NAME=PATH")
        kind, files = find_source(path)
        sources.append(Source(arm=arm, seed=sum(one.arm == arm for one in sources), kind=kind))
        for name, file in files.items():
            target = f"{name}{file.suffix}" if file.is_file() and not Path(name).suffix else name
            inputs[f"{number}/{name}"] = import_step("import", "transcripts", file, target)
    return _collect(sources, inputs, config)


def collect_evaluations(evaluations: Sequence[tuple[str, Step]], config: ReasoningConfig) -> Step:
    """The same of agentic evaluations that are steps, as (arm, step); several of one arm are its runs."""
    sources: list[Source] = []
    for arm, _ in evaluations:
        sources.append(Source(arm=arm, seed=sum(one.arm == arm for one in sources), kind="agentic"))
    inputs = {f"{number}/{name}": step for number, (_, step) in enumerate(evaluations) for name in AGENTIC}
    return _collect(sources, inputs, config)


def _collect(sources: Sequence[Source], inputs: Mapping[str, Step], config: ReasoningConfig) -> Step:
    return Step(
        kind="reasoning-collect",
        name="transcripts",
        function="midspec.evals.reasoning.step:collect",
        config=CollectConfig(sources=tuple(sources), reads=config.reads, per_run=config.per_run, seed=config.seed),
        version=COLLECT_VERSION,
        inputs=inputs,
    )


def theme_steps(
    transcripts: Step, judge: WriterConfig, known: ThemeSet | None, config: ReasoningConfig, name: str = "discovered"
) -> tuple[Step, Step]:
    """(reasons extracted from transcripts, themes made of them, starting from those that are known)"""
    reasons = Step(
        kind="reasoning-extract",
        name="reasons",
        function="midspec.evals.reasoning.step:extract_reasons",
        config=ExtractConfig(
            judge=judge,
            rules_version=_rules_version(judge),
            prompts=(EXTRACT.fingerprint,),
            sample=config.sample,
            seed=config.seed,
        ),
        version=EXTRACT_VERSION,
        inputs={"transcripts": transcripts},
    )
    themes = Step(
        kind="reasoning-synthesise",
        name="themes",
        function="midspec.evals.reasoning.step:synthesise_themes",
        config=SynthesiseConfig(
            judge=judge,
            rules_version=_rules_version(judge),
            prompts=(PROPOSE.fingerprint, CONSOLIDATE.fingerprint),
            known=known,
            name=name,
            min_support=config.min_support,
            seed=config.seed,
        ),
        version=SYNTHESISE_VERSION,
        inputs={"reasons": reasons},
    )
    return reasons, themes


def reasoning_steps(
    transcripts: Step,
    judge: WriterConfig,
    themes: ThemeSet | None,
    config: ReasoningConfig,
    spec: ModelSpec | None = None,
    identity: Identity | None = None,
) -> Steps:
    """All steps from the one that collects on; the last one's folder holds everything. `themes`: frozen, or with
    `config.discover` the start.

    Raises InputError for a baseline that is no arm, for a spec without rules, and where there are neither themes nor
    discovery.
    """
    if themes is None and not config.discover:
        raise InputError("there are no themes to classify by; expected a theme file, or discovery (--discover)")
    assert isinstance(transcripts.config, CollectConfig)
    names = list(dict.fromkeys(source.arm for source in transcripts.config.sources))
    baseline = config.baseline or names[0]
    if baseline not in names:
        raise InputError(f"baseline {baseline!r} is none of the arms; expected one of: {', '.join(names)}")
    reasons, found = theme_steps(transcripts, judge, themes, config) if config.discover else (None, None)
    policy: Policy | None = None
    if spec is not None:
        identity = identity or Identity()
        spec_rules(spec, identity)
        policy = Policy(name=spec.name, text=spec.text, identity=identity)
    labels = Step(
        kind="reasoning-classify",
        name="labels",
        function="midspec.evals.reasoning.step:classify_transcripts",
        config=ClassifyConfig(
            judge=judge,
            rules_version=_rules_version(judge),
            prompts=(CLASSIFY.fingerprint, *([POLICY.fingerprint] if policy else [])),
            themes=None if found else themes,
            policy=policy,
        ),
        version=CLASSIFY_VERSION,
        inputs={"transcripts": transcripts, **({"themes": found} if found else {})},
    )
    last = Step(
        kind="reasoning-merge",
        name="reasoning",
        function="midspec.evals.reasoning.step:merge_labels",
        config=MergeConfig(
            frozen=tuple(theme.id for theme in themes.themes) if themes else (),
            overlap=config.overlap if config.discover else None,
            baseline=baseline if len(names) > 1 else None,
            judge=judge.model,
            spec=policy.name if policy else None,
        ),
        version=MERGE_VERSION,
        inputs={"transcripts": transcripts, "labels": labels},
    )
    return Steps(transcripts, reasons, found, labels, last)


def _rules_version(judge: WriterConfig) -> int | None:
    return RULES_VERSION if judge.model == "offline" else None
