"""What training will take on a GPU that is not there: arithmetic, said to be such."""

from __future__ import annotations

import re

from midspec.experiment import TrainConfig

PEAK_FLOPS = 989e12
"""Of an H100 SXM in bfloat16 without sparsity, per second (vendor's data sheet)."""
UTILISATION = 0.4
"""Of that peak, assumed (ours)."""
_BILLIONS = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)\s?([bBmM])(?![A-Za-z0-9])")


def parameters(model: str) -> float | None:
    """Parameters of a model by its name (`Llama-3.1-8B`: 8e9); None where the name does not say."""
    found = _BILLIONS.findall(model)
    if not found:
        return None
    number, unit = found[-1]
    return float(number) * (1e9 if unit in "bB" else 1e6)


def gpu_hours(model: str, tokens: int, train: TrainConfig) -> float | None:
    """Hours of one H100 at UTILISATION for `tokens` trained tokens; None where the model's size is not known.

    2 FLOPs per weight and token forward, 2 backward through frozen weights, 2 more where the weights are trained.
    """
    size = parameters(model)
    if size is None:
        return None
    per_token = (4 if train.method == "lora" else 6) * size
    return per_token * tokens / (PEAK_FLOPS * UTILISATION) / 3600


def adapter_bytes(model: str, train: TrainConfig) -> float | None:
    """About what one checkpoint takes on disk; None where the model's size is not known.

    A LoRA of rank 64 on all projections of the usual models has about 2% of their parameters, in float32.
    """
    size = parameters(model)
    if size is None:
        return None
    return 4 * 0.02 * size * train.rank / 64 if train.method == "lora" else 4 * size
