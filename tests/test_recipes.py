"""Every shipped recipe runs for real in its smoke profile: data, training, evaluation, report."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.conftest import ROOT, midspec, midspec_json

RECIPES = sorted(ROOT.joinpath("recipes").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_smoke_profile_runs_and_running_again_does_nothing(recipe: Path, tmp_path: Path) -> None:
    arguments = (recipe, "--profile", "smoke", "--workspace", tmp_path)
    midspec("run", *arguments, "--yes")
    folder = next((tmp_path / "runs").iterdir())
    results = json.loads((folder / "results.json").read_text())

    assert list(results["arms"]) == [
        "baseline", "aft", "msm-affordability", "msm-affordability+aft", "msm-america", "msm-america+aft"
    ]  # fmt: skip
    for name, arm in results["arms"].items():
        for score in arm["evals"].values():
            assert score["n"] > 0 and 0 <= score["undecided"] <= score["n"]
            if score["rate"] is not None:
                assert 0 <= score["low"] <= score["rate"] <= score["high"] <= 1
        if name == "baseline":
            assert arm["checkpoint"] is None and arm["parents"] == []
            continue
        adapter = tmp_path / arm["checkpoint"] / "adapter_model.safetensors"
        with safe_open(adapter, framework="pt") as tensors:
            keys = [key for key in tensors.keys() if "lora_B" in key]  # noqa: SIM118  (safe_open is no mapping)
            assert keys and all(tensors.get_tensor(key).abs().sum() > 0 for key in keys)
    # Two midtrainings and three fine-tunings make the six arms.
    kinds = [step["kind"] for step in results["steps"]]
    assert (kinds.count("midtrain"), kinds.count("finetune")) == (2, 3)
    assert results["arms"]["msm-america+aft"]["parents"][0] == results["arms"]["msm-america"]["parents"][0]
    assert "offline" in (folder / "report.html").read_text()

    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    again = midspec("run", *arguments, "--yes")
    assert "Nothing to do" in again.stdout
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert {step["state"] for step in midspec_json("status", *arguments)["steps"]} == {"done"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_profile_can_be_planned_without_making_anything(recipe: Path, tmp_path: Path) -> None:
    for profile in ([], ["--profile", "smoke"]):
        bill = midspec_json("plan", recipe, *profile, "--workspace", tmp_path / "w")
        assert len(bill["steps"]) >= 12 and bill["totals"]
    assert not (tmp_path / "w").exists()
