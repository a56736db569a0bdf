"""A server as a process of ours: started, waited for until it answers, and stopped, whatever ends the run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from midspec.errors import MissingDependencyError, StepError
from midspec.evals.serving.endpoint import Endpoint
from midspec.steps.progress import Progress, Silent

PATIENCE = 1800.0
"""Seconds until a server must answer: 32B weights from a slow disk, and compiled kernels. (ours)"""
EVERY = 0.2
"""Seconds between two looks."""
TOLD = 30
"""Lines of a failed server's log that the error shows."""


@contextmanager
def running(
    command: Sequence[str],
    endpoint: Endpoint,
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
    progress: Progress = Silent(),
) -> Generator[subprocess.Popen[bytes]]:
    """A server that answers at `endpoint`, inside the block. What it prints goes to `log`.

    Raises MissingDependencyError where the program is not there, StepError with the end of the log where it stops
    before it answers, or does not answer within `patience` seconds.
    """
    if shutil.which(command[0]) is None:
        raise MissingDependencyError(
            f"the program {command[0]!r} is not there; install vLLM on this machine (https://docs.vllm.ai), or "
            "evaluate with serve: transformers"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    guarded = [sys.executable, "-m", "midspec.evals.serving.guard", *command]
    with log.open("wb") as file:
        process = subprocess.Popen(
            guarded,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        _wait(process, command[0], endpoint, log, patience, progress)
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _wait(
    process: subprocess.Popen[bytes], program: str, endpoint: Endpoint, log: Path, patience: float, progress: Progress
) -> None:
    progress.line(f"  starting {program}; its log: {log}")
    begun = time.monotonic()
    while not endpoint.answers():
        if process.poll() is not None:
            raise StepError(
                f"{program} ended with status {process.returncode} before it answered; its log ends:\n{_end(log)}"
            )
        if time.monotonic() - begun > patience:
            raise StepError(f"{program} did not answer within {patience:.0f} seconds; its log ends:\n{_end(log)}")
        time.sleep(EVERY)
    progress.line(f"  {program} answers after {time.monotonic() - begun:.0f} s")


def _end(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TOLD:])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
