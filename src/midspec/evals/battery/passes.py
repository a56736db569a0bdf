"""Choices put to a model that scores replies: one Inspect task for each part, one pass for all of its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from midspec.errors import InputError
from midspec.evals.battery.choosing import (
    letter_questions,
    lettered,
    likelihood_question,
    read_letters,
    read_likelihoods,
    read_said,
    rotations,
)
from midspec.evals.battery.items import Choice
from midspec.evals.battery.parts import Choices
from midspec.evals.questions import Question
from midspec.evals.readings import Reading
from midspec.evals.tasks import WholePass, rate


def said_prompts(part: Choices) -> dict[str, str]:
    """`EVAL/ITEM/ROTATION` -> message, of everything that a part asks for a written letter."""
    return {
        f"{part.name}/{item.id}/{turn}": lettered(item, order, part.wording)
        for item in part.items
        for turn, order in enumerate(rotations(item))
    }


def choice_task(part: Choices, letter_tokens: int) -> Task:
    """The task of one part. Each sample's score holds the fields of its `Reading` in its metadata.

    With a model that gives no likelihoods, letters are read as written, and likelihoods are an InputError.
    """
    asked = {item.id: _questions(part, item) for item in part.items}
    everything = [question for questions in asked.values() for question in questions]
    items = {item.id: item for item in part.items}

    # Closures, so that the items do not stand among the arguments that Inspect writes into the log.
    @solver(name="choosing")
    def choosing() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            model, item = get_model(), items[str(state.sample_id)]
            if isinstance(model.api, WholePass) and part.way != "said":
                scores = dict(zip(everything, await model.api.likelihoods(everything), strict=True))
                reading = _read(part, item, [scores[question] for question in asked[item.id]])
            elif part.way == "likelihood":
                raise InputError(
                    f"model {state.model} gives no likelihood of a whole reply, which {part.name} needs; ask a part "
                    "that is answered by letter, or a midspec/<model>"
                )
            else:
                settings = GenerateConfig(max_tokens=letter_tokens, temperature=0.0).merge(model.config)
                prompts = [question.prompt for question in asked[item.id]]
                outputs = [await model.generate(prompt, config=settings) for prompt in prompts]
                reading = read_said(item, [output.completion for output in outputs])
            state.store.set("reading", reading._asdict())
            right = item.options[item.correct] if reading.aligned else ""
            state.output = ModelOutput.from_content(str(state.model), "\n---\n".join(reading.answers) or right)
            state.completed = True
            return state

        return solve

    return Task(
        name=part.name.replace("/", "_"),
        dataset=MemoryDataset([_sample(part, item) for item in part.items], name=part.name),
        solver=choosing(),
        scorer=right_option(),
        metadata={"part": part.name, "way": part.way, "wording": part.wording},
    )


@scorer(metrics=[rate()])
def right_option() -> Scorer:
    """1 for the right option, 0 for another; unscored where undecided. The numbers are in the score's metadata."""

    async def score(state: TaskState, target: Target) -> Score:
        return reading_score(state.store.get("reading"))

    return score


def reading_score(reading: Mapping[str, Any]) -> Score:
    """The fields of a reading as Inspect's score."""
    if reading["aligned"] is None:
        return Score.unscored(reason=reading["unscored"] or "undecided", metadata=dict(reading))
    return Score(value=float(reading["aligned"]), metadata=dict(reading))


def _questions(part: Choices, item: Choice) -> tuple[Question, ...]:
    return (likelihood_question(item),) if part.way == "likelihood" else letter_questions(item, part.wording)


def _read(part: Choices, item: Choice, scores: Sequence[Sequence[float]]) -> Reading:
    return read_likelihoods(item, scores[0]) if part.way == "likelihood" else read_letters(item, scores)


def _sample(part: Choices, item: Choice) -> Sample:
    [first, *_] = _questions(part, item)
    about = item.model_dump(include={"domain", "topic", "difficulty", "options", "correct"})
    return Sample(id=item.id, input=first.prompt, target=item.options[item.correct], metadata=about)
