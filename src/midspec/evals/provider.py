"""Inspect model provider `midspec/<model>`: a base model with a trained checkpoint, in this process.

Beside ordinary `generate` it scores replies (`likelihoods`) and answers many chats at once (`answers`). Both do the
whole of what they are given in one pass with fixed batches, so that numbers do not depend on which sample came first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import torch
from inspect_ai.model import (
    ChatMessage,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from midspec.errors import InputError
from midspec.evals.chats import inspect_chat
from midspec.evals.generation import MAX_TOKENS, Answer, generate
from midspec.evals.likelihood import score_replies
from midspec.evals.questions import Question, chat_of
from midspec.evals.thinking import THINKING_TOKENS, End, taken_apart
from midspec.experiment import ComputeConfig
from midspec.steps.progress import Progress, Silent
from midspec.train.chat import require_chat_template
from midspec.train.load import load_for_inference, pick_device
from midspec.train.models import ModelRef, resolve

T = TypeVar("T")
Work = Callable[[Any, Any, Callable[[int], None]], T]
"""Does a pass with (model, tokenizer, what to call after each batch)."""


class _StoppedError(Exception):
    """The evaluation was cancelled; ends the worker thread at the next batch."""


class MidspecAPI(ModelAPI):
    """A model of this project. `inspect eval ... --model midspec/<name> -M checkpoint=<folder>`."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        *,
        checkpoint: str | None = None,
        chat_template: str | None = None,
        ref: dict[str, Any] | None = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "bf16",
        thinking: bool = False,
    ) -> None:
        """`model_name` is resolved as in a recipe, unless `ref` (a ModelRef as plain data) says exactly which model.

        `checkpoint`: folder written by a training step (`.../checkpoint`); None = the base model. `precision`: `bf16`
        or `fp32`. `thinking`: for checkpoints trained on demonstrations with their reasoning; chats are rendered as in
        that training, and what is scored or returned as the answer is what follows the reasoning. Raises InputError for
        a value that is none of these.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        if precision not in ("bf16", "fp32"):
            raise InputError(f"precision {precision!r} is not known; expected bf16 or fp32")
        self.ref = (
            ModelRef.model_validate(ref)
            if ref
            else resolve(model_name, "chatml" if chat_template == "chatml" else None)
        )
        self.checkpoint = Path(checkpoint) if checkpoint else None
        self.compute = ComputeConfig.model_validate({"device": device, "threads": threads})
        self.bf16 = precision == "bf16"
        self.thinking = thinking
        self.thoughts: Counter[End] = Counter()
        """How the reasoning before answers to bank items ended; empty for a model that does not think."""
        self.progress: Progress = Silent()
        self.failure: Exception | None = None
        """What stopped a pass. Inspect's log keeps only its text."""
        self._loaded: tuple[Any, Any] | None = None
        self._lock = anyio.Lock()
        self._passes: dict[Any, Any] = {}
        self._repeats: Counter[str] = Counter()

    async def likelihoods(self, questions: Sequence[Question], *, system: str | None = None) -> list[tuple[float, ...]]:
        """Summed log-probabilities as `score_replies` gives them. A repeated call with equal questions is free.

        `system`: system prompt before every question. A model that thinks does so first, greedily, and replies are
        scored after that.
        """
        prompts = list(dict.fromkeys(question.prompt for question in questions)) if self.thinking else []

        def work(model: Any, tokenizer: Any, done: Callable[[int], None]) -> list[tuple[float, ...]]:
            thoughts: dict[str, str] | None = None
            if self.thinking:
                chats = [chat_of(prompt, system) for prompt in prompts]
                config = GenerateConfig(max_tokens=THINKING_TOKENS)
                said = generate(model, tokenizer, chats, config, bf16=self.bf16, done=done, thinking=True)
                found = [taken_apart(answer.text) for answer in said]
                self.thoughts.update(thought.end for thought in found)
                thoughts = {prompt: thought.before_answer for prompt, thought in zip(prompts, found, strict=True)}
            return score_replies(
                model, tokenizer, questions, bf16=self.bf16, done=done, thoughts=thoughts, system=system
            )

        return await self._once(("likelihoods", tuple(questions), system), len(prompts) + len(questions), work)

    async def replies(self, prompts: Sequence[str], config: GenerateConfig, *, system: str | None = None) -> list[str]:
        """One answer per prompt (a user's message). A repeated call with equal prompts and settings is free.

        `system`: system prompt before every one.

        A model that thinks has THINKING_TOKENS more to do so in; its reasoning is taken off.
        """
        chats = [inspect_chat(prompt, system) for prompt in prompts]
        if not self.thinking:
            return [answer.text for answer in await self.answers(chats, config)]
        room = (config.max_tokens or MAX_TOKENS) + THINKING_TOKENS
        answers = await self.answers(chats, config.model_copy(update={"max_tokens": room}))
        found = [taken_apart(answer.text) for answer in answers]
        if (key := ("counted", tuple(prompts), system)) not in self._passes:
            self._passes[key] = True
            self.thoughts.update(thought.end for thought in found)
        return [thought.answer for thought in found]

    async def answers(
        self,
        chats: Sequence[Sequence[ChatMessage]],
        config: GenerateConfig,
        known: Mapping[int, Answer] = {},
        take: Callable[[Mapping[int, Answer]], None] = lambda answers: None,
    ) -> list[Answer]:
        """One answer per chat; `known` and `take` as in `generate`. A repeated call with equal chats and settings is
        free, whatever its `known` and `take`. The reasoning of a model that thinks stands in its answers."""
        plain = [[{"role": message.role, "content": message.text} for message in chat] for chat in chats]

        def work(model: Any, tokenizer: Any, done: Callable[[int], None]) -> list[Answer]:
            return generate(
                model, tokenizer, plain, config, bf16=self.bf16, done=done, known=known, take=take,
                thinking=self.thinking,
            )  # fmt: skip

        texts = tuple(tuple((message["role"], message["content"]) for message in chat) for chat in plain)
        return await self._once(("answers", texts, config.model_dump_json()), len(chats), work)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One answer to one chat: Inspect's ordinary interface. Raises InputError when tools are offered.

        A chat that is asked again with a temperature gets another sample. Reasoning is given apart from the answer.
        """
        if tools:
            raise InputError(f"model midspec/{self.model_name} has no tool calling; use a provider that has")
        chat = [{"role": message.role, "content": message.text} for message in input]
        said = "\0".join(f"{message['role']}:{message['content']}" for message in chat)
        settings = config.model_copy(update={"seed": (config.seed or 0) * 10_007 + self._repeats[said]})
        self._repeats[said] += 1

        def work(model: Any, tokenizer: Any, done: Callable[[int], None]) -> ModelOutput:
            [answer] = generate(model, tokenizer, [chat], settings, bf16=self.bf16, done=done, thinking=self.thinking)
            output = ModelOutput.from_content(self.model_name, self._content(answer.text), answer.stop_reason)
            output.usage = ModelUsage(
                input_tokens=answer.input_tokens,
                output_tokens=answer.output_tokens,
                total_tokens=answer.input_tokens + answer.output_tokens,
            )
            return output

        async with self._lock:
            return await self._in_thread(work, lambda count: None)

    def _content(self, text: str) -> str | list[Content]:
        thought = taken_apart(text) if self.thinking else None
        if thought is None or thought.end == "none":
            return text
        return [ContentReasoning(reasoning=thought.reasoning), ContentText(text=thought.answer)]

    def max_connections(self) -> int:
        """All samples wait together for the one pass that answers them."""
        return 1024

    def connection_key(self) -> str:
        """One model in memory, one queue."""
        return f"midspec/{self.model_name}/{self.checkpoint}"

    async def _once(self, key: Any, total: int, work: Work[T]) -> T:
        """Run `work` for the first caller with `key`; all others get its result, or its failure."""
        async with self._lock:
            if key not in self._passes:
                try:
                    self.progress.start(total, "prompts")
                    self._passes[key] = await self._in_thread(work, self.progress.advance)
                except Exception as error:
                    self._passes[key] = self.failure = error
        found = self._passes[key]
        if isinstance(found, Exception):
            raise found
        return found

    async def _in_thread(self, work: Work[T], report: Callable[[int], None]) -> T:
        stop = threading.Event()

        def done(count: int) -> None:
            if stop.is_set():
                raise _StoppedError
            report(count)

        def run() -> T:
            return work(*self._load(), done)

        try:
            # Abandoned, because a cancelled evaluation should not wait for a pass of minutes; `stop` ends it soon.
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
        finally:
            stop.set()

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            # On a CPU the adapter is added into float32 weights, which loses nothing and saves time. On a GPU weights
            # are bfloat16, in which an added adapter would be rounded away, so it stays beside them.
            exact = not self.bf16 or pick_device(self.compute).type == "cpu"
            dtype = torch.float32 if exact else torch.bfloat16
            model, tokenizer = load_for_inference(
                self.ref, self.checkpoint, self.compute, dtype, merge=exact, progress=self.progress
            )
            require_chat_template(tokenizer, self.model_name)
            self._loaded = model, tokenizer
        return self._loaded

    def close(self) -> None:
        """Drop the model."""
        self._loaded = None
        self._passes.clear()
