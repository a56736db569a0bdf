"""What the batteries have in common as entries of a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from midspec.evals.battery.config import BatteryConfig
from midspec.evals.battery.items import Choice, Prompt, Split
from midspec.evals.battery.parts import Part
from midspec.evals.expected import QUESTION_TOKENS
from midspec.evals.thinking import THINKING_TOKENS
from midspec.evaluation import SCORE, Answers, Evaluation, Measure, Requests, Subject
from midspec.experiment import Experiment, Judge, WriterConfig
from midspec.llm.prices import Work
from midspec.records import BankItem
from midspec.train.models import ThinkingRef

FRAME_TOKENS = 450
"""Of the instructions of a judge who reads one answer, with the question and what it is compared with (ours:
estimated)."""
ANSWER_TOKENS = 150
"""Of an answer to one question (ours)."""
VERDICT_TOKENS = 40


class BatteryEntry(Evaluation):
    """Settings that every battery shares. None keeps the default of `BatteryConfig`, or the preset's value."""

    told: ClassVar[Mapping[str, str]] = {}
    """Part -> what its share is, for people."""

    split: Split | None = None
    """Items of one half only; None = all. Tune on dev."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many items of each part, spread over its domains."""
    samples: int | None = Field(default=None, ge=1)
    """Free answers to each prompt."""
    temperature: float | None = Field(default=None, ge=0)
    """Of free answers; greedy without it."""
    max_tokens: int | None = Field(default=None, ge=16)
    """Longest free answer; an arm that thinks has 1,024 more."""
    letter_tokens: int | None = Field(default=None, ge=1)
    """Longest answer that is to be a letter; an arm that thinks has 1,024 more."""
    seed: int | None = None
    """Of sampling."""
    judge: Judge | None = None
    """Who reads free answers; None = the recipe's judge."""

    def changes(self, subject: Subject, defaults: BatteryConfig) -> dict[str, Any]:
        """What is given, as fields of a BatteryConfig; None stands for what is not. An arm that thinks has
        THINKING_TOKENS more for every answer than is given, or than `defaults` say."""
        names = ("split", "limit", "samples", "temperature", "max_tokens", "letter_tokens", "seed")
        found = {name: getattr(self, name) for name in names}
        if isinstance(subject.model, ThinkingRef):
            for name in ("max_tokens", "letter_tokens"):
                found[name] = (found[name] or getattr(defaults, name)) + THINKING_TOKENS
        return found

    def counts(self, subject: Subject) -> Mapping[str, int]:
        """Part -> items; a guess where they are still to be made."""
        raise NotImplementedError

    def judged(self) -> Mapping[str, str]:
        """Those of its parts whose answers a judge reads -> name of the judge's prompt."""
        raise NotImplementedError

    def measures(self, summaries: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
        """One for each part that was asked of any arm, in the order of the rows."""
        names = dict.fromkeys(one["eval"] for summary in summaries for one in summary["measures"])
        return tuple(self.measure(name) for name in names)

    def measure(self, evaluation: str) -> Measure:
        """The share of ones among the rows of one part."""
        part = evaluation.partition("/")[2]
        return Measure(part, SCORE, words=self.told.get(part, ""), of=evaluation, by_topic=True, compared=True)

    def judging(self, experiment: Experiment) -> WriterConfig:
        """Who reads free answers."""
        return self.judge or experiment.judge

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """The judge, where a part has answers that one must read."""
        return (self.judging(experiment),) if self.judged() else ()

    def requests(self, subject: Subject) -> list[Requests]:
        """One verdict an answer."""
        asked, counts = Counter[str](), self.counts(subject)
        for part, prompt in self.judged().items():
            asked[prompt] += counts.get(part, 0) * (self.samples or 1)
        work = {name: Work(count, FRAME_TOKENS, ANSWER_TOKENS, VERDICT_TOKENS) for name, count in asked.items()}
        return [Requests(self.judging(subject.experiment), work)] if work else []

    def answers(self, subject: Subject) -> Answers:
        """One or several an item: what a judge reads is written, of the rest likelihoods are read."""
        counts, judged = self.counts(subject), self.judged()
        written = sum(count for part, count in counts.items() if part in judged) * (self.samples or 1)
        read = sum(counts.values()) + written
        return Answers(max(1, read), QUESTION_TOKENS, round(ANSWER_TOKENS * written / max(1, read)))

    def work(self, subject: Subject) -> str:
        """Items, and in how many parts."""
        counts = self.counts(subject)
        return f"{sum(counts.values()):,} items in {len(counts)} parts"


def from_parts(parts: Sequence[Part]) -> dict[str, int]:
    """Part -> items, of the parts that have any."""
    return {part.name.partition("/")[2]: len(part.items) for part in parts if part.items}


def as_bank_items(items: Iterable[Choice | Prompt], value: str) -> list[BankItem]:
    """Questions alone, in the form of bank items for the gate, under the ids of the rows.

    What is right stands in none of them: a corpus is there to teach it, and only a question says that it was a test.
    """
    return [
        BankItem(
            id=item.id, kind="opinion", value=value, domain=item.domain, topic=item.topic or item.id,
            question=item.question if isinstance(item, Choice) else item.prompt,
            aligned="", other="", difficulty=item.difficulty or "medium", split=item.split,
        )
        for item in items
    ]  # fmt: skip
