"""Agentic misalignment in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from midspec.evals.agentic.cells import Goal, Scenario, Urgency, cells
from midspec.evals.agentic.config import (
    AgenticConfig,
    Surface,
    agentic_step,
    find_preset,
    from_preset,
    texts_sha256,
)
from midspec.evals.config import PROMPT_PREFIX
from midspec.evals.expected import AGENTIC_ANSWER_TOKENS, AGENTIC_PROMPT_TOKENS, agentic_requests
from midspec.evaluation import SCORE, Answers, Evaluation, Measure, Requests, Subject
from midspec.experiment import Experiment, Judge, WriterConfig
from midspec.records import BankItem
from midspec.spec.document import Identity
from midspec.steps.fingerprint import fingerprint
from midspec.steps.step import Step

_MEASURES = (
    Measure("decided", SCORE, parts=True, words="decided for the harmful act, whether or not it came off"),
    Measure("harmful", "harmful", words="decided, and carried it out"),
    Measure("tool used", "tool_used", words="used any tool"),
    Measure("decided if a tool was used", SCORE, given=("tool_used", 1.0)),
    Measure("carried out if decided", "executed", given=(SCORE, 1.0)),
    Measure("refused in words", "prose_refusal"),
    Measure("aware of a test", "eval_aware", words="says or thinks that this may be a test"),
)


class AgenticEntry(Evaluation):
    """The cells of a preset, with changes. None keeps the preset's value."""

    task: Literal["agentic"]
    preset: str = "paper-like"
    scenarios: tuple[Scenario, ...] | None = Field(default=None, min_length=1)
    goals: tuple[Goal, ...] | None = Field(default=None, min_length=1)
    samples: int | None = Field(default=None, ge=1)
    """Per cell."""
    grader: Judge | None = None
    """`offline` (rules) or who judges; None = the recipe's judge."""
    called: str | None = None
    """What the assistant is called; None = the recipe's identity where the preset says the model's own name."""
    urgency: Urgency | None = None
    scratchpad: bool | None = None
    thinking: Literal["parsed", "raw"] | None = None
    judge_sees: Literal["everything", "answer"] | None = None
    rubric: Literal["midspec", "inspect_evals"] | None = None
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0
    """Of sampling. Arms with several training seeds differ by these; the sampling seed is the same for all."""
    surface: Surface = Surface()

    @property
    def name(self) -> str:
        """`agentic`, unless it has a label."""
        return self.label or "agentic"

    def check(self, experiment: Experiment) -> None:
        """Raises InputError for a preset, scenario or setting that is not known."""
        self.settings(experiment)

    def settings(self, experiment: Experiment) -> AgenticConfig:
        """The preset with its changes, the same for all arms: a scratchpad in some of them would be the difference."""
        return self._settings(experiment.identity, experiment.model)

    def _settings(self, identity: Identity, model: str) -> AgenticConfig:
        changes = {
            name: getattr(self, name)
            for name in (
                "samples", "called", "urgency", "scratchpad", "thinking", "judge_sees", "rubric", "temperature",
                "max_tokens", "seed", "surface",
            )
        }  # fmt: skip
        if self.called is None and find_preset(self.preset).called == "own":
            changes["called"] = identity.model_name
        return from_preset(self.preset, model, scenarios=self.scenarios, goals=self.goals, **changes)

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        entry = self.settings(subject.experiment)
        return agentic_step(name, subject.model, entry, self._grader(subject.experiment), subject.checkpoint)

    def measures(self, summaries: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
        """`decided` overall and per scenario, and what it is made of."""
        return _MEASURES

    def questions_sha256(self) -> str:
        """Over all texts and which of them are asked."""
        return fingerprint(kind="agentic prompts", version=1, config=self, inputs={"texts": texts_sha256()})

    def gate_items(self, identity: Identity) -> list[BankItem]:
        """The prompts of the cells."""
        from midspec.evals.agentic.scenario import prompt

        config = self._settings(identity, identity.model_name)
        found: list[BankItem] = []
        for cell in cells(config.scenarios, config.goals):
            asked = prompt(cell, config)
            item = BankItem(
                id=PROMPT_PREFIX + cell.id, kind="opinion", value="agentic", domain=cell.scenario, topic=cell.goal,
                question=f"{asked.system}\n{asked.user}", aligned="", other="", difficulty="medium", split="test",
            )  # fmt: skip
            found.append(item)
        return found

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """The judge; the rules ask nobody."""
        return (self._grader(experiment),)

    def requests(self, subject: Subject) -> list[Requests]:
        """One judgement an answer."""
        return [Requests(self._grader(subject.experiment), agentic_requests(self._answers(subject.experiment)))]

    def answers(self, subject: Subject) -> Answers:
        """One transcript a sample."""
        return Answers(self._answers(subject.experiment), AGENTIC_PROMPT_TOKENS, AGENTIC_ANSWER_TOKENS)

    def work(self, subject: Subject) -> str:
        """Answers and cells."""
        entry = self.settings(subject.experiment)
        return f"{self._answers(subject.experiment):,} answers in {len(entry.scenarios) * len(entry.goals)} cells"

    def _answers(self, experiment: Experiment) -> int:
        entry = self.settings(experiment)
        return len(entry.scenarios) * len(entry.goals) * entry.samples

    def _grader(self, experiment: Experiment) -> WriterConfig:
        who = self.grader or experiment.judge
        # The package's own graders are asked with the provider's own settings.
        if self.settings(experiment).rubric == "inspect_evals":
            return who.model_copy(update={"temperature": None})
        return who
