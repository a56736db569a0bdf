"""What several processes are told: their shares, their strategy, their orders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_doubles import midtrain_context, small, write_corpus

from midspec.compute import ComputeConfig
from midspec.errors import InputError, MissingDependencyError
from midspec.steps.progress import Silent
from midspec.train import checkpoints, distributed, join, launch
from midspec.train.packing import IGNORED, Piece, pack
from midspec.train.step import midtrain

PACKED = pack([[Piece(f"d{n}", [n + 1] * 4, [True] * 4)] for n in range(5)], 4, 0)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the second of two processes."""
    for name, value in {distributed.LAUNCHED: "x", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


def test_an_update_keeps_its_size_or_is_refused() -> None:
    # Guards: a batch that silently shrinks or grows with the number of GPUs, so that the same recipe is another one.
    assert distributed.share(32, 4) == 8
    with pytest.raises(InputError, match="8 processes cannot share them evenly; expected gpus x nodes"):
        distributed.share(12, 8)


@pytest.mark.usefixtures("two")
def test_what_fills_up_is_not_trained_on() -> None:
    shared = distributed.EvenlyShared(PACKED, 4)
    assert len(shared) == 8
    seen = [shared.collate([shared[i], shared[i + 1]]) for i in range(0, 8, 2)]
    trained = torch.cat([(batch["labels"] != IGNORED).sum(1) for batch in seen])
    assert trained.tolist() == [3, 3, 3, 3, 3, 0, 0, 0]
    assert sum(int((batch["labels"] != IGNORED).sum()) for batch in seen) == PACKED.trained_tokens
    assert all(batch["input_ids"].shape == (2, 4) for batch in seen)
    assert not np.any(PACKED.rows[0].trained[0])


def test_one_process_fills_nothing_up() -> None:
    assert len(distributed.EvenlyShared(PACKED, 4)) == 5
    assert distributed.settings(ComputeConfig(strategy="fsdp"), "bf16") == {}


@pytest.mark.usefixtures("two")
def test_strategies_are_made_from_the_recipe() -> None:
    assert distributed.here() == distributed.Processes(1, 1, 2)
    assert not distributed.here().first
    fsdp = distributed.settings(ComputeConfig(gpus=2, strategy="fsdp"), "bf16")
    assert fsdp["fsdp"] is True and fsdp["fsdp_config"]["version"] == 2
    zero = distributed.settings(ComputeConfig(gpus=2, strategy="deepspeed"), "bf16")["deepspeed"]
    assert zero["zero_optimization"]["stage"] == 3 and zero["bf16"]["enabled"]
    assert not distributed.deepspeed_config("fp32")["bf16"]["enabled"]
    assert "fsdp" not in distributed.settings(ComputeConfig(gpus=2), "bf16")


def test_deepspeed_takes_its_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    config = pytest.importorskip("deepspeed.runtime.config")
    asked = distributed.deepspeed_config("bf16")
    # What Transformers fills in from the Trainer's settings.
    filled = {"train_batch_size": 8, "train_micro_batch_size_per_gpu": 2, "gradient_accumulation_steps": 4}
    assert {key for key, value in asked.items() if value == "auto"} == {*filled, "gradient_clipping"}
    read = config.DeepSpeedConfig({**asked, **filled, "gradient_clipping": 1.0})
    assert read.zero_config.stage == 3 and read.zero_config.gather_16bit_weights_on_model_save
    assert read.zero_allow_untested_optimizer and read.gradient_clipping == 1.0


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        ({"device": "cuda", "gpus": 99}, "compute.gpus is 99, and PyTorch sees"),
        ({"device": "cpu", "gpus": 3}, "batch_size is 4 sequences, and 3 processes"),
        ({"device": "cpu", "gpus": 2, "strategy": "deepspeed"}, "deepspeed needs GPUs"),
    ],
)
def test_what_cannot_be_launched_is_refused_at_once(compute: dict[str, Any], message: str, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 4)
    with pytest.raises(InputError, match=message):
        midtrain(midtrain_context(tmp_path / "work", corpus, small(), **compute))
    assert not (tmp_path / "work" / launch.FOLDER).exists()


