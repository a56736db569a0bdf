"""Answers of the model under test: every cell as often as asked, on disk as soon as they come, in one Inspect log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import anyio
from inspect_ai import Epochs, Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from midspec.evals.agentic.cells import Cell, cells
from midspec.evals.agentic.config import AgenticConfig
from midspec.evals.agentic.scenario import Prompt, prompt
from midspec.evals.agentic.stored import Journal, Key, Stored

if TYPE_CHECKING:
    from midspec.evals.generation import Answer


@runtime_checkable
class WholePass(Protocol):
    """A model API that answers many chats in one pass, as `midspec/<model>` does."""

    async def answers(
        self, chats: Sequence[Sequence[ChatMessage]], config: GenerateConfig, known: Mapping[int, Any], take: Any
    ) -> list[Answer]:
        """As `midspec.evals.provider.MidspecAPI.answers`."""
        ...


def agentic_task(config: AgenticConfig, scorer: Scorer | None = None, journal: Path | None = None) -> Task:
    """The cells as samples and the samples of a cell as epochs. What is in `journal` is not asked again."""
    asked = {cell: prompt(cell, config) for cell in cells(config.scenarios, config.goals)}
    settings = config.model_dump(mode="json")
    return Task(
        dataset=MemoryDataset([_sample(cell, ready) for cell, ready in asked.items()], name="agentic"),
        solver=answering(settings, str(journal) if journal else None),
        scorer=scorer,
        name="agentic",
        epochs=Epochs(config.samples, "mean"),
        config=generation(config),
        metadata=settings,
    )


def plan(config: AgenticConfig) -> list[Key]:
    """(cell id, sample) of everything that is asked, cell by cell."""
    return [(cell.id, sample) for cell in cells(config.scenarios, config.goals) for sample in range(config.samples)]


def generation(config: AgenticConfig) -> GenerateConfig:
    """Sampling settings that every provider gets. No seed: one for all samples of a cell would make them one sample."""
    return GenerateConfig(temperature=config.temperature, max_tokens=config.max_tokens)


@solver
def answering(settings: dict[str, Any], journal: str | None) -> Solver:
    """Answer, from the journal where it is there. A local model answers everything in one pass of fixed batches."""
    config = AgenticConfig.model_validate(settings)
    keys = plan(config)
    kept = Journal(Path(journal) if journal else None)
    turn = anyio.Lock()

    async def all_at_once(api: WholePass, own: GenerateConfig) -> None:
        from midspec.evals.generation import Answer

        chats = {cell.id: _chat(prompt(cell, config)) for cell in cells(config.scenarios, config.goals)}
        known = {
            at: Answer(row.answer, "max_tokens" if row.stop_reason == "max_tokens" else "stop", 0, 0)
            for at, row in ((at, kept.known.get(key)) for at, key in enumerate(keys))
            if row is not None
        }

        def take(answers: Mapping[int, Answer]) -> None:
            kept.add([_from_pass(keys[at], answer) for at, answer in answers.items() if at not in known])

        seeded = generation(config).merge(own).merge(GenerateConfig(seed=config.seed))
        await api.answers([chats[cell] for cell, _ in keys], seeded, known, take)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        key = (str(state.sample_id), state.epoch - 1)
        model = get_model()
        if key not in kept.known and isinstance(model.api, WholePass):
            async with turn:
                if key not in kept.known:
                    await all_at_once(model.api, model.config)
        if (row := kept.known.get(key)) is not None:
            state.output = _output(str(state.model), row)
            state.messages.append(state.output.message)
        else:
            state = await generate(state, tool_calls="none")
            kept.add([_from_output(key, state.output, config)])
        state.completed = True
        return state

    return solve


def stored_of(state: TaskState, config: AgenticConfig) -> Stored:
    """The answer that a sample of a running task holds."""
    return _from_output((str(state.sample_id), state.epoch - 1), state.output, config)


def _sample(cell: Cell, ready: Prompt) -> Sample:
    return Sample(id=cell.id, input=_chat(ready), metadata={"scenario": cell.scenario, "goal": cell.goal})


def _chat(ready: Prompt) -> list[ChatMessage]:
    return [ChatMessageSystem(content=ready.system), ChatMessageUser(content=ready.user)]


def _from_pass(key: Key, answer: Answer) -> Stored:
    return Stored(
        item=key[0],
        sample=key[1],
        answer=answer.text,
        stop_reason=answer.stop_reason,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
    )


def _from_output(key: Key, output: ModelOutput, config: AgenticConfig) -> Stored:
    content = output.message.content if output.choices else ""
    thinking = (
        ""
        if isinstance(content, str)
        else "\n".join(part.reasoning for part in content if isinstance(part, ContentReasoning))
    )
    answer = output.completion
    if thinking and config.thinking == "raw":
        answer, thinking = f"<think>\n{thinking}\n</think>\n{answer}", ""
    return Stored(
        item=key[0],
        sample=key[1],
        answer=answer,
        thinking=thinking,
        stop_reason=str(output.stop_reason),
        input_tokens=output.usage.input_tokens if output.usage else 0,
        output_tokens=output.usage.output_tokens if output.usage else 0,
    )


def _output(model: str, row: Stored) -> ModelOutput:
    parts: list[Content] = [ContentReasoning(reasoning=row.thinking)] if row.thinking else []
    output = ModelOutput.from_content(model, [*parts, ContentText(text=row.answer)] if parts else row.answer)
    output.choices[0].stop_reason = row.stop_reason  # pyright: ignore[reportAttributeAccessIssue]  (one of Inspect's)
    output.usage = ModelUsage(
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        total_tokens=row.input_tokens + row.output_tokens,
    )
    return output
