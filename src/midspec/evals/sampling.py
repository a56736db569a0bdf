"""Answers of the model under test, each on disk as soon as it is there, so that a killed run does not ask again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

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

from midspec.evals.generation import Answer
from midspec.evals.inspect_run import run_task
from midspec.records import Row
from midspec.steps.progress import Progress
from midspec.steps.step import Context

if TYPE_CHECKING:
    from inspect_ai.model import Model

ATTEMPTS = 3
"""Times a provider is asked for one answer, beside the retries of its client. (ours)"""


class Sampling(NamedTuple):
    """How answers are drawn."""

    temperature: float | None
    """None = the provider's own."""
    max_tokens: int
    seed: int
    samples: int = 1
    """Answers to each prompt."""


class Asked(NamedTuple):
    """One prompt."""

    id: str
    text: str
    about: Mapping[str, Any]
    """What Inspect's log says of it besides."""


class Planned(NamedTuple):
    """One answer to ask for."""

    asked: Asked
    sample: int

    @property
    def id(self) -> str:
        """Id of Inspect's sample."""
        return f"{self.asked.id}#{self.sample}"


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
    """One answer to one prompt."""

    question: str
    """`Asked.id`."""
    sample: int
    text: str
    """As the model wrote it, thinking apart from it taken off."""
    thinking: str = ""
    """What a provider gave apart from the text."""
    stop_reason: str


def ask(context: Context, model: Model, prompts: Sequence[Asked], settings: Sampling, kept: Keeper, task: str) -> None:
    """Have all of `prompts` answered that `kept` has no answer of yet; `task` names Inspect's task and what is counted.

    What a provider could not be brought to answer in ATTEMPTS stays missing. Raises StepError where a local model
    fails.
    """
    planned = [Planned(one, sample) for sample in range(settings.samples) for one in prompts]
    todo = [one for one in planned if (one.asked.id, one.sample) not in kept.found]
    if not todo:
        return
    alone = not isinstance(model.api, ManyAnswers)
    if alone:
        context.progress.start(len(planned), "answers")
        context.progress.advance(len(planned) - len(todo))
    samples = [
        Sample(id=one.id, input=one.asked.text, metadata={**one.asked.about, "sample": one.sample}) for one in todo
    ]
    name = task.replace("-", "_")
    planned_task = Task(
        name=name,
        dataset=MemoryDataset(samples, name=name),
        solver=answering(planned, settings, kept, context.progress),
        scorer=graded_later(),
        config=generation(settings, 0),
    )
    # A pass over all prompts that fails is no failure of one of them.
    tolerance = {"fail_on_error": False, "retry_on_error": ATTEMPTS - 1} if alone else {}
    run_task(planned_task, model, context, name=task, seed=settings.seed, **tolerance)


def generation(settings: Sampling, sample: int) -> GenerateConfig:
    """Settings of one answer; every sample has its own seed."""
    return GenerateConfig(
        temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed * 1_000 + sample
    )


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
def answering(planned: Sequence[Planned], settings: Sampling, kept: Keeper, progress: Progress) -> Solver:
    """Ask, and keep the answer. A local model answers all prompts in one pass for each sample."""
    by_id = {one.id: one for one in planned}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, mine = get_model(), by_id[str(state.sample_id)]
        config = generation(settings, mine.sample)
        if isinstance(model.api, ManyAnswers):
            await _in_one_pass(model.api, [one for one in planned if one.sample == mine.sample], config, kept)
        else:
            kept.keep([_sampled(mine, await model.generate(mine.asked.text, config=config))])
            progress.advance()
        row = kept.found[mine.asked.id, mine.sample]
        state.output = ModelOutput.from_content(str(state.model), row.text)
        state.completed = True
        return state

    return solve


async def _in_one_pass(api: ManyAnswers, group: Sequence[Planned], config: GenerateConfig, kept: Keeper) -> None:
    """Answer `group`, whose chats are the same whatever is kept already, so that a resumed run writes the same."""

    def take(answers: Mapping[int, Answer]) -> None:
        fresh = [
            Sampled(question=one.asked.id, sample=one.sample, text=answer.text, stop_reason=answer.stop_reason)
            for index, answer in answers.items()
            if ((one := group[index]).asked.id, one.sample) not in kept.found
        ]
        kept.keep(fresh)

    rows = {index: kept.found.get((one.asked.id, one.sample)) for index, one in enumerate(group)}
    known = {
        index: Answer(row.text, "max_tokens" if row.stop_reason == "max_tokens" else "stop", 0, 0)
        for index, row in rows.items()
        if row is not None
    }
    chats: list[list[ChatMessage]] = [[ChatMessageUser(content=one.asked.text)] for one in group]
    await api.answers(chats, config, known, take)


@scorer(metrics=[mean(), stderr()], name="grade")
def graded_later() -> Scorer:
    """Holds the place of the grade, which the step puts into the log."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score.unscored(reason="not graded yet")

    return score


def _sampled(one: Planned, output: ModelOutput) -> Sampled:
    content = output.choices[0].message.content if output.choices else ""
    thinking = (
        ""
        if isinstance(content, str)
        else "\n".join(part.reasoning for part in content if isinstance(part, ContentReasoning))
    )
    return Sampled(
        question=one.asked.id,
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
