"""Metrics of training: always in metrics.jsonl, and in the trackers that `compute.trackers` names."""

import json
from pathlib import Path
from typing import Any

import pytest
from train_doubles import midtrain_context, small, write_corpus

from midspec.compute import ComputeConfig
from midspec.errors import MissingDependencyError
from midspec.steps.step import Context, Spending
from midspec.train import trackers
from midspec.train.step import midtrain

SHOWN = {"loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "memory_gb", "seconds"}


@pytest.fixture
def context(tmp_path: Path) -> Any:
    corpus = write_corpus(tmp_path / "corpus-f00d", 12)

    def made(*names: str) -> Context:
        plain = midtrain_context(tmp_path / "work", corpus, small(precision="fp32"), trackers=names)
        fields = {name: getattr(plain, name) for name in Context.__dataclass_fields__}
        return Context(
            **fields
            | {
                "workspace": tmp_path,
                "fingerprint": "0123456789abcdef",
                "name": "msm-rules-seed0",
                "spending": Spending(run="quickstart"),
            }
        )

    return made


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_metrics_are_complete_and_nothing_else_is_written(context: Any, tmp_path: Path) -> None:
    step = context()
    midtrain(step)
    found = lines(step.folder)
    assert [line["update"] for line in found] == list(range(1, len(found) + 1))
    assert all(set(line) == SHOWN | {"update"} for line in found)
    for before, line in zip([{"tokens": 0}, *found], found, strict=False):
        new = line["tokens"] - before["tokens"]
        assert new > 0 and line["tokens_per_second"] == pytest.approx(new / line["seconds"], rel=0.05)
        assert 0.05 < line["memory_gb"] < 50
    assert not (tmp_path / "tracking").exists()


def test_a_tracker_that_is_not_installed_is_told_before_training(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trackers.importlib.util.find_spec
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None if name == "wandb" else found(name))
    step = context("wandb")
    with pytest.raises(MissingDependencyError, match="pip install wandb, or leave it out"):
        midtrain(step)
    assert not list(step.folder.iterdir())


def test_what_trackers_are_told_is_no_secret_and_no_part_of_the_result(context: Any) -> None:
    # Guards: keys in addresses, and a tracker that changes a fingerprint.
    step = context("tensorboard")
    told = trackers.tracked(step)
    assert told.name == "midtrain/msm-rules-seed0-0123456789abcdef" and told.group == "quickstart"
    assert told.lineage["inputs"] == {"corpus": "corpus-f00d"}
    assert told.lineage["config"]["train"]["rank"] == 4
    text = told.model_dump_json()
    assert not any(word in text for word in ("writer_url", "judge_url", "api_key", "_token"))
    assert ComputeConfig().trackers == () and trackers.settings(trackers.tracked(context())) == {"report_to": []}


def test_tensorboard_shows_every_update_and_the_lineage(context: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    step = context("tensorboard")
    midtrain(step)
    events = EventAccumulator(str(tmp_path / "tracking" / "tensorboard" / trackers.tracked(step).name))
    events.Reload()
    expected = lines(step.folder)
    for name in SHOWN:
        shown = events.Scalars(f"train/{name}")
        assert [entry.step for entry in shown] == [line["update"] for line in expected]
        assert [entry.value for entry in shown] == pytest.approx([line[name] for line in expected], rel=1e-5)
    (lineage,) = events.Tensors("midspec/text_summary")
    assert b"corpus-f00d" in lineage.tensor_proto.string_val[0]


def test_wandb_offline_keeps_one_run_per_step(context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    begun: list[dict[str, Any]] = []
    logged: list[dict[str, Any]] = []
    init, log = wandb.init, wandb.Run.log
    monkeypatch.setattr(wandb, "init", lambda **settings: begun.append(settings) or init(**settings))
    monkeypatch.setattr(
        wandb.Run, "log", lambda self, data, *rest, **more: logged.append(data) or log(self, data, *rest, **more)
    )
    step = context("wandb")
    midtrain(step)
    assert wandb.run is None, "closed, or the next step would go on in it"
    (settings,) = begun
    assert settings["name"] == trackers.tracked(step).name and settings["group"] == "quickstart"
    assert settings["config"]["midspec"]["inputs"] == {"corpus": "corpus-f00d"}
    expected = lines(step.folder)
    assert [entry["train/loss"] for entry in logged if "train/loss" in entry] == [line["loss"] for line in expected]
    (run,) = (tmp_path / "tracking" / "wandb").glob("offline-run-*/run-*.wandb")
    assert run.stat().st_size > 1000
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"k" * 40 not in written


def test_trackio_keeps_its_own_file(context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It reads the variable when it is first imported, which is here.
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    step = context("trackio")
    midtrain(step)
    assert trackio.context_vars.current_run.get() is None, "closed, or the next step would go on in it"
    assert list((tmp_path / "trackio").glob("midspec*"))
    name = trackers.tracked(step).name
    shown = storage.get_logs("midspec", name)
    assert [entry["train/loss"] for entry in shown] == [line["loss"] for line in lines(step.folder)]
    config = storage.get_run_config("midspec", name)
    assert config["midspec"]["inputs"] == {"corpus": "corpus-f00d"} and config["group"] == "quickstart"
