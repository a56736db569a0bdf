"""A server lives as long as the block that needs it, and no longer, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, MissingDependencyError, ProviderError, StepError
from midspec.evals.serving.endpoint import Endpoint
from midspec.evals.serving.process import free_port, running
from midspec.evals.serving.vllm import arguments, environment
from tests.conftest import ROOT
from tests.unit.evals.serving.conftest import STAND_IN, gone


def _command(port: int, base: str = "/m") -> list[str]:
    return arguments(Path(base), "m", [], port, executable=STAND_IN)


def test_it_answers_inside_and_is_gone_outside(tmp_path: Path, record: Any) -> None:
    port = free_port()
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "secret")
    with running(_command(port), endpoint, tmp_path / "log", environment=environment("secret")):
        assert endpoint.models() == ["m"]
        with pytest.raises(ProviderError, match="answers 401"):
            Endpoint(endpoint.url).models()
    [started] = record()
    assert gone(started["pid"]) and gone(started["engine"])
    assert not endpoint.answers()


def test_an_error_inside_stops_it_too(tmp_path: Path, record: Any) -> None:
    port = free_port()
    with (
        pytest.raises(KeyboardInterrupt),
        running(_command(port), Endpoint(f"http://127.0.0.1:{port}/v1"), tmp_path / "log"),
    ):
        raise KeyboardInterrupt
    assert gone(record()[0]["pid"])


def test_a_killed_run_leaves_no_server(tmp_path: Path, record: Any) -> None:
    """`kill -9` runs no clean-up: a server left behind would hold the GPU."""
    port = free_port()
    code = (
        "import sys, time; from pathlib import Path\n"
        "from midspec.evals.serving.process import running\n"
        "from midspec.evals.serving.endpoint import Endpoint\n"
        f"with running({_command(port)!r}, Endpoint('http://127.0.0.1:{port}/v1'), Path({str(tmp_path / 'log')!r})):\n"
        "    print('up', flush=True); time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None and run.stdout.readline() == "up\n"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    [started] = record()
    assert gone(started["pid"], 10) and gone(started["engine"], 10)


def test_one_that_does_not_start_says_why(tmp_path: Path, record: Any) -> None:
    port = free_port()
    with (
        pytest.raises(StepError, match=r"status 1 before it answered; its log ends:\n.*OutOfMemoryError"),
        running(_command(port, "/broken"), Endpoint(f"http://127.0.0.1:{port}/v1"), tmp_path / "log"),
    ):
        pass


def test_one_that_never_answers_is_given_up(tmp_path: Path) -> None:
    sleeping = [sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(60)"]
    begun = time.monotonic()
    with (
        pytest.raises(StepError, match=r"(?s)did not answer within 1 seconds.*loading"),
        running(sleeping, Endpoint(f"http://127.0.0.1:{free_port()}/v1"), tmp_path / "log", patience=1.0),
    ):
        pass
    assert time.monotonic() - begun < 10


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(MissingDependencyError, match="'no-such-vllm' is not there; install vLLM"),
        running(["no-such-vllm", "serve"], Endpoint("http://127.0.0.1:1/v1"), tmp_path / "log"),
    ):
        pass


def test_an_address_must_be_one() -> None:
    with pytest.raises(InputError, match="'localhost:8000' is no address"):
        Endpoint("localhost:8000")
    assert "secret" not in repr(Endpoint("http://x/v1", "secret"))
