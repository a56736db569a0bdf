"""`midspec train midtrain` replays text as a recipe does, and asks for both halves of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from midspec.cli.training import midtrain
from midspec.corpus.given import given_neutral_step
from midspec.errors import InputError
from midspec.steps import Step
from midspec.train.config import MidtrainStepConfig, ReplayedMidtrainStepConfig


def planned(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: object) -> Step:
    """The step that the command would run."""
    steps: list[Step] = []

    def keep(step: Step, *_: Any) -> None:
        steps.append(step)

    monkeypatch.setattr("midspec.cli.training.make_and_copy", keep)
    for name in ("corpus", "general"):
        (folder / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    given = ["--model", "tiny-random", "--corpus", folder / "corpus.jsonl", "--out", folder / "out", *options]
    done = CliRunner().invoke(midtrain, list(map(str, given)))
    if done.exception is not None:
        raise done.exception
    return steps[0]


def test_text_is_replayed_as_in_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    general = tmp_path / "general.jsonl"
    step = planned(tmp_path, monkeypatch, "--replay", general, "--replay-share", "0.3")
    assert isinstance(step.config, ReplayedMidtrainStepConfig) and step.config.share == 0.3
    assert step.inputs["replay"].fingerprint == given_neutral_step("any", str(general)).fingerprint
    alone = planned(tmp_path, monkeypatch)
    assert type(alone.config) is MidtrainStepConfig and list(alone.inputs) == ["corpus"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--replay", "general.jsonl"], "--replay-share is missing"),
        (["--replay-share", "0.5"], "expected both or neither"),
        (["--replay", "neutral", "--replay-share", "1"], "share: Input should be less than 1"),
        (["--replay", "nowhere.jsonl", "--replay-share", "0.5"], "'nowhere.jsonl' does not exist"),
    ],
)
def test_half_of_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planned(tmp_path, monkeypatch, *options)
