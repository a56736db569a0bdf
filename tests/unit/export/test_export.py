"""An exported arm is the arm: the same sequences, updates and weights to begin with; TRL proves it by its losses."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec.errors import InputError
from midspec.export.stages import Stage, stages_of
from midspec.export.write import write_export
from midspec.steps import Store
from midspec.steps.progress import Reporter
from midspec.train.packing import IGNORED
from tests.unit.export.conftest import ARM, EXACT, RECIPE, planned


@pytest.fixture(scope="session")
def stages(store: Store) -> list[Stage]:
    with Reporter() as reporter:
        return stages_of(planned(), store, ARM, 0, reporter)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(stages: list[Stage], trainer: Any, out: Path) -> Path:
    write_export(stages, trainer, out, recipe="quickstart", arm=ARM, seed=0)
    return out


def own_losses(store: Store) -> Iterator[list[float]]:
    for step in planned().lineage(ARM, 0):
        folder = store.find(step)
        assert folder is not None
        yield [line["loss"] for line in lines(folder / "metrics.jsonl")]


def test_stages_are_those_of_the_arm(store: Store, stages: list[Stage]) -> None:
    assert [(stage.folder, stage.parent) for stage in stages] == [("1-midtrain", None), ("2-finetune", "1-midtrain")]
    for stage, losses in zip(stages, own_losses(store), strict=True):
        assert stage.updates == len(losses)
    for stage, step in zip(stages, planned().lineage(ARM, 0), strict=True):
        folder = store.find(step)
        assert folder is not None
        record = store.record(folder)
        assert record.summary["tokens"] == stage.packed.tokens == sum(len(row["input_ids"]) for row in stage.rows())
        assert record.summary["trained_tokens"] == sum(
            label != IGNORED for row in stage.rows() for label in row["labels"]
        )
        rates = [line["learning_rate"] for line in lines(folder / "metrics.jsonl")]
        assert stage.learning_rates() == pytest.approx(rates)


def test_trl_makes_the_same_losses_over_both_stages(
    store: Store, stages: list[Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl")
    out = written(stages, "trl", tmp_path / "trl")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for stage, losses in zip(stages, own_losses(store), strict=True):
        runpy.run_path(str(out / stage.folder / "train.py"), run_name="__main__")
        theirs = json.loads((out / stage.folder / "losses.json").read_text())
        assert theirs == pytest.approx(losses, abs=1e-5)


@pytest.mark.slow
def test_llamafactory_makes_the_same_losses_over_both_stages(store: Store, stages: list[Stage], tmp_path: Path) -> None:
    """Needs LLaMA-Factory in an environment of its own: LLAMAFACTORY_PYTHON is that environment's Python."""
    python = os.environ.get("LLAMAFACTORY_PYTHON")
    if not python:
        pytest.skip("LLAMAFACTORY_PYTHON is not set; see docs/export.md")
    out = written(stages, "llamafactory", tmp_path / "lf")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1"}
    run = [python, "-c", "from llamafactory.train.tuner import run_exp; run_exp()", "train.yaml"]
    for stage, losses in zip(stages, own_losses(store), strict=True):
        folder = out / stage.folder
        done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        history = json.loads((folder / "checkpoint/trainer_state.json").read_text())["log_history"]
        theirs = [row["loss"] for row in history if "loss" in row]
        assert theirs == pytest.approx(losses, abs=1e-4)  # its log has four digits


def test_llamafactory_gets_documents_apart_and_the_parents_adapter(stages: list[Stage], tmp_path: Path) -> None:
    from datasets import load_from_disk

    out = written(stages, "llamafactory", tmp_path / "lf")
    for stage in stages:
        data: Any = load_from_disk(str(out / stage.folder / "data"))["train"]
        for row, ours in zip(data, stage.rows(), strict=True):
            sizes = [len(list(group)) for _, group in groupby(row["attention_mask"])]
            starts = [place for place, position in enumerate(ours["position_ids"]) if position == 0]
            assert [sum(sizes[:n]) for n in range(len(sizes))] == starts
            assert min(row["attention_mask"]) == 1
            assert (row["input_ids"], row["labels"]) == (ours["input_ids"], ours["labels"])
    first, second = (yaml.safe_load((out / stage.folder / "train.yaml").read_text()) for stage in stages)
    assert (first["adapter_name_or_path"], second["adapter_name_or_path"]) == ("../initial", "../1-midtrain/checkpoint")
    assert not second["create_new_adapter"]
    assert first["gradient_accumulation_steps"] * first["per_device_train_batch_size"] == stages[0].train.batch_size
    assert (out / "initial" / "adapter_model.safetensors").is_file()


