"""Answers to the questions of one run, asked of the model under test or kept from an earlier attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from midspec.errors import StepError
from midspec.evals.inspect_run import opened
from midspec.evals.open_qa.config import OpenQAConfig, OpenQAStepConfig
from midspec.evals.open_qa.questions import OpenQuestion
from midspec.evals.sampling import Asked, Keeper, Sampled, Sampling, ask
from midspec.steps.step import Context

KEPT = "samples.jsonl"


class Planned(NamedTuple):
    """One answer to one question."""

    question: OpenQuestion
    sample: int

    @property
    def id(self) -> str:
        """Id of Inspect's sample."""
        return f"{self.question.id}#{self.sample}"


def asked(questions: Sequence[OpenQuestion]) -> list[Asked]:
    """The questions as prompts."""
    return [Asked(one.id, one.question, one.model_dump(include={"dimension", "form"})) for one in questions]


def sampling(entry: OpenQAConfig) -> Sampling:
    """How answers are drawn."""
    return Sampling(entry.temperature, entry.max_tokens, entry.seed, entry.samples)


def sample_answers(
    context: Context, config: OpenQAStepConfig, questions: Sequence[OpenQuestion]
) -> dict[tuple[str, int], Sampled]:
    """(question, sample) -> answer, of those kept from an earlier run and all others asked for now.

    What a provider could not be brought to answer is missing from it. Raises StepError where that is everything, and
    where a local model fails.
    """
    kept = Keeper(context.folder / KEPT)
    prompts = asked(questions)
    if any((one.id, sample) not in kept.found for one in prompts for sample in range(config.eval.samples)):
        with opened(config.model, context) as model:
            ask(context, model, prompts, sampling(config.eval), kept, "open-qa")
    if not kept.found:
        raise StepError("open-qa: the model answered none of the questions; see the Inspect logs in the step's folder")
    return kept.found
