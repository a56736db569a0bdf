"""Which implementation of a training step's arithmetic runs: PyTorch's operations, compiled ones, or Liger's on GPUs.

All compute the same function; they differ in rounding. Compiled code keeps float32 between operations where the plain
path rounds to bfloat16 after each, and is nearer to a run in float32 (docs/training.md has the figures).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, Literal

import torch

from midspec.compute import ComputeConfig
from midspec.errors import InputError, StepError
from midspec.experiment import Config, TrainConfig
from midspec.train import attention
from midspec.train.distributed import here
from midspec.train.native import compiler, headers, tiles
from midspec.train.weights import without_adapter

PAYS = 4e12
"""Parameters times positions of a run from which compiling is worth its 10 to 20 seconds: 30,000 tokens of SmolLM2."""

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Configs of mixtures of experts have one of them."""


class Kernels(Config):
    """What runs, and why; part of the step's record."""

    layers: Literal["plain", "compiled", "liger"] = "plain"
    """Decoder layers and loss as PyTorch runs them, or through torch.compile; or layers with Liger's norms, rotary
    positions and SwiGLU."""
    attention: Literal["sdpa", "packed"] = "sdpa"
    """PyTorch's, under a mask; or ours, which visits only what the mask allows."""
    reasons: tuple[str, ...] = ()

    def line(self) -> str:
        """For the terminal."""
        return f"kernels: layers {self.layers}, attention {self.attention} ({'; '.join(self.reasons)})"


def choose(
    model: Any, train: TrainConfig, compute: ComputeConfig, device: torch.device, parameters: int, positions: int
) -> Kernels:
    """What is fastest for this run on this machine. `positions`: packed tokens of all epochs, padding included.

    Depends on the recipe and the machine only, not on how far a run has come, so that a resumed one goes on the same
    way. Raises InputError where `compute.kernels` asks for what is not to be had.
    """
    if compute.kernels == "plain":
        return Kernels(reasons=("asked for",))
    if compute.kernels == "liger" or (compute.kernels == "auto" and device.type == "cuda"):
        return _liger_or_plain(model, compute, device)
    obstacle = _obstacle(model, device)
    if compute.kernels == "compiled":
        if obstacle:
            raise InputError(f"compute.kernels is compiled, and {obstacle}; set it to auto or plain")
        reason = "asked for"
    elif obstacle:
        return Kernels(reasons=(obstacle,))
    elif parameters * positions < PAYS:
        return Kernels(reasons=(f"{positions:,} tokens are too few for compiling to pay",))
    else:
        reason = f"{positions:,} tokens"
    unfit = _unfit(model, train)
    return Kernels(
        layers="compiled",
        attention="sdpa" if unfit else "packed",
        reasons=(reason, unfit or "tile instructions"),
    )


def _liger_or_plain(model: Any, compute: ComputeConfig, device: torch.device) -> Kernels:
    asked = compute.kernels == "liger"
    lacking = _no_liger(model, device)
    if lacking is None:
        return Kernels(layers="liger", reasons=("asked for" if asked else "liger-kernel is installed",))
    if asked:
        raise InputError(f"compute.kernels is liger, and {lacking}; set it to auto or plain")
    return Kernels(reasons=tuple(filter(None, (_obstacle(model, device), lacking))))


def _no_liger(model: Any, device: torch.device) -> str | None:
    """Why Liger's kernels cannot be used here."""
    if device.type != "cuda":
        return f"Liger's kernels are for GPUs, not for {device.type}"
    if find_spec("liger_kernel") is None:
        return "liger-kernel is not installed (pip install liger-kernel)"
    from liger_kernel.transformers.monkey_patch import (  # pyright: ignore[reportMissingImports]
        MODEL_TYPE_TO_APPLY_LIGER_FN,  # pyright: ignore[reportUnknownVariableType]
    )

    kind: str = model.config.model_type
    return None if kind in MODEL_TYPE_TO_APPLY_LIGER_FN else f"Liger has no kernels for models of type {kind}"


