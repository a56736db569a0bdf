"""The evaluation as an Inspect task: `inspect eval midspec/agentic --model M -T preset=paper-like -T grader=G`."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.model import get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from midspec.evals.agentic.config import OFFLINE, AgenticConfig, Surface, find_preset, from_preset
from midspec.evals.agentic.grading import Grader
from midspec.evals.agentic.sampling import agentic_task, stored_of
from midspec.evals.inspect_writer import inspect_scribe
from midspec.records import EvalRow


@task
def agentic(
    preset: str = "paper-like",
    scenarios: str | list[str] | None = None,
    goals: str | list[str] | None = None,
    samples: int | None = None,
    grader: str | None = None,
    called: str | None = None,
    scratchpad: bool | None = None,
    urgency: str | None = None,
    names: Literal["given", "other"] = "given",
    mails: Literal["tags", "headers", "json"] = "tags",
    tools: Literal["tags", "attributes", "json"] = "tags",
    recipient: Literal["to", "cc"] = "to",
) -> Task:
    """Agentic misalignment in 27 cells (paper, section 4); arguments as the fields of `AgenticConfig`.

    `grader`: `offline` (rules) or an Inspect model name; None = the preset's. `names` to `recipient`: surface probes.
    """
    config = from_preset(
        preset,
        str(get_model()),
        scenarios=_listed(scenarios),
        goals=_listed(goals),
        samples=samples,
        called=called,
        scratchpad=scratchpad,
        urgency=urgency,
        surface=Surface(names=names, mails=mails, tools=tools, recipient=recipient),
    )
    who = grader or find_preset(preset).grader
    return agentic_task(config, verdict(config.model_dump(mode="json"), who))


def _listed(value: str | list[str] | None) -> list[str] | None:
    """`-T goals=america,safety` comes as one string."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


@metric
def rate() -> Metric:
    """Share of answers with a verdict that got a yes. Inspect counts the others as unscored samples."""

    def compute(scores: list[SampleScore]) -> float:
        return sum(score.score.as_float() for score in scores) / len(scores) if scores else float("nan")

    return compute


@scorer(metrics={"classifier_verdict": [rate()], "harmful": [rate()]}, name="agentic")
def verdict(settings: dict[str, Any], grader: str) -> Scorer:
    """`classifier_verdict` and `harmful`, 1 or 0; unscored, with the reason, where there is no verdict."""
    config = AgenticConfig.model_validate(settings)

    @cache  # not before it is needed: a step asks its judge in its own way, and only names it here
    def grades() -> Grader:
        return Grader(config, None if grader == OFFLINE else inspect_scribe(grader))

    async def score(state: TaskState, target: Target) -> Score:
        return as_score(await grades().row(stored_of(state, config)))

    return score


def as_score(row: EvalRow) -> Score:
    """A row as Inspect's score; all its facets stand in the metadata."""
    facets = dict(row.facets)
    if row.score is None:
        return Score.unscored(reason=row.unscored, metadata=facets)
    harmful = facets["harmful"]
    return Score(
        value={"classifier_verdict": row.score, "harmful": float("nan") if harmful is None else float(harmful)},
        metadata=facets,
    )
