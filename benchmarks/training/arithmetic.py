"""Floating-point operations of training on a token, and what processors can do of them.

A product with a matrix takes 2 for each of its weights forward, 2 backward for the gradient of what goes in, and 2 for
that of the weight, which frozen ones do without. Norms, activations and the optimizer are not counted, nor is what is
computed again to save memory.
"""

from typing import Any, Literal, NamedTuple

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from midspec.train.weights import projections

PEAKS = {
    "NVIDIA H100 80GB HBM3": 989.4,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H200": 989.4,
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100 80GB PCIe": 312.0,
    "NVIDIA GeForce RTX 4090": 165.2,
}
"""Device as CUDA names it -> TFLOP a second in bfloat16, dense, sums in float32, by NVIDIA's data sheets. Other names
that begin like one of these are other devices: slices of one, laptops' ones."""


Method = Literal["lora", "full"]


class Matrices(NamedTuple):
    """Numbers of weights that multiply a token."""

    inside: int
    """Linear layers inside decoder layers."""
    head: int
    adapters: int = 0
    """Of rank-`rank` adapters on all of `inside`."""


def unmade(config: PretrainedConfig) -> Any:
    """A model of this shape without numbers."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def matrices(model: Any, rank: int) -> Matrices:
    """Of a model without adapters, and of the adapters that it would get."""
    named = projections(model)
    inside = [module for name, module in model.named_modules() if name.rpartition(".")[2] in named]
    return Matrices(
        inside=sum(module.weight.numel() for module in inside),
        head=model.get_output_embeddings().weight.numel(),
        adapters=sum(rank * (module.in_features + module.out_features) for module in inside),
    )


def flops(found: Matrices, method: Method, trained: float = 1.0) -> float:
    """Per token, attention left out. `trained`: share of the tokens whose prediction counts, which the head is for."""
    weights = found.inside + trained * found.head
    return 6.0 * weights if method == "full" else 4.0 * weights + 6.0 * found.adapters


def attention_flops(config: PretrainedConfig, length: int) -> float:
    """Per token of a sequence of `length` that sees only what came before it: half of all pairs.

    Two products forward, of queries with keys and of shares with values, and twice as many backward.
    """
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 3 * 2 * 2.0 * (length / 2) * config.num_attention_heads * width * config.num_hidden_layers
