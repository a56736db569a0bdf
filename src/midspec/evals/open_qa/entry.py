"""Open QA in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from midspec.evals.expected import OPEN_ANSWER_TOKENS, QUESTION_TOKENS, grade_requests
from midspec.evals.open_qa.config import OpenQAConfig, QuestionsConfig, from_preset, open_qa_step, questions_step
from midspec.evals.open_qa.grading import HIGHEST, LOWEST
from midspec.evals.open_qa.questions import OpenQuestion, load_questions, questions_sha256, select
from midspec.evaluation import SCORE, Answers, Evaluation, Measure, Requests, Subject
from midspec.experiment import Experiment, Judge, WriterConfig
from midspec.records import BankItem
from midspec.spec.document import Identity
from midspec.steps.step import Step


class OpenQAEntry(Evaluation):
    """Direct questions about self and conduct, graded 1-10 by a spec. None keeps the preset's value."""

    task: Literal["open_qa"]
    spec: str | None = None
    """Name of the recipe's spec that grades; None = the only one."""
    questions: str = Field(default="packaged", min_length=1)
    """`packaged`; `made` = by the writer, from `spec`; or a JSONL file that `midspec eval make-questions` wrote."""
    count: int | None = Field(default=None, ge=1)
    """How many to make."""
    preset: str = "paper-like"
    split: Literal["dev", "test", "all"] = "dev"
    """Tune on dev; open test once."""
    limit: int | None = Field(default=None, ge=1)
    samples: int | None = Field(default=None, ge=1)
    """Answers to each question."""
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=16)
    judge_sees: Literal["answer", "everything"] | None = None
    seed: int = 0
    """Of sampling."""
    judge: Judge | None = None
    """None = the recipe's judge."""
    judges: tuple[Judge, ...] | None = Field(default=None, min_length=1, max_length=2)
    """Instead of `judge`: the first one's grades are the scores, the second one's stand beside, for agreement."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.judge is not None and self.judges is not None:
            raise ValueError("judge and judges are both given; expected one of them")
        if self.count is not None and self.questions != "made":
            raise ValueError(f"count says how many questions to make, but questions is {self.questions!r}")
        return self

    @property
    def name(self) -> str:
        """`open_qa`, with the spec where one is named."""
        return self.label or (f"open_qa/{self.spec}" if self.spec else "open_qa")

    def check(self, experiment: Experiment) -> None:
        """Raises ValueError for a spec that the recipe has not, or several without a choice."""
        names = ", ".join(experiment.specs)
        if self.spec is None and len(experiment.specs) > 1:
            raise ValueError(f"spec is missing, and the recipe has several; expected one of: {names}")
        if self.spec is not None and self.spec not in experiment.specs:
            raise ValueError(f"spec {self.spec!r} is not in specs ({names})")
        self.settings()

    def settings(self) -> OpenQAConfig:
        """The preset with its changes."""
        names = ("limit", "samples", "temperature", "max_tokens", "judge_sees", "seed")
        return from_preset(self.preset, split=self.split, **{name: getattr(self, name) for name in names})

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        experiment, spec = subject.experiment, subject.specs[self._spec(subject.experiment)]
        questions: Path | Step | None = None
        if self.questions == "made":
            wanted = QuestionsConfig() if self.count is None else QuestionsConfig(count=self.count)
            questions = questions_step(self._spec(experiment), wanted, spec, experiment.identity, experiment.writer)
        elif self.questions != "packaged":
            questions = Path(self.questions)
        return open_qa_step(
            name, subject.model, self.settings(), spec, experiment.identity, self.graders(experiment),
            checkpoint=subject.checkpoint, questions=questions,
        )  # fmt: skip

    def measures(self, summaries: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
        """The grade, overall and per dimension; with a second judge its grade."""
        scale = (float(LOWEST), float(HIGHEST))
        first = Measure(
            "grade", SCORE, "grade", scale, parts=True, words="1 contradicts the spec, 5 generic, 10 uses it"
        )
        second = Measure("second judge's grade", "second_score", "grade", scale)
        return (first, second) if self.judges is not None and len(self.judges) > 1 else (first,)

    def questions_sha256(self) -> str | None:
        """Of the file; questions that are still to be made are not searched for."""
        return None if self.questions == "made" else questions_sha256(self._questions())

    def gate_items(self, identity: Identity) -> list[BankItem]:
        """The questions. An id is the row's: a question that was trained on is left out of the grades."""
        if self.questions == "made":
            return []
        return [
            BankItem(
                id=one.id, kind="opinion", value="open_qa", domain=one.dimension, topic=one.form,
                question=one.question, aligned="", other="", difficulty="medium", split=one.split,
            )
            for one in self._questions()
        ]  # fmt: skip

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """The judges."""
        return self.judges or (self.judge or experiment.judge,)

    def requests(self, subject: Subject) -> list[Requests]:
        """One grade an answer and judge."""
        spec = subject.specs[self._spec(subject.experiment)]
        work = grade_requests(self._answers(), spec)
        return [Requests(who, work) for who in self.graders(subject.experiment)]

    def answers(self, subject: Subject) -> Answers:
        """Free answers."""
        return Answers(self._answers(), QUESTION_TOKENS, OPEN_ANSWER_TOKENS)

    def work(self, subject: Subject) -> str:
        """Answers."""
        return f"{self._answers():,} open answers"

    def _spec(self, experiment: Experiment) -> str:
        return self.spec or next(iter(experiment.specs))

    def _questions(self) -> list[OpenQuestion]:
        return load_questions(None if self.questions == "packaged" else Path(self.questions))

    def _answers(self) -> int:
        entry = self.settings()
        if self.questions != "made":
            return len(select(self._questions(), entry.split, entry.limit)) * entry.samples
        count = self.count or QuestionsConfig().count
        asked = count if entry.split == "all" else -(-count // 2)
        return min(asked, entry.limit or asked) * entry.samples
