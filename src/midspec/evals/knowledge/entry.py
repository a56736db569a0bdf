"""Knowledge of a spec in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from midspec.evals.battery.made import Questions
from midspec.evals.battery.making import Subject as About
from midspec.evals.battery.parts import Part
from midspec.evals.battery.spec_entry import MADE, SpecEntry
from midspec.evals.knowledge.config import MAKE, PARTS, KnowledgeConfig, PartName, knowledge_step
from midspec.evals.knowledge.parts import part
from midspec.evaluation import Subject
from midspec.recipe import validated
from midspec.steps.step import Step


class KnowledgeEntry(SpecEntry):
    """Whether a model knows what its spec says."""

    about: ClassVar[About] = "spec"
    command: ClassVar[str] = MAKE
    kinds: ClassVar[Mapping[str, str]] = {"likelihood": "pair", "letter": "pair", "open": "judged"}
    told: ClassVar[Mapping[str, str]] = {
        "likelihood": "what the spec says is likelier than its distortion",
        "letter": "chose what the spec says over its distortion, by letter in both orders",
        "open": "the answer says what the spec says, by a judge",
    }

    task: Literal["knowledge"]
    parts: tuple[PartName, ...] | None = Field(default=None, min_length=1)
    """None = all of them."""

    @property
    def name(self) -> str:
        """`knowledge`, with the spec where one is named."""
        return self.label or (f"knowledge/{self.spec}" if self.spec else "knowledge")

    def asked_parts(self) -> Sequence[str]:
        """See SpecEntry."""
        return self.parts or PARTS

    def settings(self, subject: Subject) -> KnowledgeConfig:
        """The defaults with its changes."""
        changes = {"parts": self.parts, **self.changes(subject, KnowledgeConfig())}
        return validated(KnowledgeConfig, **{name: value for name, value in changes.items() if value is not None})

    def parts_of(self, questions: Questions, subject: Subject) -> list[Part]:
        """See SpecEntry."""
        entry = self.settings(subject)
        return [part(name, questions, entry) for name in entry.parts]

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        questions = self.making(subject) if self.questions == MADE else self.folder()
        judge = self.judging(subject.experiment)
        return knowledge_step(
            name, subject.model, self.settings(subject), questions, judge, checkpoint=subject.checkpoint
        )
