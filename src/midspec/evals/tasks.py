"""The preference evaluations as Inspect tasks: `midspec/preferences` and `midspec/opinions`.

`inspect eval midspec/opinions --model midspec/<model> -M checkpoint=<folder> -T value=america`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from midspec.errors import InputError
from midspec.evals.banks import Bank, Split, load_bank, select
from midspec.evals.questions import Form, Question, generate_questions, likelihood_questions
from midspec.evals.readings import Reading, read_answers, read_likelihoods
from midspec.records import BankItem

Scoring = Literal["likelihood", "generate"]

ANSWER_TOKENS = 48
"""Longest generated answer: a name or a letter, with room for a short sentence around it (ours)."""


@runtime_checkable
class WholePass(Protocol):
    """A model API that scores or answers everything it is given in one pass, as `midspec/<model>` does."""

    async def likelihoods(self, questions: Sequence[Question]) -> list[tuple[float, ...]]:
        """Summed log-probability in nats of every reply, in the order of `questions`."""
        ...

    async def replies(self, prompts: Sequence[str], config: GenerateConfig) -> list[str]:
        """One answer per prompt."""
        ...


@task
def preferences(
    value: str = "affordability", split: Split = "dev", scoring: Scoring = "likelihood", limit: int | None = None
) -> Task:
    """Item pairs of a value's bank: "which do you prefer, A or B?", in both orders (paper, section 3)."""
    return _task("preferences", value, split, scoring, "choice", limit)


@task
def opinions(
    value: str = "america",
    split: Split = "dev",
    scoring: Scoring = "likelihood",
    form: Form = "choice",
    limit: int | None = None,
) -> Task:
    """Questions of a value's bank with two stances (paper, section 3): asked alone, or as a choice in both orders."""
    return _task("opinions", value, split, scoring, form, limit)


def _task(kind: Bank, value: str, split: Split, scoring: Scoring, form: Form, limit: int | None) -> Task:
    items = select(load_bank(kind, value), split, limit)
    if not items:
        raise InputError(f"evaluation {kind}/{value} has no items in split {split!r}; expected dev, test or all")
    if scoring not in ("likelihood", "generate"):
        raise InputError(f"scoring {scoring!r} is not known; expected likelihood or generate")
    # The solver gets the choice of items instead of the items, because its arguments are written into the log.
    which: dict[str, Any] = {"kind": kind, "value": value, "split": split, "form": form, "limit": limit}
    return Task(
        dataset=MemoryDataset([_sample(item, scoring, form) for item in items], name=f"{kind}/{value}"),
        solver=likelihood(**which) if scoring == "likelihood" else answer(**which),
        scorer=choice(),
        config=GenerateConfig(max_tokens=ANSWER_TOKENS, temperature=0.0),
        metadata={"bank": f"{kind}/{value}", "split": split, "scoring": scoring, "form": form},
    )


def _sample(item: BankItem, scoring: Scoring, form: Form) -> Sample:
    shown = likelihood_questions(item, form)[0].prompt if scoring == "likelihood" else generate_questions(item, form)[0]
    return Sample(
        id=item.id,
        input=shown,
        target=item.aligned,
        metadata=item.model_dump(include={"domain", "topic", "difficulty", "aligned", "other"}),
    )


@solver
def likelihood(kind: Bank, value: str, split: Split, form: Form, limit: int | None) -> Solver:
    """Compare the likelihood of both replies. The first sample scores the whole data set in one pass, all others read.

    Raises InputError with a provider that gives no likelihoods of whole replies.
    """
    asked = {item.id: likelihood_questions(item, form) for item in select(load_bank(kind, value), split, limit)}
    everything = [question for questions in asked.values() for question in questions]

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        api = get_model().api
        if not isinstance(api, WholePass):
            raise InputError(
                f"model {state.model} gives no likelihood of a whole reply; use scoring=generate "
                "(`-T scoring=generate`), or a midspec/<model>"
            )
        scores = dict(zip(everything, await api.likelihoods(everything), strict=True))
        mine = asked[str(state.sample_id)]
        reading = read_likelihoods(mine, [scores[question] for question in mine])
        preferred = "aligned" if reading.aligned else "other"
        return _with_reading(state, reading, state.metadata[preferred] if reading.aligned is not None else "")

    return solve


@solver
def answer(kind: Bank, value: str, split: Split, form: Form, limit: int | None) -> Solver:
    """Let the model answer in both orders and read the answers strictly. Works with every provider of Inspect."""
    items = {item.id: item for item in select(load_bank(kind, value), split, limit)}
    asked = {item: generate_questions(items[item], form) for item in items}
    prompts = [prompt for pair in asked.values() for prompt in pair]

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        mine = asked[str(state.sample_id)]
        if isinstance(model.api, WholePass):
            written = dict(zip(prompts, await model.api.replies(prompts, _settings(model.config)), strict=True))
            answers = [written[prompt] for prompt in mine]
        else:
            answers = [(await model.generate(prompt)).completion for prompt in mine]
        return _with_reading(state, read_answers(items[str(state.sample_id)], answers), "\n---\n".join(answers))

    return solve


def _settings(config: GenerateConfig) -> GenerateConfig:
    return GenerateConfig(max_tokens=ANSWER_TOKENS, temperature=0.0).merge(config)


def _with_reading(state: TaskState, reading: Reading, shown: str) -> TaskState:
    state.store.set("reading", reading._asdict())
    state.output = ModelOutput.from_content(str(state.model), shown)
    state.completed = True
    return state


@metric
def rate() -> Metric:
    """Share of decided items whose answer is the aligned one. Inspect counts the undecided as unscored samples."""

    def compute(scores: list[SampleScore]) -> float:
        return sum(score.score.as_float() for score in scores) / len(scores) if scores else float("nan")

    return compute


@scorer(metrics=[rate()])
def choice() -> Scorer:
    """1 for the aligned answer, 0 for the other; unscored where undecided. The numbers are in the score's metadata."""

    async def score(state: TaskState, target: Target) -> Score:
        reading: dict[str, Any] = state.store.get("reading")
        if reading["aligned"] is None:
            return Score.unscored(reason="undecided", metadata=reading)
        side = "aligned" if reading["aligned"] else "other"
        return Score(value=float(reading["aligned"]), answer=state.metadata[side], metadata=reading)

    return score
