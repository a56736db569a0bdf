"""`record.json`: what a step was, what made it, what it took."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from midspec import __version__
from midspec.records import Row

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "inspect_ai", "numpy", "scipy", "statsmodels")


class StepRecord(Row):
    """Written last into a step's folder, before the folder gets its final name."""

    kind: str
    name: str
    fingerprint: str
    function: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    """Role -> `kind/name-fingerprint` of the input step."""
    summary: dict[str, Any]
    """What the step function returned: counts, tokens, dollars, warnings."""
    files: dict[str, int]
    """Every file of the folder and its size in bytes, to notice damage."""
    started: str
    """ISO 8601, UTC."""
    seconds: float
    """Wall-clock seconds of the run that finished it."""
    resumed: bool
    """Whether an earlier, interrupted run had done part of it."""
    midspec: str = __version__
    code: dict[str, Any] = Field(default_factory=dict)
    packages: dict[str, str] = Field(default_factory=dict)
    machine: dict[str, Any] = Field(default_factory=dict)


@cache
def code_state() -> dict[str, Any]:
    """Git commit of the installed package and whether its tree was changed; both None outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    # An installed copy inside somebody else's repository must not report that repository's commit.
    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    status = git("status", "--porcelain", "--", "..")
    return {"commit": git("rev-parse", "HEAD"), "dirty": bool(status) if status is not None else None}


@cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    versions: dict[str, str] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@cache
def machine_facts() -> dict[str, Any]:
    """What it ran on; shown in reports, never part of a fingerprint. No host name: records are published."""
    return {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count()}
