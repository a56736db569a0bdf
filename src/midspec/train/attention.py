"""Attention within packed documents, forward and backward, by a kernel of our own for CPUs with tile instructions.

PyTorch's CPU kernel for bfloat16 works through the whole matrix of scores, also where the mask forbids it, and its
backward pass makes little use of the tile instructions. Ours visits only keys of the same document up to the query
(attention.cpp). Registered with Transformers under `NAME`; `torch.compile` sees it as one operation.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from midspec.errors import StepError
from midspec.train.native import library

NAME = "midspec_packed"

BLOCK = 64
"""Sequence lengths must be a multiple of it."""

WIDTH = 32
"""Widths of heads must be a multiple of it."""


@cache
def _kernels() -> tuple[Any, Any]:
    loaded = library(Path(__file__).with_name("attention.cpp"))
    forward, backward = loaded.midspec_attention_forward, loaded.midspec_attention_backward
    sizes = [ctypes.c_int64] * 5 + [ctypes.c_float]
    forward.argtypes = [ctypes.c_void_p] * 6 + sizes
    backward.argtypes = [ctypes.c_void_p] * 10 + sizes
    forward.restype = backward.restype = None
    return forward, backward


def prepare() -> None:
    """Compile the kernel, which takes some seconds the first time on a machine. Raises StepError like `library`."""
    _kernels()


def _call(kernel: Any, tensors: tuple[torch.Tensor, ...], q: torch.Tensor, k: torch.Tensor, scale: float) -> None:
    assert all(tensor.is_contiguous() for tensor in tensors)
    batch, heads, length, width = q.shape
    assert length % BLOCK == 0 and width % WIDTH == 0, f"{tuple(q.shape)}"
    kernel(*(tensor.data_ptr() for tensor in tensors), batch, heads, k.shape[1], length, width, scale)


@torch.library.custom_op("midspec::packed_attention", mutates_args=())
def packed_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, starts: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of every query over the keys from `starts` up to itself.

    Shapes, contiguous bfloat16: q (batch, heads, length, width), k and v (batch, kv_heads, length, width); starts
    (batch, length) int32. Returns the output (batch, length, heads, width) and the logarithm of the
    sum of exponentials (batch, heads, length) float32.
    """
    batch, heads, length, width = q.shape
    out = torch.empty(batch, length, heads, width, dtype=q.dtype)
    lse = torch.empty(batch, heads, length, dtype=torch.float32)
    _call(_kernels()[0], (q, k, v, starts, out, lse), q, k, scale)
    return out, lse


@packed_attention.register_fake
def _(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, starts: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    batch, heads, length, width = q.shape
    return q.new_empty(batch, length, heads, width), q.new_empty(batch, heads, length, dtype=torch.float32)


@torch.library.custom_op("midspec::packed_attention_backward", mutates_args=())
def packed_attention_backward(
    upward: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v, shaped as they are; `upward` is that of the output."""
    batch, heads, length, width = q.shape
    to_q = torch.empty_like(q)
    to_k, to_v = (torch.empty(batch, heads, length, width, dtype=torch.float32) for _ in range(2))
    _call(_kernels()[1], (q, k, v, starts, out, lse, upward.contiguous(), to_q, to_k, to_v), q, k, scale)
    shared = (batch, k.shape[1], heads // k.shape[1], length, width)
    return to_q, to_k.view(shared).sum(2).to(k.dtype), to_v.view(shared).sum(2).to(v.dtype)


@packed_attention_backward.register_fake
def _(
    upward: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
    q, k, v, starts, scale = inputs
    ctx.save_for_backward(q, k, v, starts, *output)
    ctx.scale = scale


def _backward(ctx: Any, upward: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    return (*packed_attention_backward(upward, *ctx.saved_tensors, ctx.scale), None, None)


torch.library.register_autograd("midspec::packed_attention", _backward, setup_context=_keep)


def starts_of(mask: torch.Tensor) -> torch.Tensor:
    """First visible key of every query, (batch, length) int32, of a boolean mask (batch, 1, length, length).

    Raises StepError where the mask is not "from there up to itself", as in documents and in sliding windows.
    """
    allowed = mask[:, 0]
    starts = allowed.int().argmax(-1)
    places = torch.arange(allowed.shape[-1])
    if not torch.equal(allowed, (places >= starts[..., None]) & (places <= places[:, None])):
        raise StepError("this architecture's attention mask is not one of whole documents; set compute.kernels: plain")
    return starts.int()


def _mask(*arguments: Any, **options: Any) -> torch.Tensor | None:
    mask = sdpa_mask(*arguments, **{**options, "allow_is_causal_skip": False})
    assert mask is not None
    return starts_of(mask)


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    assert dropout == 0.0, "see kernels.choose"
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    q, k, v = (tensor.to(torch.bfloat16).contiguous() for tensor in (query, key, value))
    out, _ = packed_attention(q, k, v, attention_mask, scale)
    return out, None


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, _mask)
