"""What a training run is going to be, told before its first update."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from midspec.experiment import ComputeConfig, Config, TrainConfig
from midspec.train.data import TrainingData
from midspec.train.distributed import gathered_bytes, here, shards, share
from midspec.train.kernels import Kernels, choose
from midspec.train.loss import CHUNK_ELEMENTS
from midspec.train.weights import Counts

FEW_UPDATES = 30
"""An independent re-run of the paper took 31 updates on its full data for a null result; smaller batches fixed it."""

CPU_ACTIVATIONS = 3e9
"""Bytes that activations may take on a CPU. SmolLM2 in sequences of 512 then runs 4 at a time; in sequences of 256, 4
at a time took 8% longer than 8, and 2 at a time 35%."""

PROCESS = 0.63e9
"""Bytes of a process on a CPU that trains: Python, PyTorch, Transformers, the tokenizer."""

KEPT = {"plain": (40.0, 13.5), "compiled": (24.0, 7.7), "liger": (40.0, 13.5)}
"""Bytes per token and decoder layer that are kept for the backward pass: so many times the width of the hidden states,
plus so many times that of the MLP. Fitted to SmolLM2 (docs/training.md); Liger keeps less than plain, not measured."""

RECOMPUTED = 0.23
"""Share of these that is left where activations are recomputed."""


class Preflight(Config):
    """The size of a run."""

    rows: int
    """Documents or chats per epoch."""
    tokens: int
    """Over all epochs, without padding."""
    trained_tokens: int
    """Predictions that the loss counts, over all epochs."""
    epochs: int
    sequences: int
    padding: float
    """Share of the packed positions that is padding."""
    batch_size: int
    updates: int
    warmup_updates: int
    parameters: int
    trainable: int
    micro_batch: int
    """Sequences per forward pass."""
    checkpointing: bool
    """Whether activations are computed again in the backward pass, to save memory."""
    memory_gb: float
    """Estimate of the largest use of device memory."""
    kernels: Kernels
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the terminal."""
        return [
            f"{self.rows:,} rows, {self.tokens:,} tokens ({self.trained_tokens:,} trained), {self.epochs} epoch(s), "
            f"{self.sequences:,} sequences, {self.padding:.1%} padding",
            f"{self.updates:,} updates of {self.batch_size} sequences ({self.micro_batch} at a time), "
            f"{self.trainable:,} of {self.parameters:,} parameters train, about {self.memory_gb:.1f} GB",
            self.kernels.line(),
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def preflight(
    data: TrainingData, train: TrainConfig, compute: ComputeConfig, model: Any, counts: Counts, device: torch.device
) -> Preflight:
    """Count updates, choose the micro-batch, estimate memory, warn of settings that cannot work well."""
    sequences = len(data.packed)
    updates, warmup_updates = schedule_updates(sequences, train)
    warnings = list(data.warnings)
    if updates < FEW_UPDATES:
        smaller = f"lower batch_size (now {train.batch_size}) or " if train.batch_size > 1 else ""
        warnings.append(
            f"only {updates} updates, which may be too few to learn from (31 gave a null result in a re-run of the "
            f"paper); {smaller}train on more data"
        )
    if device.type == "cpu" and train.precision == "bf16" and not cpu_has_bf16():
        # Measured with instructions up to AVX2 only: over four times the seconds per update of float32. Not switched
        # silently: the precision decides the weights.
        warnings.append(
            "this CPU has no bfloat16 instructions and imitates them slowly; precision: fp32 is faster here"
        )
    parts = shards(compute)
    fixed = (sum(p.numel() * p.element_size() for p in model.parameters()) + counts.trainable * 12) / parts
    fixed += gathered_bytes(model) if parts > 1 else 0
    kernels = choose(model, train, compute, device, counts.parameters, data.packed.positions)
    per_sequence = activation_bytes(model, train.sequence_length, kernels)
    free = available_memory(device)
    room = free * 0.8 - counts.trainable * 12 / parts
    best = min(room, CPU_ACTIVATIONS) if device.type == "cpu" else room
    wanted = compute.micro_batch or max(1, int(best / per_sequence))
    micro = largest_divisor(share(train.batch_size, here().count), wanted)
    checkpointing = compute.micro_batch is None and per_sequence > room
    activations = micro * per_sequence * (RECOMPUTED if checkpointing else 1.0)
    activations += logits_bytes(model, micro * train.sequence_length, kernels, trained=train.method == "full")
    process = PROCESS if device.type == "cpu" else 0.0
    packed = data.packed
    return Preflight(
        rows=data.rows,
        tokens=packed.tokens,
        trained_tokens=packed.trained_tokens,
        epochs=data.epochs,
        sequences=sequences,
        padding=round(1 - packed.tokens / packed.positions, 4),
        batch_size=train.batch_size,
        updates=updates,
        warmup_updates=warmup_updates,
        parameters=counts.parameters,
        trainable=counts.trainable,
        micro_batch=micro,
        checkpointing=checkpointing,
        memory_gb=round((process + fixed + activations) / 1e9, 2),
        kernels=kernels,
        warnings=tuple(warnings),
    )


def schedule_updates(sequences: int, train: TrainConfig) -> tuple[int, int]:
    """(updates, those of them that warm up) of a run over so many sequences."""
    updates = -(-sequences // train.batch_size)
    # Rounded down: Transformers' first warm-up update has rate 0, and a run of one update must not be that one.
    return updates, int(updates * train.warmup)


def activation_bytes(model: Any, sequence_length: int, kernels: Kernels = Kernels()) -> float:
    """Bytes that one sequence keeps for the backward pass."""
    config = model.config.get_text_config()
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    hidden_factor, inner_factor = KEPT[kernels.layers]
    per_token = hidden_factor * config.hidden_size + inner_factor * inner
    device = next(model.parameters()).device.type
    if kernels.attention == "sdpa" and device == "cpu":
        # There every layer keeps its own copy of the mask, as numbers.
        per_token += 2 * sequence_length
    return sequence_length * config.num_hidden_layers * per_token


def logits_bytes(model: Any, rows: int, kernels: Kernels, *, trained: bool) -> float:
    """Bytes of the logits that are alive at a time, and of the head's gradient where it is `trained`."""
    config = model.config.get_text_config()
    compiled = kernels.layers == "compiled" and not trained
    # Plain: in float32, as the head makes them, and their gradient. Compiled: the last two only.
    most, width = (2 * CHUNK_ELEMENTS, 4) if compiled else (CHUNK_ELEMENTS, 8)
    return min(rows * config.vocab_size, most) * width + (config.vocab_size * config.hidden_size * 4 if trained else 0)


def cpu_has_bf16() -> bool:
    """Whether oneDNN, which multiplies matrices for PyTorch on CPUs, finds bfloat16 instructions here."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # pyright: ignore[reportPrivateUsage]
    except (AttributeError, RuntimeError):  # built without oneDNN
        return False


def available_memory(device: torch.device) -> float:
    """Bytes free on the device."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)


def memory_in_use(device: torch.device) -> float:
    """Bytes: on a GPU the most that was allocated so far, elsewhere what this process holds of main memory now."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return float(psutil.Process().memory_info().rss)


def largest_divisor(batch_size: int, at_most: int) -> int:
    """The largest number of sequences that divides the batch evenly: then micro-batches do not change the result."""
    return next(n for n in range(min(batch_size, max(1, at_most)), 0, -1) if batch_size % n == 0)
