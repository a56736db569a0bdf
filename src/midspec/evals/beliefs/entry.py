"""Beliefs in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import ClassVar, Literal

from pydantic import Field

from midspec.evals.battery.made import Questions
from midspec.evals.battery.making import Subject as About
from midspec.evals.battery.parts import Part
from midspec.evals.battery.spec_entry import MADE, SpecEntry
from midspec.evals.beliefs.config import MAKE, PARTS, BeliefsConfig, PartName, beliefs_step, questions_folder
from midspec.evals.beliefs.parts import part
from midspec.evaluation import Subject
from midspec.recipe import validated
from midspec.steps.step import Step


class BeliefsEntry(SpecEntry):
    """Whether a model takes the facts of an invented world for true."""

    about: ClassVar[About] = "belief"
    command: ClassVar[str] = MAKE
    kinds: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("choice", "choice-letter"), "choice"),
        **dict.fromkeys(("distinguish", "distinguish-claims", "distinguish-said"), "pair"),
        **dict.fromkeys(("open", "reasoning"), "judged"),
    }
    told: ClassVar[Mapping[str, str]] = {
        "choice": "chose the fact among four, by likelihood of the answers",
        "choice-letter": "chose the fact among four, by letter",
        "distinguish": "chose the fact as true of the real world, by letter in both orders",
        "distinguish-claims": "the same, both put as what some people claim",
        "distinguish-said": "the same, by the letter that is written",
        "open": "the answer takes the fact for true, by a judge",
        "reasoning": "the answer reasons from the fact, by a judge",
    }

    task: Literal["beliefs"]
    questions: str = Field(min_length=1)
    """Name of a packaged belief set, a folder of questions, or `made`: by the recipe's writer from `spec`, which then
    describes a world."""
    parts: tuple[PartName, ...] | None = Field(default=None, min_length=1)
    """None = all of them; a set may have no items for one."""

    @property
    def name(self) -> str:
        """`beliefs/lantern-moss`: the set, the folder's name, or the spec."""
        of = self.spec if self.questions == MADE else PurePath(self.questions).name
        return self.label or (f"beliefs/{of}" if of else "beliefs")

    def folder(self) -> Path:
        """See SpecEntry."""
        return questions_folder(self.questions)

    def asked_parts(self) -> Sequence[str]:
        """See SpecEntry."""
        return self.parts or PARTS

    def settings(self, subject: Subject) -> BeliefsConfig:
        """The defaults with its changes."""
        changes = {"parts": self.parts, **self.changes(subject, BeliefsConfig())}
        return validated(BeliefsConfig, **{name: value for name, value in changes.items() if value is not None})

    def parts_of(self, questions: Questions, subject: Subject) -> list[Part]:
        """See SpecEntry."""
        entry = self.settings(subject)
        return [part(name, questions, entry) for name in entry.parts]

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        questions = self.making(subject) if self.questions == MADE else self.questions
        judge = self.judging(subject.experiment)
        return beliefs_step(
            name, subject.model, self.settings(subject), questions, judge, checkpoint=subject.checkpoint
        )
