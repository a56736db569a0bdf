"""`kill -9` at random moments changes nothing: the same fingerprints, the same numbers, no half-written step."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, command, midspec, midspec_json

RECIPE = ROOT / "recipes" / "quickstart.yaml"
LOADING = 6.0
"""Seconds that importing torch and inspect takes at the first step that needs them, roughly."""


def outcome(workspace: Path) -> dict[str, Any]:
    """What must not depend on interruptions: fingerprints, numbers, and the very bytes of data and weights."""
    results = json.loads(next((workspace / "runs").glob("*/results.json")).read_text())
    steps = midspec_json("status", RECIPE, "--profile", "smoke", "--workspace", workspace)["steps"]
    exact = [*workspace.glob("steps/*/*/*.jsonl"), *workspace.glob("steps/*/*/checkpoint/*.safetensors")]
    return {
        "fingerprints": [step["fingerprint"] for step in steps],
        "states": {step["state"] for step in steps},
        "arms": results["arms"],
        "contrasts": results["contrasts"],
        # metrics.jsonl holds seconds; its losses are compared through `curves`.
        "files": {
            str(file.relative_to(workspace)): file.read_bytes()
            for file in sorted(exact)
            if file.name != "metrics.jsonl"
        },
        "curves": [(curve["step"], curve["points"]) for curve in results["curves"]],
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    workspace = tmp_path_factory.mktemp("undisturbed")
    begun = time.monotonic()
    midspec("run", RECIPE, "--profile", "smoke", "--workspace", workspace)
    return outcome(workspace), time.monotonic() - begun


@pytest.mark.xdist_group("kill")
@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kills(undisturbed: tuple[dict[str, Any], float], tmp_path: Path, kills: int) -> None:
    expected, seconds = undisturbed
    dice = random.Random(kills)
    killed = 0
    while killed < kills:
        process = command("run", RECIPE, "--profile", "smoke", "--workspace", tmp_path)
        assert process.stderr
        begun = next((line for line in process.stderr if line.startswith("[1/")), None)
        assert begun, f"the run ended after {killed} kills: make the moments earlier"
        # The moments fall into loading libraries, writing data, training, evaluating; each run gets a little further.
        time.sleep(dice.uniform(0, LOADING + 1.6 * (seconds - LOADING) / kills))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    midspec("run", RECIPE, "--profile", "smoke", "--workspace", tmp_path)
    assert killed == kills
    assert outcome(tmp_path) == expected
    assert not list(tmp_path.glob("steps/.work/*"))


def test_control_c_is_clean_and_the_next_run_goes_on(tmp_path: Path) -> None:
    process = command("run", RECIPE, "--profile", "smoke", "--workspace", tmp_path)
    while not list(tmp_path.glob("steps/.work/*")) and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "goes on from here" in err
    midspec("run", RECIPE, "--profile", "smoke", "--workspace", tmp_path, "--only", "corpus")
