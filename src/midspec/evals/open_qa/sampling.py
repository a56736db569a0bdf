"""Answers of the model under test, each on disk as soon as it is there, so that a killed run does not ask again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import ValidationError

from midspec.errors import StepError
from midspec.evals.generation import Answer
from midspec.evals.inspect_run import opened, run_task
from midspec.evals.open_qa.config import OpenQAConfig, OpenQAStepConfig
from midspec.evals.open_qa.questions import OpenQuestion
from midspec.records import Row
from midspec.steps.progress import Progress
from midspec.steps.step import Context

KEPT = "samples.jsonl"
ATTEMPTS = 3
"""Times a provider is asked for one answer, beside the retries of its client. (ours)"""


@runtime_checkable
class ManyAnswers(Protocol):
    """A model API that answers many chats in one pass and goes on after an interruption, as `midspec/<model>` does."""

    async def answers(
        self,
        chats: Sequence[Sequence[ChatMessage]],
        config: GenerateConfig,
        known: Mapping[int, Answer],
        take: Callable[[Mapping[int, Answer]], None],
    ) -> list[Answer]:
        """One answer per chat; see `midspec.evals.generation.generate`."""
        ...


class Sampled(Row):
    """One answer to one question."""

    question: str
    """`OpenQuestion.id`."""
    sample: int
    text: str
    """As the model wrote it, thinking apart from it taken off."""
    thinking: str = ""
    """What a provider gave apart from the text."""
    stop_reason: str


class Planned(NamedTuple):
    """One answer to ask for."""

    question: OpenQuestion
    sample: int

    @property
    def id(self) -> str:
        """Id of Inspect's sample."""
        return f"{self.question.id}#{self.sample}"


def sample_answers(
    context: Context, config: OpenQAStepConfig, questions: Sequence[OpenQuestion]
) -> dict[tuple[str, int], Sampled]:
    """(question, sample) -> answer, of those kept from an earlier run and all others asked for now.

    What a provider could not be brought to answer in ATTEMPTS is missing from it. Raises StepError where that is
    everything, and where a local model fails.
    """
    planned = [Planned(question, sample) for sample in range(config.eval.samples) for question in questions]
    kept = Keeper(context.folder / KEPT)
    todo = [one for one in planned if (one.question.id, one.sample) not in kept.found]
    if todo:
        with opened(config.model, context) as model:
            alone = not isinstance(model.api, ManyAnswers)
            if alone:
                context.progress.start(len(planned), "answers")
                context.progress.advance(len(planned) - len(todo))
            task = Task(
                name="open_qa",
                dataset=MemoryDataset([_sample(one) for one in todo], name="open_qa"),
                solver=answering(planned, config.eval, kept, context.progress),
                scorer=graded_later(),
                config=generation(config.eval, 0),
            )
            # A pass over all questions that fails is no failure of one of them.
            tolerance = {"fail_on_error": False, "retry_on_error": ATTEMPTS - 1} if alone else {}
            run_task(task, model, context, name="open-qa", seed=config.eval.seed, **tolerance)
    if not kept.found:
        raise StepError("open-qa: the model answered none of the questions; see the Inspect logs in the step's folder")
    return kept.found


def generation(entry: OpenQAConfig, sample: int) -> GenerateConfig:
    """Settings of one answer; every sample has its own seed."""
    return GenerateConfig(temperature=entry.temperature, max_tokens=entry.max_tokens, seed=entry.seed * 1_000 + sample)


class Keeper:
    """Answers in a JSONL file, one line each, appended when they come."""

    def __init__(self, path: Path) -> None:
        """Reads what is there; a last line that a kill cut short is taken off."""
        self._path = path
        self.found: dict[tuple[str, int], Sampled] = {}
        whole = 0
        data = path.read_bytes() if path.exists() else b""
        for line in data.splitlines(keepends=True):
            try:
                row = Sampled.model_validate_json(line)
            except ValidationError:
                break
            if not line.endswith(b"\n"):
                break
            self.found[row.question, row.sample] = row
            whole += len(line)
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)

    def keep(self, rows: Sequence[Sampled]) -> None:
        """Append `rows` and see them onto the disk together."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(row.model_dump_json() + "\n" for row in rows))
            file.flush()
            os.fsync(file.fileno())
        self.found.update({(row.question, row.sample): row for row in rows})


@solver
def answering(planned: Sequence[Planned], entry: OpenQAConfig, kept: Keeper, progress: Progress) -> Solver:
    """Ask, and keep the answer. A local model answers all questions in one pass for each sample."""
    by_id = {one.id: one for one in planned}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, mine = get_model(), by_id[str(state.sample_id)]
        settings = generation(entry, mine.sample)
        if isinstance(model.api, ManyAnswers):
            await _in_one_pass(model.api, [one for one in planned if one.sample == mine.sample], settings, kept)
        else:
            kept.keep([_sampled(mine, await model.generate(mine.question.question, config=settings))])
            progress.advance()
        row = kept.found[mine.question.id, mine.sample]
        state.output = ModelOutput.from_content(str(state.model), row.text)
        state.completed = True
        return state

    return solve


async def _in_one_pass(api: ManyAnswers, group: Sequence[Planned], settings: GenerateConfig, kept: Keeper) -> None:
    """Answer `group`, whose chats are the same whatever is kept already, so that a resumed run writes the same."""

    def take(answers: Mapping[int, Answer]) -> None:
        fresh = [
            Sampled(question=one.question.id, sample=one.sample, text=answer.text, stop_reason=answer.stop_reason)
            for index, answer in answers.items()
            if ((one := group[index]).question.id, one.sample) not in kept.found
        ]
        kept.keep(fresh)

    rows = {index: kept.found.get((one.question.id, one.sample)) for index, one in enumerate(group)}
    known = {
        index: Answer(row.text, "max_tokens" if row.stop_reason == "max_tokens" else "stop", 0, 0)
        for index, row in rows.items()
        if row is not None
    }
    chats: list[list[ChatMessage]] = [[ChatMessageUser(content=one.question.question)] for one in group]
    await api.answers(chats, settings, known, take)


@scorer(metrics=[mean(), stderr()], name="grade")
def graded_later() -> Scorer:
    """Holds the place of the grade, which the step puts into the log."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score.unscored(reason="not graded yet")

    return score


def _sample(one: Planned) -> Sample:
    about = one.question.model_dump(include={"dimension", "form"}) | {"sample": one.sample}
    return Sample(id=one.id, input=one.question.question, metadata=about)


def _sampled(one: Planned, output: ModelOutput) -> Sampled:
    content = output.choices[0].message.content if output.choices else ""
    thinking = (
        ""
        if isinstance(content, str)
        else "\n".join(part.reasoning for part in content if isinstance(part, ContentReasoning))
    )
    return Sampled(
        question=one.question.id,
        sample=one.sample,
        text=output.completion,
        thinking=thinking,
        stop_reason=str(output.stop_reason),
    )


def to_read(row: Sampled | None, sees: Literal["answer", "everything"]) -> str | None:
    """What the judge reads of an answer; None where there is nothing: no answer, or one cut off in its thinking."""
    if row is None:
        return None
    text, thinking = row.text, row.thinking
    if found := re.match(r"\s*<think>(.*?)(</think>|\Z)", text, re.DOTALL):
        thinking, text = f"{thinking}\n{found[1]}".strip(), text[found.end() :]
    answer = text.strip()
    if not answer:
        return None
    return f"<thinking>\n{thinking}\n</thinking>\n{answer}" if sees == "everything" and thinking else answer
