"""A bank in a recipe: `opinions/america`, or a mapping with its settings. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import field_validator, model_validator

from midspec.corpus.tokens import estimated_tokens
from midspec.evals.banks import bank_sha256, load_bank, select
from midspec.evals.config import evaluate_step
from midspec.evals.expected import CHOICE_TOKENS, FREE_ANSWER_TOKENS, verdict_requests
from midspec.evaluation import Answers, Evaluation, Requests, Subject
from midspec.experiment import Experiment, Judge, WriterConfig
from midspec.spec.document import Identity
from midspec.stages import EvalConfig
from midspec.steps.step import Step


class BankEntry(EvalConfig, Evaluation):
    """Item pairs or opinions of one value, by likelihood, letter, written answer or judged free answer."""

    choices: ClassVar[bool] = True

    judge: Judge | None = None
    """Who reads free answers; None = the recipe's judge."""
    system: str | None = None
    """System prompt put before every question; None = none, which leaves the model's own where its chat template has
    one. {model_name} and {provider_name} are filled in."""

    @field_validator("system")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError(f"{value!r} says nothing; expected the text of a system prompt, or no `system` at all")
        return value

    @model_validator(mode="after")
    def _judge_has_work(self) -> Self:
        if self.judge is not None and self.scoring != "judge":
            raise ValueError(f"judge has nothing to read with scoring {self.scoring!r}; expected scoring: judge")
        return self

    @property
    def name(self) -> str:
        """E.g. `opinions/america`."""
        return self.label or self.bank

    @property
    def bank(self) -> str:
        """`task/value`."""
        return f"{self.task}/{self.value}"

    @property
    def settings(self) -> EvalConfig:
        """What decides the answers."""
        return EvalConfig(**{key: getattr(self, key) for key in EvalConfig.model_fields})

    def told(self, identity: Identity) -> str | None:
        """The system prompt as the model reads it."""
        return None if self.system is None else identity.fill(self.system)

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        judge, system = self._judge(subject.experiment), self.told(subject.experiment.identity)
        return evaluate_step(name, subject.model, self.settings, subject.checkpoint, judge=judge, system=system)

    def banks(self) -> Mapping[str, str]:
        """The one it asks."""
        return {self.bank: bank_sha256(self.task, self.value)}

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """The judge, of free answers only."""
        return (self._judge(experiment),) if self.scoring == "judge" else ()

    def requests(self, subject: Subject) -> list[Requests]:
        """Two verdicts an item."""
        return [Requests(who, verdict_requests(2 * self._count())) for who in self.graders(subject.experiment)]

    def answers(self, subject: Subject) -> Answers:
        """Both orders of a pair, or both stances; likelihoods read each answer after the question.

        A system prompt is read with every answer that is written, and once for all likelihoods."""
        count = self._count() * 2
        told = 0 if self.system is None else estimated_tokens(self.system)
        if self.scoring == "judge":
            return Answers(count, CHOICE_TOKENS + told, FREE_ANSWER_TOKENS)
        if self.scoring != "likelihood":
            return Answers(count, CHOICE_TOKENS + told)
        return Answers(count * (2 if self.form == "choice" else 1), CHOICE_TOKENS)

    def work(self, subject: Subject) -> str:
        """Pairs, and how they are scored."""
        told = "" if self.system is None else ", under a system prompt"
        return f"{self._count():,} pairs by {self.scoring}{told}"

    def _judge(self, experiment: Experiment) -> WriterConfig:
        return self.judge or experiment.judge

    def _count(self) -> int:
        return len(select(load_bank(self.task, self.value), self.split, self.limit))
