"""GPU hours against sums done by hand."""

from pathlib import Path

import pytest

from midspec.bill.card import PEAKS, Card, load_card
from midspec.bill.estimate import estimate
from midspec.bill.training import adapter_bytes, answering_hours, parameters, training_hours, training_operations
from midspec.errors import InputError
from midspec.evaluation import Answers
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.stages import TrainConfig
from midspec.steps import Store
from tests.conftest import ROOT

LORA, FULL = TrainConfig(), TrainConfig(method="full")


@pytest.mark.parametrize(
    ("model", "size"),
    [("meta-llama/Llama-3.1-8B", 8e9), ("Qwen/Qwen3-32B", 32e9), ("smollm2-135m-instruct", 135e6), ("mine", None)],
)
def test_a_models_size_is_read_from_its_name(model, size):
    assert parameters(model) == size


def test_operations_per_token_are_those_of_the_textbook():
    # Full and small: 6N. Full and recomputed: one forward pass, 2N, more.
    assert training_operations(135e6, FULL) == 6 * 135e6
    assert training_operations(8e9, FULL) == 8 * 8e9
    # LoRA at rank 64: 0.02 N beside it. Forward, gradient of inputs and recomputation go through 1.02 N, weight
    # gradients through 0.02 N: 2 x 3 x 1.02 + 2 x 0.02 = 6.16.
    assert training_operations(8e9, LORA) == pytest.approx(6.16 * 8e9)
    # Without recomputation 2 x 2 x 1.02 + 0.04 = 4.12.
    assert training_operations(135e6, LORA) == pytest.approx(4.12 * 135e6)
    assert training_operations(8e9, TrainConfig(rank=128)) == pytest.approx((6 * 1.04 + 2 * 0.04) * 8e9)


def test_hours_by_hand():
    # 32B, LoRA, 10M tokens: 6.16 x 32e9 x 1e7 = 1.9712e18; an H100 at 40%: 3.956e14/s; 4,983 s = 1.384 h.
    assert training_hours("Qwen3-32B", 10_000_000, LORA, Card()) == pytest.approx(1.384, abs=0.001)
    # An A100 at 50% has 1.56e14/s: 12,636 s = 3.510 h.
    other = Card(name="A100", training=0.5)  # pyright: ignore[reportCallIssue]
    assert training_hours("Qwen3-32B", 10_000_000, LORA, other) == pytest.approx(3.510, abs=0.001)
    assert training_hours("nobody-knows", 10_000_000, LORA, Card()) is None


def test_what_is_written_takes_longer_than_what_is_read():
    # 8,100 answers, 3,000 read, 900 written, 8B. Read: 8100 x 3000 x 16e9 / 3.956e14 = 983 s. Written: 8100 x 900 x
    # 16e9 / 4.945e13 = 2,359 s. Together 0.928 h.
    hours = answering_hours("Llama-3.1-8B", Answers(8100, 3000, 900), Card())
    assert hours == pytest.approx(0.928, abs=0.001)
    assert answering_hours("nobody-knows", Answers(1, 1, 1), Card()) is None


def test_checkpoints_are_adapters_or_all_weights():
    assert adapter_bytes("Llama-3.1-8B", LORA) == pytest.approx(4 * 0.02 * 8e9)
    assert adapter_bytes("Llama-3.1-8B", FULL) == 4 * 8e9


def test_the_workspace_names_another_card(tmp_path: Path):
    assert load_card(tmp_path) == Card() and "H100" in Card().told
    (tmp_path / "gpu.yaml").write_text("{name: A100, training: 0.35}\n")
    assert load_card(tmp_path) == Card(name="A100", peak=PEAKS["A100"], training=0.35)
    (tmp_path / "gpu.yaml").write_text("{name: own, peak: 1.0e+14}\n")
    assert load_card(tmp_path).peak == 1e14
    for text, said in {
        "name: Nimbus": "Nimbus",
        "training: 2": "training",
        "a: [": "YAML",
        "speed: 1": "speed",
    }.items():
        (tmp_path / "gpu.yaml").write_text(text + "\n")
        with pytest.raises(InputError, match=said):
            load_card(tmp_path)


def test_the_bill_says_its_assumptions_and_follows_the_card(tmp_path: Path):
    flow = build(load_recipe(ROOT / "recipes" / "cheese.yaml", overrides=["seeds=[0]"]).with_controls())
    bill = estimate(flow, Store(tmp_path))
    by_kind: dict[str, float] = {}
    for line in bill.lines:
        by_kind[line.kind] = by_kind.get(line.kind, 0.0) + (line.gpu_hours or 0.0)
    assert by_kind["midtrain"] > 0.3 and by_kind["finetune"] > 0.3 and by_kind["evaluate"] > 0
    [said] = [text for text in bill.totals if text.startswith("GPU:")]
    assert "989 TFLOP/s" in said and "40%" in said and "5% in writing" in said and "recomputed" in said
    midtrain = next(line for line in bill.lines if line.kind == "midtrain")
    assert midtrain.gpu_hours == pytest.approx(6.16 * 8e9 * midtrain.tokens / (989e12 * 0.4) / 3600)
    (tmp_path / "gpu.yaml").write_text("name: B200\n")
    faster = estimate(flow, Store(tmp_path))
    [again] = [line.gpu_hours for line in faster.lines if line.fingerprint == midtrain.fingerprint]
    assert again is not None and again == pytest.approx(midtrain.gpu_hours * 989 / 2250)