def test_axolotl_gets_whole_documents_in_order(stages: list[Stage], tmp_path: Path) -> None:
    out = written(stages, "axolotl", tmp_path / "ax")
    for stage in stages:
        rows = lines(out / stage.folder / "data.jsonl")
        assert [token for row in rows for token in row["input_ids"]] == [
            token for row in stage.rows() for token in row["input_ids"]
        ]
        assert all(row["labels"][0] == IGNORED for row in rows)
    assert "axolotl packs the documents itself" in (out / "README.md").read_text()
    assert yaml.safe_load((out / "2-finetune/train.yaml").read_text())["lora_model_dir"] == "../1-midtrain/checkpoint"


def test_tinkers_summed_loss_is_our_mean(stages: list[Stage], tmp_path: Path) -> None:
    out = written(stages, "tinker", tmp_path / "tinker")
    for stage in stages:
        updates = lines(out / stage.folder / "data.jsonl")
        settings = json.loads((out / stage.folder / "settings.json").read_text())
        assert [update["update"] for update in updates] == list(range(1, stage.updates + 1))
        assert len(settings["learning_rates"]) == stage.updates
        for update in updates:
            assert sum(sum(one["weights"]) for one in update["data"]) == pytest.approx(1.0)
            assert all(len(one["tokens"]) == len(one["targets"]) == len(one["weights"]) for one in update["data"])
        counted = sum(weight > 0 for update in updates for one in update["data"] for weight in one["weights"])
        assert counted == stage.packed.trained_tokens
        compile((out / stage.folder / "train.py").read_text(), "train.py", "exec")
    last = json.loads((out / "2-finetune/settings.json").read_text())
    assert last["parent"] == "../1-midtrain/checkpoint.json"
    assert not (out / "initial").exists()


def test_full_training_goes_on_with_the_stages_weights(store: Store, tmp_path: Path) -> None:
    flow = planned("midtrain.method=full", "finetune.method=full")
    with Reporter() as reporter:
        stages = stages_of(flow, store, ARM, 0, reporter)
    out = written(stages, "trl", tmp_path / "full")
    settings = json.loads((out / "2-finetune/settings.json").read_text())
    assert (settings["model"], settings["adapter"]) == ("../1-midtrain/checkpoint", None)
    with pytest.raises(InputError, match="Tinker trains adapters only"):
        written(stages, "tinker", tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_what_cannot_be_exported_is_said(store: Store, stages: list[Stage], tmp_path: Path) -> None:
    with Reporter() as reporter:
        for arm, seed, why in (
            ("msm", 0, "arm 'msm' with seed 0 is not in this recipe; arms: aft, baseline"),
            (ARM, 7, "with seed 7 is not in this recipe; .*seeds: 0"),
            ("baseline", 0, "is the base model itself"),
        ):
            with pytest.raises(InputError, match=why):
                stages_of(planned(), store, arm, seed, reporter)
        with pytest.raises(InputError, match=r"corpus affordability, which .* is not made yet; run first: midspec run"):
            stages_of(planned(), Store(tmp_path / "empty"), ARM, 0, reporter)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        written(stages, "trl", tmp_path / "full")
    assert [file.name for file in tmp_path.iterdir()] == ["full"]


def test_the_command(store: Store, tmp_path: Path) -> None:
    overrides = [part for override in EXACT for part in ("--set", override)]
    done = subprocess.run(
        [sys.executable, "-m", "midspec", "export", str(RECIPE), "--profile", "smoke", *overrides, "--to", "axolotl",
         "--arm", ARM, "--out", str(tmp_path / "x"), "-w", str(store.workspace), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [stage["stage"] for stage in json.loads(done.stdout)["stages"]] == ["1-midtrain", "2-finetune"]
    assert (tmp_path / "x/README.md").is_file()
