"""The finished steps of an experiment: where each left its files, and what it recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midspec.experiment import Experiment
from midspec.pipeline import Pipeline
from midspec.steps.record import StepRecord
from midspec.steps.step import Step
from midspec.steps.store import Store


@dataclass(frozen=True)
class Done:
    """A pipeline all of whose steps are done."""

    flow: Pipeline
    store: Store
    folders: Mapping[str, Path]
    """Fingerprint -> folder."""
    records: Mapping[str, StepRecord]
    """Fingerprint -> record."""

    @property
    def experiment(self) -> Experiment:
        """The recipe."""
        return self.flow.experiment

    def folder(self, step: Step) -> Path:
        """Where the step left its files."""
        return self.folders[step.fingerprint]

    def record(self, step: Step) -> StepRecord:
        """What the step recorded."""
        return self.records[step.fingerprint]

    def summary(self, step: Step) -> Mapping[str, Any]:
        """What the step said of its result."""
        return self.record(step).summary

    def ordered(self) -> list[StepRecord]:
        """Records of all steps, inputs first."""
        return [self.record(step) for step in self.flow.steps]


def finished(flow: Pipeline, store: Store) -> Done:
    """The steps of `flow`, all of which must be done."""
    folders: dict[str, Path] = {}
    for step in flow.steps:
        folder = store.result(step)
        assert folder is not None, f"{step.kind}/{step.name} is not done"
        folders[step.fingerprint] = folder
    return Done(flow, store, folders, {name: store.record(folder) for name, folder in folders.items()})
