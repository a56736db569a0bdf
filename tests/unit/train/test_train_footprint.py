"""Memory per process, by arithmetic."""

from typing import Any

import pytest
import torch
from train_doubles import small
from transformers import AutoModelForCausalLM, Qwen3Config

from midspec.experiment import TrainConfig
from midspec.train.footprint import adapter_weights, footprint
from midspec.train.weights import counts, trainable_model

H200 = 141e9
"""Bytes of the paper's GPUs."""


@pytest.fixture(scope="module")
def qwen3_32b() -> Any:
    # The published shape of Qwen/Qwen3-32B, the paper's largest model.
    config = Qwen3Config(
        vocab_size=151_936,
        hidden_size=5120,
        intermediate_size=25_600,
        num_hidden_layers=64,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def test_adapter_weights_are_those_that_peft_makes(model: Any, tiny_folder: Any) -> None:
    trained = trainable_model(tiny_folder, None, small(), 0, torch.device("cpu"))
    assert adapter_weights(model, 4) == counts(trained).trainable


@pytest.mark.parametrize("length", [2048, 8192, 32_768])
def test_the_papers_32b_lora_fits_four_of_its_gpus(length: int, qwen3_32b: Any) -> None:
    train = TrainConfig(method="lora", rank=64, sequence_length=length)
    assert sum(p.numel() for p in qwen3_32b.parameters()) == pytest.approx(32.76e9, rel=1e-3)
    shared = footprint(qwen3_32b, train, processes=4, strategy="fsdp")
    assert shared.weights == pytest.approx((32.76e9 * 2 + 537e6 * 4) / 4, rel=0.01)
    assert shared.total < 0.8 * H200
    copies = footprint(qwen3_32b, train, processes=4, strategy="ddp")
    assert copies.activations == shared.activations and copies.gathered == 0
    assert copies.weights == pytest.approx(4 * shared.weights)


def test_what_does_not_fit_is_said(qwen3_32b: Any) -> None:
    full = TrainConfig(method="full", sequence_length=8192)
    assert footprint(qwen3_32b, full, processes=4, strategy="fsdp").total > H200
    assert footprint(qwen3_32b, full, processes=8, strategy="fsdp").total < 0.8 * H200
    lora = TrainConfig(method="lora", rank=64, sequence_length=8192)
    plain = footprint(qwen3_32b, lora, processes=4, strategy="fsdp", checkpointing=False)
    assert plain.total > H200, "without recomputing, 8,192 tokens alone are too many"
