"""What training and evaluating will take on a GPU that is not there: arithmetic, said to be such. Pure functions.

Per token and weight a forward pass takes 2 floating-point operations, the gradient of what goes in 2, and the gradient
of the weight itself 2 (Kaplan et al. 2020, "6ND"). Frozen weights have no gradient of their own; weights that are
recomputed in the backward pass take one forward pass more. Attention between tokens is left out: 7% of a forward pass
of Llama 3.1 8B at sequences of 4,096 tokens, 13% at 8,192.
"""

from __future__ import annotations

import re

from midspec.bill.card import Card
from midspec.evaluation import Answers
from midspec.stages import TrainConfig

RECOMPUTED_FROM = 1e9
"""Parameters from which activations are taken to be recomputed: smaller models fit without (ours)."""
ADAPTER = 0.02
"""Weights of a LoRA of rank 64 on all projections, as a part of the model's: 2.1% of Llama 3.1 8B."""
_BILLIONS = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)\s?([bBmM])(?![A-Za-z0-9])")


def parameters(model: str) -> float | None:
    """Parameters of a model by its name (`Llama-3.1-8B`: 8e9); None where the name does not say."""
    found = _BILLIONS.findall(model)
    if not found:
        return None
    number, unit = found[-1]
    return float(number) * (1e9 if unit in "bB" else 1e6)


def adapter_weights(size: float, train: TrainConfig) -> float:
    """Weights beside a model of `size` weights that are trained in their place; 0 for full fine-tuning."""
    return ADAPTER * size * train.rank / 64 if train.method == "lora" else 0.0


def training_operations(size: float, train: TrainConfig) -> float:
    """Floating-point operations per trained token of a model of `size` weights."""
    adapter = adapter_weights(size, train)
    passes = 3 if size >= RECOMPUTED_FROM else 2  # forward, gradient of what goes in, forward again
    return 2 * passes * (size + adapter) + 2 * (adapter or size)


def training_hours(model: str, tokens: int, train: TrainConfig, card: Card) -> float | None:
    """Hours of one `card` for `tokens` trained tokens; None where the model's size is not known."""
    size = parameters(model)
    if size is None:
        return None
    return training_operations(size, train) * tokens / (card.peak * card.training) / 3600


def answering_hours(model: str, answers: Answers, card: Card) -> float | None:
    """Hours of one `card` for the answers of a local model, its adapter merged; None where its size is not known.

    What is read goes through in one pass at the card's rate in training, what is written token by token.
    """
    size = parameters(model)
    if size is None:
        return None
    read = answers.number * answers.read / card.training
    written = answers.number * answers.written / card.generation
    return 2 * size * (read + written) / card.peak / 3600


def adapter_bytes(model: str, train: TrainConfig) -> float | None:
    """About what one checkpoint takes on disk, in float32; None where the model's size is not known."""
    size = parameters(model)
    return None if size is None else 4 * (adapter_weights(size, train) or size)
