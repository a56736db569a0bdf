"""A task of Inspect's in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, ClassVar

from pydantic import Field, field_validator

from midspec.errors import InputError
from midspec.evals.external.config import ExternalConfig, external_step
from midspec.evals.external.find import Found, find_task
from midspec.evaluation import Evaluation, Measure, Subject
from midspec.experiment import Experiment, Judge, WriterConfig
from midspec.llm.desk import OFFLINE
from midspec.steps.fingerprint import stable
from midspec.steps.step import Step

SPREAD = ("stderr", "std", "var", "bootstrap_stderr")
"""Metrics that say how far scores lie apart. They are shown where a recipe names them; intervals are our own."""


class ExternalEntry(ExternalConfig, Evaluation):
    """Any task of Inspect's: `inspect_evals/NAME`, `PACKAGE/NAME`, or `FILE.py@NAME`."""

    unmetered: ClassVar[bool] = True

    task: str = Field(pattern=r"^[^\s@]+/[^\s/@]+$|^.+\.py@[A-Za-z_]\w*$")
    metrics: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Which of its numbers tables show, the headline first: `accuracy`, or `scorer/accuracy` where several scorers have
    one. None = all but those that say how far scores lie apart."""
    grader: Judge | None = None
    """Who answers for the task's model role `grader`; None = the recipe's judge, or as the task says where that is
    `offline`, which has no rules for tasks of others."""

    @field_validator("args")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            stable(value, "args")
        except TypeError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("grader")
    @classmethod
    def _can_grade(cls, value: WriterConfig | None) -> WriterConfig | None:
        if value is not None and value.model == OFFLINE:
            raise ValueError("'offline' has no rules for tasks of others; expected a model, or leave grader out")
        return value

    @property
    def name(self) -> str:
        """`inspect_evals/ifeval`, or `file@task`."""
        path, at, task = self.task.rpartition("@")
        return self.label or (f"{PurePath(path).stem}@{task}" if at else self.task)

    def check(self, experiment: Experiment) -> None:
        """Raises InputError for a task that is not there, and for arguments it does not take."""
        self._found()

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        settings = ExternalConfig(**{key: getattr(self, key) for key in ExternalConfig.model_fields})
        who = self.graders(subject.experiment)
        return external_step(name, subject.model, self._found(), settings, who[0] if who else None, subject.checkpoint)

    def measures(self, summaries: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
        """Its metrics, with the column of the rows that each averages, where there is one in all runs; none beforehand.

        Raises InputError for a metric of the recipe that the task has not.
        """
        if not summaries:
            return ()
        told = [{one["name"]: one for one in summary["metrics"]} for summary in summaries]
        known = list(told[0]) if told else []
        wanted = list(self.metrics or [name for name in known if name.rpartition("/")[2] not in SPREAD] or known)
        if not known:
            raise InputError(f"evaluation {self.name!r} reports no numbers: its task has no scorer, or no metrics")
        for name in wanted:
            if any(name not in one for one in told):
                raise InputError(
                    f"evaluation {self.name!r} has no metric {name!r}; it has: {', '.join(known)}. Correct `metrics` "
                    "and run again, nothing is asked twice"
                )
        return tuple(_measure(name, [one[name] for one in told]) for name in wanted)

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """Who answers for the role `grader`, if the task asks for one."""
        who = self.grader or experiment.judge
        return () if who.model == OFFLINE else (who,)

    def work(self, subject: Subject) -> str:
        """How much is asked is known to the task alone."""
        return f"{self.name}, {f'{self.limit:,} samples' if self.limit else 'all samples'}"

    def _found(self) -> Found:
        found = find_task(self.task)
        unknown = sorted(set(self.args) - found.arguments) if found.arguments is not None else []
        if unknown:
            taken = ", ".join(sorted(found.arguments or ())) or "none"
            raise InputError(f"task {self.task!r} takes no argument {unknown[0]!r}; it takes: {taken}")
        return found


def _measure(name: str, runs: Sequence[Mapping[str, Any]]) -> Measure:
    columns = set[str](runs[0]["columns"]).intersection(*(one["columns"] for one in runs))
    share = all(one["share"] for one in runs)
    # Two columns with equal means in every run: which one it is cannot be told, and their spreads may differ.
    column = columns.pop() if len(columns) == 1 else None
    return Measure(name, column, "share" if share else "number", (0.0, 1.0) if share else None, own=True)
