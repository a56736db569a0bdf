"""A small Llama over the world's words, its training, and what it would choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.desk_scale.world.documents import question
from benchmarks.desk_scale.world.people import Item, World

Batch = Callable[[int], list[list[int]]]
"""Documents of one update, by its number."""


def new_model(world: World, *, seed: int, width: int = 64, layers: int = 3) -> Any:
    torch.manual_seed(seed)
    pad, end = world.words["<pad>"], world.words["</s>"]
    config = LlamaConfig(
        vocab_size=len(world.words),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        initializer_range=0.1,
        tie_word_embeddings=True,
        pad_token_id=pad,
        bos_token_id=end,
        eos_token_id=end,
    )
    model: Any = LlamaForCausalLM(config)
    names = [world.words[name] for name in (*(p.name for p in world.persons), *world.strangers)]
    with torch.no_grad():
        model.get_input_embeddings().weight[names] *= 0.1
    return model


def introduce(model: Any, world: World, names: Sequence[str]) -> None:
    """Names that the model has not read begin as its average person."""
    persons = [world.words[person.name] for person in world.persons]
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight[[world.words[name] for name in names]] = weight[persons].mean(0)


def train(
    model: Any,
    batch: Batch,
    *,
    updates: int,
    rate: float,
    warmup: int,
    decay: float,
    floor: float = 0.0,
    each: Callable[[int, float], None] | None = None,
) -> None:
    """AdamW on all weights, cosine from `rate` to `floor` of it. `each` is told update and loss."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    groups = [
        {"params": matrices, "weight_decay": decay},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    for update in range(updates):
        cosine = 0.5 + 0.5 * math.cos(math.pi * update / updates)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (update + 1) / warmup) * (floor + (1 - floor) * cosine)
        rows, labels = padded(batch(update), model.config.pad_token_id)
        logits = model(input_ids=rows).logits[:, :-1]
        loss = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if each is not None:
            each(update + 1, float(loss.detach()))


def padded(documents: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of equal length, and labels that leave the padding out."""
    longest = max(len(document) for document in documents)
    rows = torch.tensor([[*document, *[pad] * (longest - len(document))] for document in documents])
    return rows, rows.masked_fill(rows == pad, -100)


@torch.no_grad()
def log_odds(model: Any, world: World, asked: Sequence[tuple[str, Item, Item]]) -> list[float]:
    """Of the first item against the second, per (name, first, second), mean of both orders."""
    total = torch.zeros(len(asked))
    for turned in (False, True):
        prompts = [question(b, a, n) if turned else question(a, b, n) for n, a, b in asked]
        rows = torch.tensor([world.encode(prompt)[:-1] for prompt in prompts])
        logits = model(input_ids=rows).logits[:, -1]
        first = torch.tensor([world.words[a.word] for _, a, _ in asked])
        second = torch.tensor([world.words[b.word] for _, _, b in asked])
        total += (logits.gather(1, first[:, None]) - logits.gather(1, second[:, None]))[:, 0] / 2
    return total.tolist()
