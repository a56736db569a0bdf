"""What each of several processes needs of its GPU's memory, by arithmetic: for planning, before anything is loaded.

The model may be an empty one (`torch.device("meta")`): only shapes are read.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch

from midspec.experiment import TrainConfig
from midspec.train.distributed import GATHERED_LAYERS, gathered_bytes
from midspec.train.loss import CHUNK_ELEMENTS
from midspec.train.preflight import activation_bytes

ADAM = 12
"""Bytes for each weight that trains, besides the weight: its gradient and two moments, float32."""


class Footprint(NamedTuple):
    """Bytes on the GPU of one process, at the peak."""

    weights: float
    """Frozen and training weights that it holds all the time."""
    optimizer: float
    """Gradients and moments of its training weights."""
    gathered: float
    """Weights of other processes that it holds while they are needed."""
    activations: float
    """Of its micro-batch, and the part of the logits that is alive."""

    @property
    def total(self) -> float:
        """All of it. Allocators add some per cent, CUDA and NCCL 1 to 2 GB."""
        return sum(self)


def footprint(
    model: Any,
    train: TrainConfig,
    *,
    processes: int = 1,
    strategy: Literal["ddp", "fsdp", "deepspeed"] = "ddp",
    micro_batch: int = 1,
    checkpointing: bool = True,
) -> Footprint:
    """What training `model`, without an adapter on it, takes per process at `train.sequence_length`."""
    config = model.config.get_text_config()
    layers = config.num_hidden_layers
    width = 4 if train.method == "full" or train.precision == "fp32" else 2
    all_weights = sum(parameter.numel() for parameter in model.parameters())
    adapter = 0 if train.method == "full" else adapter_weights(model, train.rank)
    trained = all_weights if train.method == "full" else adapter
    shards = 1 if strategy == "ddp" else processes
    gathered = 0.0 if shards == 1 else gathered_bytes(model, width) + adapter * 4 * GATHERED_LAYERS / layers
    return Footprint(
        weights=(all_weights * width + adapter * 4) / shards,
        optimizer=trained * ADAM / shards,
        gathered=gathered,
        activations=_activations(model, train, micro_batch, checkpointing),
    )


def adapter_weights(model: Any, rank: int) -> int:
    """Weights of a LoRA adapter on every linear layer inside decoder layers."""
    return sum(
        rank * (module.in_features + module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and ".layers." in name
    )


def _activations(model: Any, train: TrainConfig, micro_batch: int, checkpointing: bool) -> float:
    config = model.config.get_text_config()
    layers = config.num_hidden_layers
    whole = activation_bytes(model, train.sequence_length)
    if checkpointing:
        # Every layer keeps its input, and one layer at a time has everything.
        width = 4 if train.precision == "fp32" else 2
        whole = layers * train.sequence_length * config.hidden_size * width + whole / layers
    # The mask that keeps packed documents apart has a byte for every pair of positions. Logits are made a part at a
    # time, in float32 and in the model's type.
    return micro_batch * (whole + train.sequence_length**2) + CHUNK_ELEMENTS * 6
