"""What entries of a recipe have in common whose questions are made from one of its specs, or lie in a folder.

Loads neither torch nor inspect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from midspec.evals.battery.entry import BatteryEntry, as_bank_items, from_parts
from midspec.evals.battery.items import Split
from midspec.evals.battery.made import MakeConfig, Questions, load_questions, make_step
from midspec.evals.battery.making import Subject as About
from midspec.evals.battery.parts import Part
from midspec.evals.battery.verdict import STATEMENT_VERDICT
from midspec.evaluation import Subject
from midspec.experiment import Experiment
from midspec.records import BankItem
from midspec.spec.document import Identity
from midspec.steps.step import Step

MADE = "made"
OF_A_PASSAGE: Mapping[str, float] = {"pair": 1, "choice": 1, "judged": 0.5}
"""Items that a passage gives, for each one that is asked of it: see `MakeConfig.per_passage`."""


class SpecEntry(BatteryEntry):
    """Questions that the recipe's writer makes from a spec of the recipe, or a folder of such questions."""

    about: ClassVar[About]
    command: ClassVar[str]
    """`midspec eval COMMAND` makes such a folder."""
    kinds: ClassVar[Mapping[str, str]]
    """Part -> kind of item that it asks: a key of OF_A_PASSAGE."""

    spec: str | None = None
    """Name of the recipe's spec that questions are made from; None = the only one."""
    questions: str = Field(default=MADE, min_length=1)
    """`made` = by the recipe's writer, from `spec`; or a folder of questions."""
    per_passage: int | None = Field(default=None, ge=1)
    """How many to make of each passage of the spec."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        for key in ("spec", "per_passage"):
            if getattr(self, key) is not None and self.questions != MADE:
                raise ValueError(f"{key} is for questions that are made, but questions is {self.questions!r}")
        return self

    def check(self, experiment: Experiment) -> None:
        """Raises ValueError for a spec that the recipe has not, or several without a choice; InputError for a folder
        that holds no questions."""
        if self.questions != MADE:
            self._given()
            return
        names = ", ".join(experiment.specs)
        if self.spec is None and len(experiment.specs) > 1:
            raise ValueError(f"spec is missing, and the recipe has several; expected one of: {names}")
        if self.spec is not None and self.spec not in experiment.specs:
            raise ValueError(f"spec {self.spec!r} is not in specs ({names})")

    def folder(self) -> Path:
        """Where questions lie that are not made. Raises InputError where there is none."""
        return Path(self.questions)

    def asked_parts(self) -> Sequence[str]:
        """Names of the parts that are asked."""
        raise NotImplementedError

    def parts_of(self, questions: Questions, subject: Subject) -> list[Part]:
        """The parts with their items."""
        raise NotImplementedError

    def making(self, subject: Subject) -> Step:
        """The step that makes the questions; the same for all arms."""
        experiment, spec = subject.experiment, self.spec or next(iter(subject.specs))
        return make_step(
            f"{self.task_name}-{spec}", self._make(), subject.specs[spec], experiment.identity, experiment.writer
        )

    @property
    def task_name(self) -> str:
        """`task` of the entry."""
        return str(getattr(self, "task", ""))

    def questions_sha256(self) -> str | None:
        """Of the folder; questions that are still to be made are not searched for."""
        return None if self.questions == MADE else self._given().sha256

    def gate_items(self, identity: Identity) -> list[BankItem]:
        """The questions of the folder, without what is right."""
        if self.questions == MADE:
            return []
        found = self._given()
        return as_bank_items([*found.choices, *found.judged], self.task_name)

    def judged(self) -> Mapping[str, str]:
        """Parts with open questions."""
        return {part: STATEMENT_VERDICT.name for part in self.asked_parts() if self.kinds[part] == "judged"}

    def counts(self, subject: Subject) -> Mapping[str, int]:
        """Items in the folder; for questions that are to be made, what its passages give at most."""
        if self.questions != MADE:
            return from_parts(self.parts_of(self._given(), subject))
        each = self._make().per_passage
        passages = len(subject.specs[self.spec or next(iter(subject.specs))].passages)
        split: Split = self.split or "all"
        found: dict[str, int] = {}
        for part in self.asked_parts():
            count = -(-passages * each * OF_A_PASSAGE[self.kinds[part]] // (1 if split == "all" else 2))
            found[part] = min(int(count), self.limit or int(count))
        return found

    def _make(self) -> MakeConfig:
        return (
            MakeConfig(kind=self.about)
            if self.per_passage is None
            else MakeConfig(kind=self.about, per_passage=self.per_passage)
        )

    def _given(self) -> Questions:
        return load_questions(self.folder(), self.command)
