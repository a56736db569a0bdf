"""Adapters without weights to speak of, and a stand-in for vLLM."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from midspec.evals.serving import pool

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


@pytest.fixture
def adapter(tmp_path: Path) -> Callable[..., Path]:
    """A training step's folder with an adapter: `adapter("msm", weights=b"1", r=8)`."""

    def make(name: str, weights: bytes = b"weights", **config: Any) -> Path:
        folder = tmp_path / "trained" / name
        inner = folder / "checkpoint"
        inner.mkdir(parents=True)
        (inner / "adapter_model.safetensors").write_bytes(weights)
        (inner / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 64} | config))
        return folder

    return make


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """What the stand-ins were started with, oldest first; `pid` too."""
    folder = tmp_path / "record"
    folder.mkdir()
    monkeypatch.setenv("STAND_IN_RECORD", str(folder))

    def read() -> list[dict[str, Any]]:
        files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [{"pid": int(path.stem), **json.loads(path.read_text())} for path in files]

    return read


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Any) -> Iterator[pool.Pool]:
    """The pool of this process, which starts stand-ins."""
    monkeypatch.setattr(pool, "user_log_path", lambda name: tmp_path / "logs")
    made = pool.Pool(STAND_IN)
    monkeypatch.setattr(pool, "POOL", made)
    yield made
    made.close()


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether a process ends."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
