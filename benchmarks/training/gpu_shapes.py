"""Models of random weights, and rows for them, made where they are needed."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, LlamaConfig


class Shape(NamedTuple):
    config: dict[str, Any]
    """Of a Llama."""
    rank: int
    length: int
    """Tokens of a sequence."""


SHAPES = {
    "8b": Shape(
        # Of meta-llama/Llama-3.1-8B.
        config={
            "vocab_size": 128_256,
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "bos_token_id": 128_000,
            "eos_token_id": 128_001,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500_000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        },
        rank=64,
        length=4096,
    ),
    "tiny": Shape(
        config={
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "tie_word_embeddings": False,
        },
        rank=8,
        length=128,
    ),
}


def made(shape: Shape, device: str) -> Any:
    """The model in bfloat16, its weights drawn on the device."""
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(
            LlamaConfig(**shape.config), dtype=torch.bfloat16, attn_implementation="sdpa"
        )


def random_rows(shape: Shape, count: int) -> NDArray[np.int32]:
    """Tokens, (count, length): documents as long as a sequence, so that nobody pads or packs."""
    stream = np.random.default_rng(0)
    return stream.integers(shape.config["vocab_size"], size=(count, shape.length), dtype=np.int32)
