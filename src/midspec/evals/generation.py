"""Written answers from a local model: batched, greedy unless asked otherwise, and repeatable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from inspect_ai.model import GenerateConfig

from midspec.evals.decoding import Drawing, continued
from midspec.evals.likelihood import chat_prompt
from midspec.evals.thinking import OPEN, opened

BATCH_ROWS = 16
"""Most chats answered together."""
CPU_BATCH_TOKENS = 32768
"""Most prompt tokens answered together, padding included. More gains a CPU little: its time goes to each row's past."""
GPU_BATCH_TOKENS = 131072
MAX_TOKENS = 128
"""Of an answer, where the caller does not say."""


class Answer(NamedTuple):
    """One answer and what it took."""

    text: str
    stop_reason: Literal["stop", "max_tokens"]
    input_tokens: int
    output_tokens: int


def generate(
    model: Any,
    tokenizer: Any,
    chats: Sequence[Sequence[dict[str, str]]],
    config: GenerateConfig,
    *,
    bf16: bool = True,
    done: Callable[[int], None] = lambda count: None,
    known: Mapping[int, Answer] = {},
    take: Callable[[Mapping[int, Answer]], None] = lambda answers: None,
    thinking: bool = False,
) -> list[Answer]:
    """One answer per chat, in their order.

    Greedy where `config.temperature` is None or 0. Sampling is seeded per chat from its place and `config.seed`
    (default 0), and batches depend on the prompts' lengths only, so equal calls give equal answers. Honours
    max_tokens, top_p and top_k, and nothing that a model's own generation config holds but its end tokens. `done(n)` is
    called after each batch of n chats.

    To go on after an interruption: `take` gets the answers of each batch (index of the chat -> answer) before `done`,
    and `known` gives them back. A batch that is known in full is not made again; all others are, with the same result.

    `thinking`: chats are rendered for a model that thinks before it answers. Its reasoning stands in the answer,
    between `<think>` and `</think>`, also where the chat template opens it.
    """
    device = next(model.parameters()).device
    encoded: dict[str, list[int]] = {}
    ids: list[list[int]] = []
    inside: list[bool] = []
    for chat in chats:  # hundreds of samples of one long prompt are encoded, and held, once
        text = chat_prompt(tokenizer, chat, thinking=thinking)
        inside.append(thinking and opened(text))
        if text not in encoded:
            encoded[text] = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids.append(encoded[text])
    answers: dict[int, Answer] = {}
    model.eval()
    for batch in _batches(list(map(len, ids)), CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS):
        if all(index in known for index in batch):
            answers.update((index, known[index]) for index in batch)
        else:
            seeds = [(config.seed or 0) * 1_000_003 + index for index in batch]
            found = _answer(model, tokenizer, [ids[index] for index in batch], config, seeds, bf16)
            made = {
                index: answer._replace(text=f"{OPEN}\n{answer.text}") if inside[index] else answer
                for index, answer in zip(batch, found, strict=True)
            }
            take(made)
            answers.update(made)
        done(len(batch))
    return [answers[index] for index in range(len(ids))]


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices of prompts answered together, shortest first: a pure function of their lengths in tokens."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        room = min(BATCH_ROWS, tokens // max(1, lengths[index]))
        if batches and len(batches[-1]) < room:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _answer(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], config: GenerateConfig, seeds: Sequence[int], bf16: bool
) -> list[Answer]:
    limit = config.max_tokens or MAX_TOKENS
    drawing = Drawing(config.temperature or 0.0, config.top_p, config.top_k)
    ends = _end_tokens(model, tokenizer)
    written = continued(model, prompts, limit=limit, ends=ends, drawing=drawing, seeds=seeds, bf16=bf16)
    return [
        Answer(
            tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            "stop" if len(tokens) < limit else "max_tokens",
            len(prompt),
            len(tokens),
        )
        for prompt, tokens in zip(prompts, written, strict=True)
    ]


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """What ends a turn: the tokenizer's end token, and what the model's generation config adds."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return {token for token in [tokenizer.eos_token_id, *listed] if token is not None}
