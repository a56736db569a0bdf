"""Written answers from a local model: batched, greedy unless asked otherwise, and repeatable."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from inspect_ai.model import GenerateConfig

from midspec.evals.likelihood import chat_prompt

BATCH_ROWS = 16
"""Most chats answered together."""
CPU_BATCH_TOKENS = 16384
"""Most prompt tokens answered together, padding included. A CPU gains nothing from more, and waits for the slowest."""
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
) -> list[Answer]:
    """One answer per chat, in their order.

    Greedy where `config.temperature` is None or 0. Sampling is seeded per batch from `config.seed` (default 0), and
    batches depend on the prompts' lengths only, so equal calls give equal answers. Honours max_tokens, top_p and top_k.
    `done(n)` is called after each batch of n chats.

    To go on after an interruption: `take` gets the answers of each batch (index of the chat -> answer) before `done`,
    and `known` gives them back. A batch that is known in full is not made again; all others are, with the same result.
    """
    device = next(model.parameters()).device
    encoded: dict[str, list[int]] = {}
    ids: list[list[int]] = []
    for chat in chats:  # hundreds of samples of one long prompt are encoded, and held, once
        text = chat_prompt(tokenizer, chat)
        if text not in encoded:
            encoded[text] = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids.append(encoded[text])
    answers: dict[int, Answer] = {}
    model.eval()
    start = 0
    for batch in _batches(list(map(len, ids)), CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS):
        if all(index in known for index in batch):
            answers.update((index, known[index]) for index in batch)
        else:
            seed = (config.seed or 0) * 1_000_003 + start
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16), _seeded(seed):
                made = dict(zip(batch, _answer(model, tokenizer, [ids[i] for i in batch], config), strict=True))
            take(made)
            answers.update(made)
        done(len(batch))
        start += len(batch)
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


def _answer(model: Any, tokenizer: Any, prompts: Sequence[list[int]], config: GenerateConfig) -> list[Answer]:
    device = next(model.parameters()).device
    length = max(map(len, prompts))
    ends = _end_tokens(model, tokenizer)
    padding = min(ends)
    ids_bl = torch.full((len(prompts), length), padding)
    mask_bl = torch.zeros_like(ids_bl)
    for row, prompt in enumerate(prompts):
        ids_bl[row, length - len(prompt) :] = torch.tensor(prompt)
        mask_bl[row, length - len(prompt) :] = 1
    limit = config.max_tokens or MAX_TOKENS
    # None when greedy, because a model's own generation config may set them, which transformers warns about.
    sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if config.temperature:
        sampling = {"do_sample": True, "temperature": config.temperature, "top_p": config.top_p, "top_k": config.top_k}
    written_bt = model.generate(
        input_ids=ids_bl.to(device),
        attention_mask=mask_bl.to(device),
        max_new_tokens=limit,
        pad_token_id=padding,
        eos_token_id=sorted(ends),
        **sampling,
    )[:, length:].tolist()
    answers: list[Answer] = []
    for prompt, tokens in zip(prompts, written_bt, strict=True):
        count = next((at for at, token in enumerate(tokens) if token in ends), len(tokens))
        text = tokenizer.decode(tokens[:count], skip_special_tokens=True).strip()
        answers.append(Answer(text, "stop" if count < limit else "max_tokens", len(prompt), count))
    return answers


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """What ends a turn: the tokenizer's end token, and what the model's generation config adds."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return {token for token in [tokenizer.eos_token_id, *listed] if token is not None}


@contextmanager
def _seeded(seed: int) -> Generator[None]:
    """A random state of its own, so that neither the caller's draws nor ours disturb the other."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
