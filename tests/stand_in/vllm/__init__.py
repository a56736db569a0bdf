"""What batch jobs use of vLLM, with its signatures, and without a model: put `tests/stand_in` on the path.

The model's folder says how it behaves, in `stand_in.json`: `seconds` per request, `context` tokens, `answer`, a
function of a `tests.provider.Request` as text. Each loading and each answer is a line of `ledger.jsonl` there.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.provider.request import Block, Request, tokens
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import SamplingParams

__all__ = ["LLM", "SamplingParams"]


class LLM:
    """vllm.entrypoints.llm.LLM."""

    def __init__(
        self,
        model: str,
        *,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        seed: int = 0,
        gpu_memory_utilization: float = 0.9,
        enforce_eager: bool = False,
        max_model_len: int | None = None,
        enable_prefix_caching: bool | None = None,
    ) -> None:
        self._folder = Path(model)
        if not self._folder.is_dir():
            raise OSError(f"{model} is not a local folder and is not a valid model identifier")
        behaviour = json.loads((self._folder / "stand_in.json").read_text())
        self._seconds = float(behaviour.get("seconds", 0.0))
        self._context = max_model_len or int(behaviour.get("context", 1_000_000))
        module, _, name = str(behaviour["answer"]).partition(":")
        self._answer = getattr(import_module(module), name)
        self._note(loaded=tensor_parallel_size)

    def chat(
        self,
        messages: Any,
        sampling_params: SamplingParams | list[SamplingParams] | None = None,
        use_tqdm: bool = True,
        lora_request: Any = None,
        chat_template: str | None = None,
        chat_template_content_format: str = "auto",
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        tools: list[dict[str, Any]] | None = None,
        chat_template_kwargs: dict[str, Any] | None = None,
        tokenization_kwargs: dict[str, Any] | None = None,
        mm_processor_kwargs: dict[str, Any] | None = None,
    ) -> list[RequestOutput]:
        """Replies in order; ValueError before any is worked on where a prompt is too long."""
        assert isinstance(sampling_params, list)
        assert len(sampling_params) == len(messages)
        asked = [self._request(chat, params) for chat, params in zip(messages, sampling_params, strict=True)]
        for request in asked:
            if tokens(request.text) > self._context:
                raise ValueError(
                    f"The decoder prompt (length {tokens(request.text)}) is longer than the maximum model length of "
                    f"{self._context}."
                )
        return [
            self._output(number, request, params)
            for number, (request, params) in enumerate(zip(asked, sampling_params, strict=True))
        ]

    def _request(self, chat: list[dict[str, Any]], params: SamplingParams) -> Request:
        blocks = [Block(message["role"], text) for message in chat for text in _texts(message["content"])]
        form = params.structured_outputs.json if params.structured_outputs else None
        settings = {"temperature": params.temperature, "top_p": params.top_p, **({"schema": form} if form else {})}
        return Request("vllm", self._folder.name, blocks, params.max_tokens, settings=settings, sample=str(params.seed))

    def _output(self, number: int, request: Request, params: SamplingParams) -> RequestOutput:
        time.sleep(self._seconds)
        text: Any = self._answer(request)
        if inspect.isawaitable(text):
            text = asyncio.run(_awaited(text))
        wrote, reason = tokens(text), "stop"
        if params.max_tokens is not None and wrote > params.max_tokens:
            wrote, reason, text = params.max_tokens, "length", text[: 4 * params.max_tokens]
        if text == "aborted":
            reason = "abort"
        self._note(hash=request.hash, seed=params.seed, user=request.user[-80:])
        done = CompletionOutput(0, text, list(range(wrote)), None, None, reason, None)
        read = list(range(tokens(request.text)))
        return RequestOutput(str(number), None, read, None, [done], True, num_cached_tokens=0)

    def _note(self, **values: Any) -> None:
        line = json.dumps({"time": time.time(), "pid": os.getpid(), **values}) + "\n"
        with (self._folder / "ledger.jsonl").open("a") as ledger:
            ledger.write(line)


def _texts(content: Any) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content]


async def _awaited(text: Any) -> str:
    return await text
