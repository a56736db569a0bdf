"""The run folder of one experiment: `<workspace>/runs/<name>/` with its recipe, results and report."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from pydantic import BaseModel

from midspec.errors import BusyError
from midspec.experiment import Experiment
from midspec.records import short_hash
from midspec.steps.fingerprint import stable
from midspec.steps.step import Step
from midspec.steps.store import explained, write_json

FORM = 4
"""Raise it when what results.json or the report holds changes for the same steps."""


class _Flow(Protocol):
    @property
    def experiment(self) -> Experiment: ...
    @property
    def steps(self) -> list[Step]: ...


class RunFolder:
    """Paths and lock of one experiment's run folder."""

    def __init__(self, workspace: Path, name: str) -> None:
        """`name`: the recipe's."""
        self.path = workspace / "runs" / name
        self.results = self.path / "results.json"
        self.report = self.path / "report.html"
        self.recipe = self.path / "recipe.json"

    @contextmanager
    def claim(self) -> Generator[None]:
        """Hold the run. Raises BusyError where another process runs the same recipe in this workspace."""
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            owner = self.path / ".owner"
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
                raise BusyError(
                    f"{self.path} is in use by {who}; wait for it to end, stop it, or use another --workspace"
                ) from error
            owner.write_text(f"process {os.getpid()}", encoding="utf-8")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
            lock.release()

    def is_current(self, flow: _Flow) -> bool:
        """Whether results and report are there and made from exactly these steps."""
        if not self.report.exists():
            return False
        try:
            head = self.results.read_text(encoding="utf-8")
        except OSError:
            return False
        return f'"fingerprint": "{results_fingerprint(flow)}"' in head

    def write_recipe(self, experiment: Experiment) -> None:
        """The experiment as run, defaults filled in."""
        with explained(self.path):
            write_json(self.recipe, experiment.model_dump(mode="json"))

    def write_results(self, results: BaseModel) -> None:
        """`results.json`, atomically."""
        write_json(self.results, results.model_dump(mode="json"))


def results_fingerprint(flow: _Flow) -> str:
    """Hash of all that results.json is made from."""
    as_if = {"compute": type(flow.experiment.compute)(), "published": None}
    recipe: Any = stable(flow.experiment.model_copy(update=as_if))
    return short_hash(FORM, recipe, [step.fingerprint for step in flow.steps], length=16)
