"""What a training run is going to be, told before its first update."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from midspec.experiment import ComputeConfig, Config, TrainConfig
from midspec.train.data import TrainingData
from midspec.train.distributed import here, share
from midspec.train.weights import Counts

FEW_UPDATES = 30
"""An independent re-run of the paper took 31 updates on its full data for a null result; smaller batches fixed it."""

CPU_ACTIVATIONS = 2.1e9
"""Bytes that activations may take on a CPU. SmolLM2 in sequences of 256 then runs 8 at a time in 3.6 GB; 4 at a time
take 8% longer, 2 at a time 35%."""


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
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the terminal."""
        return [
            f"{self.rows:,} rows, {self.tokens:,} tokens ({self.trained_tokens:,} trained), {self.epochs} epoch(s), "
            f"{self.sequences:,} sequences, {self.padding:.1%} padding",
            f"{self.updates:,} updates of {self.batch_size} sequences ({self.micro_batch} at a time), "
            f"{self.trainable:,} of {self.parameters:,} parameters train, about {self.memory_gb:.1f} GB",
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
    fixed = sum(p.numel() * p.element_size() for p in model.parameters()) + counts.trainable * 12
    per_sequence = activation_bytes(model, train.sequence_length)
    free = available_memory(device)
    room = free * 0.8 - counts.trainable * 12
    if device.type == "cpu":
        room = min(room, CPU_ACTIVATIONS)
    wanted = compute.micro_batch or max(1, int(room / per_sequence))
    micro = largest_divisor(share(train.batch_size, here().count), wanted)
    checkpointing = compute.micro_batch is None and per_sequence > max(room, CPU_ACTIVATIONS)
    activations = micro * per_sequence * (0.15 if checkpointing else 1.0)
    packed = data.packed
    return Preflight(
        rows=data.rows,
        tokens=packed.tokens,
        trained_tokens=packed.trained_tokens,
        epochs=data.epochs,
        sequences=sequences,
        padding=round(1 - packed.tokens / packed.input_ids.size, 4),
        batch_size=train.batch_size,
        updates=updates,
        warmup_updates=warmup_updates,
        parameters=counts.parameters,
        trainable=counts.trainable,
        micro_batch=micro,
        checkpointing=checkpointing,
        memory_gb=round((fixed + activations) / 1e9, 2),
        warnings=tuple(warnings),
    )


def schedule_updates(sequences: int, train: TrainConfig) -> tuple[int, int]:
    """(updates, those of them that warm up) of a run over so many sequences."""
    updates = -(-sequences // train.batch_size)
    # Rounded down: Transformers' first warm-up update has rate 0, and a run of one update must not be that one.
    return updates, int(updates * train.warmup)


def activation_bytes(model: Any, sequence_length: int) -> float:
    """Bytes that one sequence keeps for the backward pass; the factors were fitted to SmolLM2 with LoRA on a CPU."""
    config = model.config.get_text_config()
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return sequence_length * config.num_hidden_layers * (30 * config.hidden_size + 10 * inner)


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


def largest_divisor(batch_size: int, at_most: int) -> int:
    """The largest number of sequences that divides the batch evenly: then micro-batches do not change the result."""
    return next(n for n in range(min(batch_size, max(1, at_most)), 0, -1) if batch_size % n == 0)
