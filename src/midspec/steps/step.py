"""A step: a name, a config, its input steps and a function."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from midspec.experiment import ComputeConfig
from midspec.steps.fingerprint import fingerprint, stable
from midspec.steps.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Step:
    """One unit of work with one result folder. Equal steps of two experiments share it."""

    kind: str
    """Stage: `corpus`, `demonstrations`, `midtrain`, `finetune`, `evaluate`, ..."""
    name: str
    """For people: which one of its kind. Not part of the fingerprint."""
    function: str
    """`package.module:function`, called with a Context. A string, so that planning loads no torch."""
    config: BaseModel
    """What decides the result, besides the inputs."""
    version: int
    """Raise it when the function's code changes what it makes from the same config."""
    inputs: Mapping[str, Step] = field(default_factory=dict)
    resumable: bool = False
    """Whether the function can go on from what an interrupted run left in its work folder."""
    source: Path | None = None
    """Where an import reads from. Its content, not its place, decides the result: the config holds the hash."""

    @cached_property
    def fingerprint(self) -> str:
        """See `midspec.steps.fingerprint`."""
        return fingerprint(
            kind=self.kind,
            version=self.version,
            config=self.config,
            inputs={role: step.fingerprint for role, step in self.inputs.items()},
        )

    @property
    def folder_name(self) -> str:
        """Unique by content: the name is only for the eye."""
        return f"{self.name}-{self.fingerprint}"

    @property
    def plain_config(self) -> dict[str, Any]:
        """The config as JSON data, for records."""
        return stable(self.config)

    def load_function(self) -> Callable[[Context], Mapping[str, Any]]:
        """Import what `function` names."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Spending:
    """On whose account a step pays, and how far it may go."""

    run: str = "by-hand"
    """Name of the recipe; what it paid is added up over interruptions."""
    usd: float | None = None
    """Cap in dollars over all steps of the run; None = no cap."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a step function gets. It writes files into `folder` and returns a summary of plain values for the record.

    A summary's `tokens` and `dollars` are added up in reports.
    """

    config: Any
    """The step's config object."""
    inputs: Mapping[str, Path]
    """Folders of the finished input steps, by role."""
    folder: Path
    """Empty, or what an interrupted run of a resumable step left."""
    progress: Progress
    compute: ComputeConfig
    """How to run, never what comes out: device, threads, micro-batch."""
    workspace: Path = Path()
    """Where the journal of language-model calls lies."""
    spending: Spending = Spending()
    fingerprint: str = ""
    name: str = ""
    """`Step.name`."""
    source: Path | None = None
    """`Step.source`."""


def in_order(targets: list[Step]) -> list[Step]:
    """`targets` and all they need, inputs first, each fingerprint once; order is stable."""
    ordered: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.fingerprint in ordered:
            return
        for upstream in step.inputs.values():
            visit(upstream)
        ordered[step.fingerprint] = step

    for target in targets:
        visit(target)
    return list(ordered.values())