def test_deepspeed_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    corpus = write_corpus(tmp_path / "corpus", 4)
    context = midtrain_context(tmp_path / "work", corpus, small(), device="cuda", gpus=2, strategy="deepspeed")
    with pytest.raises(MissingDependencyError, match="pip install deepspeed"):
        midtrain(context)


def test_an_interrupted_run_goes_on_only_where_it_can_read_its_checkpoints(tmp_path: Path) -> None:
    one, ddp = ComputeConfig(), ComputeConfig(gpus=2)
    fsdp, wider = ComputeConfig(gpus=2, strategy="fsdp"), ComputeConfig(gpus=4, strategy="fsdp")
    distributed.require_same_layout(tmp_path, fsdp)
    distributed.require_same_layout(tmp_path, one)  # nothing was written yet
    (tmp_path / "checkpoint-5").mkdir()
    distributed.require_same_layout(tmp_path, ddp)
    with pytest.raises(InputError, match="under one process or strategy ddp, and cannot go on under strategy fsdp"):
        distributed.require_same_layout(tmp_path, fsdp)
    (tmp_path / "checkpoint-5").rmdir()
    distributed.require_same_layout(tmp_path, fsdp)
    (tmp_path / "checkpoint-5").mkdir()
    distributed.require_same_layout(tmp_path, wider)
    with pytest.raises(InputError, match="under strategy fsdp, and cannot go on under one process"):
        distributed.require_same_layout(tmp_path, one)


def test_a_checkpoint_in_parts_is_whole_only_with_all_of_them(tmp_path: Path) -> None:
    parts = tmp_path / "checkpoint-3" / "pytorch_model_fsdp_0"
    parts.mkdir(parents=True)
    for rank in range(2):
        (parts / f"__{rank}_0.distcp").write_bytes(b"0123")
    checkpoints.mark_complete(tmp_path / "checkpoint-3")
    assert checkpoints.latest(tmp_path) == (3, tmp_path / "checkpoint-3")
    (parts / "__1_0.distcp").write_bytes(b"01")
    assert checkpoints.latest(tmp_path) is None


def test_progress_of_the_first_process_is_shown_once_and_in_order(tmp_path: Path) -> None:
    class Seen(Silent):
        def __init__(self) -> None:
            self.calls: list[Any] = []

        def advance(self, count: int = 1) -> None:
            self.calls.append(count)

        def line(self, text: str) -> None:
            self.calls.append(text)

    seen = Seen()
    relay, shown = launch.Relay(tmp_path / "p"), launch.Relayed(tmp_path / "p", seen)
    shown.show()
    relay.start(10, "tokens")
    relay.line("warning: é\nsecond")
    relay.advance(3)
    shown.show()
    with (tmp_path / "p").open("a") as file:
        file.write('["advance", ')  # a line that is being written
    shown.show()
    with (tmp_path / "p").open("a") as file:
        file.write("4]\n")
    shown.show()
    assert seen.calls == ["warning: é\nsecond", 3, 4]


def test_machines_that_join_take_new_orders_only(tmp_path: Path) -> None:
    def give(step: str, nodes: int) -> launch.Orders:
        context = midtrain_context(tmp_path / "steps" / ".work" / step, tmp_path, small(), nodes=nodes)
        orders = launch.orders_for("midspec.train.step:midtrain", context)
        folder = context.folder / launch.FOLDER
        folder.mkdir()
        (folder / launch.ORDERS).write_text(orders.model_dump_json())
        return orders

    alone, pair = give("a", 1), give("b", 2)
    assert [orders.id for orders in join.new_orders(tmp_path, 1, set())] == [pair.id]
    assert join.new_orders(tmp_path, 2, set()) == [] and join.new_orders(tmp_path, 1, {pair.id}) == []
    assert launch.given(pair) and launch.given(alone)
    read = json.loads(pair.model_dump_json())
    assert read["config"] == "midspec.train.config:MidtrainStepConfig" and read["values"]["train"]["rank"] == 4
    (Path(pair.folder) / launch.FOLDER / launch.ORDERS).unlink()
    assert not launch.given(pair)
