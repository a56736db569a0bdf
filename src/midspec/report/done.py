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
    """A pipeline and its finished steps: all of them, or those that are done so far."""

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

    def has(self, step: Step) -> bool:
        """Whether the step is done."""
        return step.fingerprint in self.folders

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
        """Records of all steps that are done, inputs first."""
        return [self.record(step) for step in self.flow.steps if self.has(step)]


def finished(flow: Pipeline, store: Store) -> Done:
    """The steps of `flow`, all of which must be done."""
    done = so_far(flow, store)
    for step in flow.steps:
        assert done.has(step), f"{step.kind}/{step.name} is not done"
    return done


def so_far(flow: Pipeline, store: Store) -> Done:
    """Those steps of `flow` that are done."""
    folders = {step.fingerprint: folder for step in flow.steps if (folder := store.result(step)) is not None}
    return Done(flow, store, folders, {name: store.record(folder) for name, folder in folders.items()})
