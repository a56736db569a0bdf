"""How many requests readers of transcripts get, of what size: the ground of an analysis's bill. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from midspec.evals.agentic.config import AgenticStepConfig
from midspec.evals.reasoning.config import ClassifyConfig, CollectConfig, ExtractConfig, SynthesiseConfig
from midspec.evals.reasoning.replies import CLASSIFY, CONSOLIDATE, EXTRACT, POLICY, PROPOSE
from midspec.evals.reasoning.sources import AGENTIC
from midspec.evals.reasoning.synthesise import BATCH
from midspec.experiment import WriterConfig
from midspec.llm.prices import Work, tokens_of
from midspec.steps.step import Step

TRANSCRIPT_TOKENS = 1_200
"""Of what an arm wrote under pressure: scratchpad, thinking, answer and tool calls (ours)."""
FRAME_TOKENS = 500
"""Of a reader's instructions (ours: estimated)."""
THEME_TOKENS = 45
"""Of a theme's name and definition (ours: estimated)."""
THEMES = 30
"""Themes where they are still to be discovered (ours)."""
REASONS = 4
"""That are extracted from a transcript (ours)."""
REASON_TOKENS, LABELS_TOKENS, PROPOSALS_TOKENS = 50, 250, 1_500
"""Of a reason with its quote, of a reply with the themes of a transcript, of proposed or merged themes (ours)."""


def transcripts(collected: Step) -> int:
    """Transcripts that the step which collects them will have; 0 of what is no evaluation."""
    config = collected.config
    assert isinstance(config, CollectConfig)
    count = 0
    for number in range(len(config.sources)):
        source = collected.inputs.get(f"{number}/{AGENTIC[0]}")
        if source is not None and isinstance(source.config, AgenticStepConfig):
            asked = source.config.eval
            answers = len(asked.scenarios) * len(asked.goals) * asked.samples
            count += min(answers, config.per_run or answers)
    return count


def reading_requests(step: Step) -> tuple[WriterConfig, Mapping[str, Work]] | None:
    """(reader, name of the prompt -> requests) of a step of an analysis; None where nobody is asked."""
    config = step.config
    if isinstance(config, ClassifyConfig):
        count = transcripts(step.inputs["transcripts"])
        themes = THEMES if config.themes is None else len(config.themes.themes)
        work = {CLASSIFY.name: Work(count, FRAME_TOKENS + themes * THEME_TOKENS, TRANSCRIPT_TOKENS, LABELS_TOKENS)}
        if config.policy is not None:
            shared = FRAME_TOKENS + tokens_of(config.policy.text)
            work[POLICY.name] = Work(count, shared, TRANSCRIPT_TOKENS, LABELS_TOKENS)
        return config.judge, work
    if isinstance(config, ExtractConfig):
        each = Work(_read(step), FRAME_TOKENS, TRANSCRIPT_TOKENS, REASONS * REASON_TOKENS)
        return config.judge, {EXTRACT.name: each}
    if isinstance(config, SynthesiseConfig):
        batches = ceil(_read(step.inputs["reasons"]) * REASONS / BATCH)
        return config.judge, {
            PROPOSE.name: Work(batches, FRAME_TOKENS, BATCH * REASON_TOKENS, PROPOSALS_TOKENS),
            CONSOLIDATE.name: Work(1, FRAME_TOKENS, PROPOSALS_TOKENS, PROPOSALS_TOKENS),
        }
    return None


def _read(extract: Step) -> int:
    """Transcripts that reasons are extracted from."""
    config, count = extract.config, transcripts(extract.inputs["transcripts"])
    assert isinstance(config, ExtractConfig)
    return min(count, config.sample or count)
