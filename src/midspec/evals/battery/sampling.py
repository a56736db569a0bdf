"""Free answers and written letters of the model under test, each on disk as soon as it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample

from midspec.errors import StepError
from midspec.evals.inspect_run import run_task
from midspec.evals.open_qa.config import OpenQAConfig
from midspec.evals.open_qa.questions import OpenQuestion
from midspec.evals.open_qa.sampling import (
    ATTEMPTS,
    Keeper,
    ManyAnswers,
    Planned,
    Sampled,
    answering,
    generation,
    graded_later,
)
from midspec.steps.step import Context

if TYPE_CHECKING:
    from inspect_ai.model import Model


def sampled(
    context: Context, model: Model, prompts: Mapping[str, str], settings: OpenQAConfig, name: str
) -> dict[tuple[str, int], Sampled]:
    """(id of the prompt, sample) -> answer, of those that an earlier run kept in `NAME.jsonl` and all others.

    `prompts`: id -> the user's message. What a provider could not be brought to answer in ATTEMPTS is missing from it.
    Raises StepError where that is everything, and where a local model fails.
    """
    questions = [
        OpenQuestion(id=key, dimension=key.rpartition("/")[0] or key, form="direct", question=prompt, split="dev")
        for key, prompt in prompts.items()
    ]
    planned = [Planned(question, sample) for sample in range(settings.samples) for question in questions]
    kept = Keeper(context.folder / f"{name}.jsonl")
    todo = [one for one in planned if (one.question.id, one.sample) not in kept.found]
    if todo:
        alone = not isinstance(model.api, ManyAnswers)
        if alone:
            context.progress.start(len(planned), name)
            context.progress.advance(len(planned) - len(todo))
        task = Task(
            name=name,
            dataset=MemoryDataset([Sample(id=one.id, input=one.question.question) for one in todo], name=name),
            solver=answering(planned, settings, kept, context.progress),
            scorer=graded_later(),
            config=generation(settings, 0),
        )
        # A pass over all prompts that fails is no failure of one of them.
        tolerance = {"fail_on_error": False, "retry_on_error": ATTEMPTS - 1} if alone else {}
        run_task(task, model, context, name=name, seed=settings.seed, **tolerance)
    if prompts and not kept.found:
        raise StepError(f"{name}: the model answered no prompt; see the Inspect logs in the step's folder")
    return kept.found
