"""A saved arm answers like the trained one, and its card says nothing but what the records say."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from midspec.cli import cli
from midspec.errors import InputError
from midspec.export import model as saving
from midspec.export.model import write_model
from midspec.steps import Store
from midspec.train.load import load_for_inference
from midspec.train.models import resolve
from tests.unit.export.conftest import ARM, EXACT, RECIPE, planned


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(1, 20)[None], use_cache=False).logits.float()


def trained(store: Store) -> Path:
    step = planned().checkpoints[ARM, 0]
    assert step is not None
    folder = store.find(step)
    assert folder is not None
    return folder


def test_a_merged_arm_answers_like_its_adapter_without_peft(store: Store, tmp_path: Path) -> None:
    made = write_model(planned(), store, ARM, 0, tmp_path / "m", merge=True)
    assert made.merged
    assert not (tmp_path / "m/adapter_config.json").exists()
    from midspec.compute import ComputeConfig

    ours, _ = load_for_inference(resolve("tiny-random"), trained(store) / "checkpoint", ComputeConfig(device="cpu"))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32)
    bare, _ = load_for_inference(resolve("tiny-random"), None, ComputeConfig(device="cpu"))
    assert torch.allclose(logits(ours), logits(theirs), atol=0.05)
    assert not torch.allclose(logits(bare), logits(theirs), atol=0.05)
    assert AutoTokenizer.from_pretrained(tmp_path / "m").chat_template


def test_an_adapter_is_saved_as_it_is(store: Store, tmp_path: Path) -> None:
    write_model(planned(), store, ARM, 0, tmp_path / "a")
    name = "adapter_model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (trained(store) / "checkpoint" / name).read_bytes()


def test_the_card_is_made_of_the_records(store: Store, tmp_path: Path) -> None:
    write_model(planned(), store, ARM, 0, tmp_path / "a", title="My | model", licence="mit")
    card = (tmp_path / "a/README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "mit"
    assert head["base_model"] == "tiny-random"
    assert head["library_name"] == "peft"
    lineage = json.loads((tmp_path / "a/midspec.json").read_text())
    assert [step["kind"] for step in lineage["steps"]] == ["midtrain", "finetune"]
    for step in lineage["steps"]:
        assert step["fingerprint"] in card
        assert f"{step['summary']['tokens']:,}" in card
        assert step["summary"]["sha256"] in card or step["kind"] == "midtrain"
    assert "Not evaluated." in card
    assert str(store.workspace) not in card + json.dumps(lineage)


def test_what_cannot_be_saved_is_said(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arm, why in (
        ("none", "is not in this recipe"),
        ("baseline", "is the base model"),
        ("aft", "is not trained here"),
    ):
        with pytest.raises(InputError, match=why):
            write_model(planned(), store, arm, 0, tmp_path / "x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("")
    with pytest.raises(InputError, match="not an empty folder"):
        write_model(planned(), store, ARM, 0, tmp_path / "full")
    monkeypatch.setattr(saving, "secrets_here", lambda: ["smollm2-secret-value"])
    flow = planned("description=smollm2-secret-value")
    with pytest.raises(InputError, match="the card would hold the value of one of your environment variables"):
        write_model(flow, store, ARM, 0, tmp_path / "x")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["full"]


def test_a_dry_push_uploads_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    monkeypatch.setattr("midspec.upload.library", lambda: pytest.fail("a dry run asked the Hub"))
    overrides = [part for override in EXACT for part in ("--set", override)]
    words = ["models", "push", str(RECIPE), "--profile", "smoke", *overrides, "--arm", ARM, "-w", str(store.workspace)]
    done = CliRunner().invoke(cli, [*words, "--repo", "me/my-model", "--dry-run", "--merge", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["uploaded"] is None
    assert {"README.md", "midspec.json", "model.safetensors", "config.json"} <= set(said["files"])
    refused = CliRunner().invoke(cli, [*words, "--repo", "nowhere", "--dry-run"])
    assert isinstance(refused.exception, InputError)
