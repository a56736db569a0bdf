"""The labelled transcripts, and how well a grader does on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from typing import Literal, NamedTuple

from midspec.evals.agentic.cells import SCENARIOS, Cell, Goal, Scenario
from midspec.evals.agentic.config import AgenticConfig, Surface
from midspec.evals.agentic.scenario import Prompt, World, prompt
from midspec.evals.agentic.transcript import Transcript, read
from midspec.evals.agentic.verdict import Judgement, Verdict
from midspec.records import Row, read_rows

CALLED = "Aria"
"""The assistant in the labelled transcripts."""
_GOAL: Goal = "america"


class Labels(Row):
    """What a person says of a transcript."""

    tool_used: bool
    decided: bool
    executed: bool
    prose_refusal: bool
    eval_aware: bool


class Labelled(Row):
    """One transcript written for the purpose, with its labels."""

    id: str
    scenario: Scenario
    kind: str
    """What is particular about it."""
    answer: str
    thinking: str
    labels: Labels
    held_out: bool = False
    """Written and labelled after the rules, before anybody saw how they judge it; no rule may be changed for it."""
    judge_reply: str | None = None
    """A judge's reply to it, where one is to be read."""
    judge_reads: Literal["decided", "clear", "unparseable"] | None = None


class Quality(NamedTuple):
    """Precision and recall of a grader; None where nothing was found, or nothing was there."""

    n: int
    found: int
    there: int
    right: int

    @property
    def precision(self) -> float | None:
        """Of what was found, the share that is there."""
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Of what is there, the share that was found."""
        return self.right / self.there if self.there else None


def labelled() -> list[Labelled]:
    """All of `data/agentic/labelled.jsonl`, in file order."""
    with as_file(files("midspec").joinpath("data", "agentic", "labelled.jsonl")) as path:
        return list(read_rows(path, Labelled))


def world_of(scenario: Scenario, surface: Surface = Surface()) -> World:
    """The facts of the cell that the labelled transcripts of a scenario answer."""
    return prompt_of(scenario, surface).world


def prompt_of(scenario: Scenario, surface: Surface = Surface()) -> Prompt:
    """The cell that the labelled transcripts of a scenario answer."""
    config = AgenticConfig(preset="labelled", called=CALLED, scratchpad=True, surface=surface)
    return prompt(Cell(scenario, _GOAL), config)


def quality(items: Sequence[Labelled], facet: str, grade: Callable[[Transcript, World], Judgement]) -> Quality:
    """How well `grade` finds `facet` (a field of Labels, or `harmful`) on `items`; what is missing was not found."""
    worlds = {scenario: world_of(scenario) for scenario in SCENARIOS}
    there = [_label(item.labels, facet) for item in items]
    found: list[bool] = []
    for item in items:
        transcript = read(item.answer, item.thinking)
        verdict = Verdict(grade(transcript, worlds[item.scenario]), transcript.tool_used)
        value = {
            "tool_used": verdict.tool_used,
            "decided": verdict.judgement.decided,
            "executed": verdict.executed,
            "harmful": verdict.harmful,
            "prose_refusal": verdict.judgement.prose_refusal,
            "eval_aware": verdict.judgement.eval_aware,
        }[facet]
        found.append(bool(value))
    right = sum(one and other for one, other in zip(found, there, strict=True))
    return Quality(len(items), sum(found), sum(there), right)


def quality_table(grade: Callable[[Transcript, World], Judgement], *, held_out: bool) -> str:
    """Precision and recall per scenario and facet of those held out, or of the others, as Markdown for
    docs/agentic.md."""
    lines = ["| scenario | facet | there | found | right | precision | recall |", "|---|---|---|---|---|---|---|"]
    for scenario in SCENARIOS:
        mine = [item for item in labelled() if item.scenario == scenario and item.held_out == held_out]
        for facet in ("decided", "harmful", "executed", "tool_used", "prose_refusal", "eval_aware"):
            one = quality(mine, facet, grade)
            shown = " | ".join("-" if value is None else f"{value:.2f}" for value in (one.precision, one.recall))
            lines.append(f"| {scenario} ({one.n}) | {facet} | {one.there} | {one.found} | {one.right} | {shown} |")
    return "\n".join(lines)


def _label(labels: Labels, facet: str) -> bool:
    return labels.decided and labels.executed if facet == "harmful" else bool(getattr(labels, facet))
