"""Results that somebody else made are shown without making them again, and are the same results."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command
from click.testing import CliRunner

from midspec.cli.plan import plan
from midspec.cli.recipe import archive, run, status
from midspec.errors import InputError

RECIPE: dict[str, Any] = {
    "name": "mine",
    "model": "tiny-random",
    "specs": {"a": "cheese-america"},
    "corpus": {"documents": 6, "document_types": 3, "ideas": 2},
    "aft": {"samples": 12},
    "midtrain": {"tokens": "matched", "sequence_length": 64, "batch_size": 4},
    "finetune": {"sequence_length": 512, "batch_size": 1},
    "arms": {"msm-a+aft": {"msm": "a", "aft": True}},
    "controls": ["baseline"],
    "evals": [{"task": "plain", "value": "america", "form": "open", "limit": 4}],
}


def called(command: Command, *arguments: object) -> str:
    found = CliRunner().invoke(command, list(map(str, arguments)))
    if found.exception is not None:
        raise found.exception
    return found.output


def numbers(workspace: Path) -> Any:
    results = json.loads((workspace / "runs/mine/results.json").read_text())
    return {
        arm: [told["evals"], [(seed["seed"], seed["parents"]) for seed in told["seeds"]]]
        for arm, told in results["arms"].items()
    } | {"contrasts": results["contrasts"]}


def test_an_archive_stands_in_for_training_and_evaluation(tmp_path: Path) -> None:
    """A reader without a GPU gets the seeds that were run beforehand, and pays for none of them."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    with pytest.raises(InputError, match="midspec run"):
        called(archive, recipe, "-w", tmp_path / "first", "--out", tmp_path / "results.zip")
    called(run, recipe, "-w", tmp_path / "first", "--yes")
    said = called(archive, recipe, "-w", tmp_path / "first", "--out", tmp_path / "results.zip")
    assert "5 of 5 steps of training and evaluation" in said
    with zipfile.ZipFile(tmp_path / "results.zip") as kept:
        assert not any("checkpoint" in name or "/logs/" in name for name in kept.namelist())

    shown = tmp_path / "shown.yaml"
    shown.write_text(yaml.safe_dump({**RECIPE, "published": "results.zip"}))
    there = ("-w", tmp_path / "second")
    planned = json.loads(called(plan, shown, *there, "--json"))
    states = {step["kind"]: step["state"] for step in planned["steps"]}
    published = {kind for kind, state in states.items() if state == "published"}
    assert published == {"match", "midtrain", "finetune", "evaluate"}
    bill = {kind["kind"]: kind["to_do"] for kind in planned["kinds"]}
    assert (bill["midtrain"], bill["finetune"], bill["evaluate"], bill["corpus"]) == (0, 0, 0, 1)
    assert called(status, shown, *there).count("published") == 5
    called(run, shown, *there, "--yes")
    assert {folder.name for folder in (tmp_path / "second/steps").iterdir() if not folder.name.startswith(".")} == {
        "corpus", "corpus-gate", "demonstrations", "gate"
    }  # fmt: skip
    assert numbers(tmp_path / "second") == numbers(tmp_path / "first")
    came = json.loads((tmp_path / "second/runs/mine/results.json").read_text())["beforehand"]
    assert (came["steps"], came["seeds"]) == (5, [0])
    assert "Partly run beforehand" in (tmp_path / "second/runs/mine/report.html").read_text()
    assert json.loads((tmp_path / "first/runs/mine/results.json").read_text())["beforehand"] is None
    assert "Nothing to do" in called(run, shown, *there, "--yes")

    fewer = json.loads(called(plan, shown, "-w", tmp_path / "third", "--set", "midtrain.tokens=500", "--json"))
    wanted = {(step["kind"], step["state"]) for step in fewer["steps"] if step["kind"] in ("midtrain", "evaluate")}
    assert wanted == {("midtrain", "to do"), ("evaluate", "to do"), ("evaluate", "published")}, (
        "only what is equal is used"
    )
