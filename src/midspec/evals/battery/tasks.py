"""Parts of a battery as Inspect tasks, for `inspect eval`."""

from __future__ import annotations

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from midspec.errors import InputError
from midspec.evals.battery.config import BatteryConfig
from midspec.evals.battery.parts import Answers, Part
from midspec.evals.battery.passes import choice_task
from midspec.evals.battery.verdict import Graded
from midspec.evals.inspect_writer import inspect_scribe


def part_task(part: Part, judge: str, settings: BatteryConfig) -> Task:
    """One part. `judge`: `offline`, or an Inspect model. Raises InputError for a part without items."""
    if not part.items:
        raise InputError(f"{part.name} has no items in this split; expected dev, test or all")
    if not isinstance(part, Answers):
        return choice_task(part, settings.letter_tokens)
    items = {item.id: item for item in part.items}
    scribe = inspect_scribe(judge)

    @scorer(metrics=[mean(), stderr()], name="grade")
    def graded() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            found = await part.grade(items[str(state.sample_id)], state.output.completion, scribe)
            return as_score(found)

        return score

    return Task(
        name=part.name.replace("/", "_"),
        dataset=MemoryDataset(
            [
                Sample(id=item.id, input=item.prompt, metadata=item.model_dump(include={"domain", "topic"}))
                for item in part.items
            ],
            name=part.name,
        ),
        solver=generate(),
        scorer=graded(),
        config=GenerateConfig(max_tokens=settings.max_tokens, temperature=settings.temperature),
        metadata={"part": part.name, "judge": judge},
    )


def as_score(given: Graded) -> Score:
    """A grade as Inspect's score."""
    if given.score is None:
        return Score.unscored(reason=given.unscored, metadata=dict(given.facets))
    return Score(value=given.score, metadata=dict(given.facets))