def _obstacle(model: Any, device: torch.device) -> str | None:
    """Why layers cannot be compiled here."""
    if device.type != "cpu":
        return f"compiling is not measured on {device.type} yet"
    if here().count > 1:
        return "several processes train"
    if compiler() is None:
        return "there is no C++ compiler (g++) on the PATH"
    if not headers():
        return "Python's C headers (Python.h, in python3-dev or the like) are missing"
    if _layers(model) is None:
        return f"{type(model).__name__} has no plain list of decoder layers"
    if any(getattr(model.config.get_text_config(), name, None) for name in _EXPERTS):
        return f"{type(model).__name__} sends every token to other experts, which does not compile into one program"
    return None


def _unfit(model: Any, train: TrainConfig) -> str | None:
    """Why our attention cannot be used."""
    config = model.config.get_text_config()
    heads: int = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    special = ("attn_logit_softcapping", "layer_types", "sliding_window", "attention_chunk_size")
    if train.precision != "bf16":
        return "our attention is for bf16"
    if not tiles():
        return "this CPU has no tile instructions (AMX)"
    if width % attention.WIDTH or getattr(config, "attention_dropout", 0.0):
        return f"heads of width {width}, or dropout in attention"
    if odd := [name for name in special if getattr(config, name, None) and set(_types(config)) != {"full_attention"}]:
        return f"{odd[0]} is set"
    try:
        attention.prepare()
    except StepError as error:
        return str(error)
    return None


def _types(config: Any) -> list[str]:
    return list(getattr(config, "layer_types", None) or [])


def _layers(model: Any) -> Any:
    base = without_adapter(model)
    layers = getattr(getattr(base, "model", None), "layers", None)
    return layers if isinstance(layers, torch.nn.ModuleList) and len(layers) > 0 else None


def applied(model: Any, kernels: Kernels) -> AbstractContextManager[None]:
    """Make `model` run by `kernels`; afterwards it is as it was."""
    match kernels.layers:
        case "plain":
            return nullcontext()
        case "compiled":
            return _compiled(model, kernels)
        case "liger":
            return _liger(model)


@contextmanager
def _compiled(model: Any, kernels: Kernels) -> Generator[None]:
    base = without_adapter(model)
    before = base.config._attn_implementation
    frozen = not any(parameter.requires_grad for parameter in base.get_input_embeddings().parameters())
    if kernels.attention == "packed":
        base.set_attn_implementation(attention.NAME)
    if frozen:
        # Else the first layer's input has no gradient and the others' have: two programs would be compiled.
        base.enable_input_require_grads()
    for layer in _layers(model):
        layer.compile(dynamic=False)
    logging.getLogger("torch._inductor").setLevel(logging.ERROR)
    try:
        yield
    finally:
        for layer in _layers(model):
            layer._compiled_call_impl = None
        if frozen:
            base.disable_input_require_grads()
        base.set_attn_implementation(before)
        # Programs are kept per source line, and few of them: the next run's shapes must find room.
        torch.compiler.reset()


@contextmanager
def _liger(model: Any) -> Generator[None]:
    """Liger's norms, rotary positions and SwiGLU in this model alone; the loss is ours, which holds no logits either.

    Liger replaces names of Transformers' module, too, of which models that are made later would be built.
    """
    from transformers.integrations.liger import apply_liger_kernel

    base = without_adapter(model)
    names = vars(sys.modules[type(base).__module__])
    before = dict(names)
    own = {part: set(vars(part)) for part in base.modules()}
    patched: dict[Any, set[str]] = {}
    try:
        apply_liger_kernel(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})
        patched = {part: set(vars(part)) - had for part, had in own.items()}
        yield
    finally:
        names.update(before)
        for part, added in patched.items():
            for name in added:
                vars(part).pop(name, None)
