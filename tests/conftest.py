"""What end-to-end tests share: the real command in a process of its own, and its own cache."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# At a desk hypothesis looks for new examples; CI must give the same answer to the same commit.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).parents[1]


def command(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start `midspec ARGUMENTS` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "midspec", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def midspec(*arguments: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `midspec ARGUMENTS` to its end and check its exit status. No error a user can cause shows a traceback."""
    process = command(*arguments, **environment)
    out, err = process.communicate(timeout=580)
    assert process.returncode == status, f"exit {process.returncode}, expected {status}\n{out[-2000:]}\n{err[-4000:]}"
    if status:
        assert "Traceback" not in err, err
    return subprocess.CompletedProcess(list(map(str, arguments)), process.returncode, out, err)


def midspec_json(*arguments: object) -> Any:
    """The JSON that `midspec ARGUMENTS --json` prints."""
    return json.loads(midspec(*arguments, "--json").stdout)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The fetched SmolLM2 may be shared (it is checked by hash); everything else stays out of the user's home."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
