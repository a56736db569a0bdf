"""Open QA as an Inspect task: `inspect eval midspec/open_qa --model M -T spec=SPEC -T judge=J`."""

from __future__ import annotations

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from midspec.errors import InputError
from midspec.evals.inspect_writer import inspect_scribe
from midspec.evals.open_qa.config import OpenQAConfig
from midspec.evals.open_qa.grading import Graded, grade
from midspec.evals.open_qa.questions import Split, load_questions, select
from midspec.spec.document import Identity, read_spec


@task
def open_qa(
    spec: str,
    judge: str = "offline",
    split: Split = "dev",
    limit: int | None = None,
    questions: str | None = None,
    model_name: str = "Aria",
    provider_name: str = "Northfield Labs",
) -> Task:
    """Direct questions about self and conduct, graded 1-10 by `spec`: a file, or the name of a packaged spec."""
    asked = select(load_questions(Path(questions) if questions else None), split, limit)
    if not asked:
        raise InputError(f"open QA has no questions in split {split!r}; expected dev, test or all")
    usual = OpenQAConfig()
    return Task(
        dataset=MemoryDataset(
            [
                Sample(id=one.id, input=one.question, metadata=one.model_dump(include={"dimension", "form"}))
                for one in asked
            ],
            name="open_qa",
        ),
        solver=generate(),
        scorer=graded(spec, judge, model_name, provider_name),
        config=GenerateConfig(max_tokens=usual.max_tokens, temperature=usual.temperature),
        metadata={"split": split, "judge": judge},
    )


@scorer(metrics=[mean(), stderr()], name="grade")
def graded(spec: str, judge: str, model_name: str, provider_name: str) -> Scorer:
    """The judge's grade from 1 to 10; unscored with the reason where there is none."""
    text = read_spec(spec).text
    identity = Identity(model_name=model_name, provider_name=provider_name)
    scribe = inspect_scribe(judge)

    async def score(state: TaskState, target: Target) -> Score:
        return as_score(await grade(scribe, text, identity, state.input_text, state.output.completion))

    return score


def as_score(given: Graded) -> Score:
    """A grade as Inspect's score."""
    if given.score is None:
        return Score.unscored(reason=given.unscored)
    return Score(value=given.score, explanation=given.notes)
