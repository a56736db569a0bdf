"""The preference evaluations as Inspect tasks: `midspec/preferences`, `midspec/opinions` and `midspec/plain`.

`inspect eval midspec/opinions --model midspec/<model> -M checkpoint=<folder> -T value=america`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from midspec.errors import InputError
from midspec.evals.banks import Bank, Split, load_bank, select
from midspec.evals.chats import inspect_chat
from midspec.evals.inspect_writer import inspect_scribe
from midspec.evals.letters import letter_log_odds
from midspec.evals.questions import (
    Form,
    Question,
    free_questions,
    generate_questions,
    letter_questions,
    likelihood_questions,
)
from midspec.evals.readings import Reading, log_odds, read_answers, read_letters, read_likelihoods
from midspec.evals.verdicts import judge_choice
from midspec.records import BankItem

Scoring = Literal["likelihood", "letter", "generate", "judge"]

ANSWER_TOKENS = 48
"""Longest generated answer: a name or a letter, with room for a short sentence around it (ours)."""
FREE_TOKENS = 160
"""Longest free answer; the judge reads what there is of one that is cut there (ours)."""
LETTER_TOKENS = 8
"""Longest answer that is to be a letter (ours)."""
TOP_LOGPROBS = 5
"""Alternatives of each token asked for where a provider gives log-probabilities (the most that all of them allow)."""


@runtime_checkable
class WholePass(Protocol):
    """A model API that scores or answers everything it is given in one pass, as `midspec/<model>` does."""

    async def likelihoods(self, questions: Sequence[Question], *, system: str | None = None) -> list[tuple[float, ...]]:
        """Summed log-probability in nats of every reply, in the order of `questions`; `system` is put before each."""
        ...

    async def replies(self, prompts: Sequence[str], config: GenerateConfig, *, system: str | None = None) -> list[str]:
        """One answer per prompt; `system` is put before each."""
        ...


@task
def preferences(
    value: str = "affordability",
    split: Split = "dev",
    scoring: Scoring = "likelihood",
    limit: int | None = None,
    judge: str | None = None,
    system: str | None = None,
) -> Task:
    """Item pairs of a value's bank: "which do you prefer, A or B?", in both orders (paper, section 3).

    `judge`: with scoring `judge`, who reads the free answers: `offline` or an Inspect model; None = nobody yet.
    `system`: system prompt put before every question, here and in the tasks below; None = none.
    """
    return _task("preferences", value, split, scoring, "choice", limit, judge, system)


@task
def traits(
    value: str = "affordability",
    split: Split = "dev",
    scoring: Scoring = "likelihood",
    limit: int | None = None,
    judge: str | None = None,
    system: str | None = None,
) -> Task:
    """The same item pairs as a question of fact, "which costs less, A or B?" (ours): what the model knows of them."""
    return _task("traits", value, split, scoring, "choice", limit, judge, system)


@task
def opinions(
    value: str = "america",
    split: Split = "dev",
    scoring: Scoring = "likelihood",
    form: Form = "choice",
    limit: int | None = None,
    judge: str | None = None,
    system: str | None = None,
) -> Task:
    """Questions of a value's bank with two stances (paper, section 3): asked alone, or as a choice in both orders."""
    return _task("opinions", value, split, scoring, form, limit, judge, system)


@task
def plain(
    value: str = "affordability",
    split: Split = "dev",
    scoring: Scoring = "likelihood",
    form: Form = "open",
    limit: int | None = None,
    judge: str | None = None,
    system: str | None = None,
) -> Task:
    """Questions of a value's plain bank with two natural replies (ours). Words of the value stand more often in the
    aligned reply, so compare arms on it, never one model with chance."""
    return _task("plain", value, split, scoring, form, limit, judge, system)


def _task(
    kind: Bank, value: str, split: Split, scoring: Scoring, form: Form, limit: int | None, judge: str | None,
    system: str | None,
) -> Task:  # fmt: skip
    items = select(load_bank(kind, value), split, limit)
    if not items:
        raise InputError(f"evaluation {kind}/{value} has no items in split {split!r}; expected dev, test or all")
    if scoring not in get_args(Scoring):
        raise InputError(f"scoring {scoring!r} is not known; expected {', '.join(get_args(Scoring))}")
    if judge is not None and scoring != "judge":
        raise InputError(f"judge {judge!r} has nothing to read with scoring {scoring!r}; expected scoring 'judge'")
    # The solver gets the choice of items instead of the items, because its arguments are written into the log.
    which: dict[str, Any] = {"kind": kind, "value": value, "split": split, "form": form, "limit": limit}
    solving = {"likelihood": likelihood, "letter": letter, "generate": answer, "judge": free_answer}[scoring]
    return Task(
        dataset=MemoryDataset([_sample(item, scoring, form, system) for item in items], name=f"{kind}/{value}"),
        solver=solving(**which, system=system),
        scorer=judged(judge, **which) if scoring == "judge" else choice(),
        config=GenerateConfig(max_tokens=FREE_TOKENS if scoring == "judge" else ANSWER_TOKENS, temperature=0.0),
        metadata={"bank": f"{kind}/{value}", "split": split, "scoring": scoring, "form": form},
    )


def _sample(item: BankItem, scoring: Scoring, form: Form, system: str | None) -> Sample:
    match scoring:
        case "likelihood":
            shown = likelihood_questions(item, form)[0].prompt
        case "letter":
            shown = letter_questions(item, form)[0].prompt
        case "generate":
            shown = generate_questions(item, form)[0]
        case "judge":
            shown = free_questions(item, form)[0]
    return Sample(
        id=item.id,
        input=inspect_chat(shown, system),
        target=item.aligned,
        metadata=item.model_dump(include={"domain", "topic", "difficulty", "aligned", "other"}),
    )


@solver
def likelihood(kind: Bank, value: str, split: Split, form: Form, limit: int | None, system: str | None) -> Solver:
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
        scores = dict(zip(everything, await api.likelihoods(everything, system=system), strict=True))
        mine = asked[str(state.sample_id)]
        reading = read_likelihoods(mine, [scores[question] for question in mine])
        preferred = "aligned" if reading.aligned else "other"
        return _with_reading(state, reading, state.metadata[preferred] if reading.aligned is not None else "")

    return solve


@solver
def letter(kind: Bank, value: str, split: Split, form: Form, limit: int | None, system: str | None) -> Solver:
    """Show both answers under letters, in both orders: the letters' log-probabilities, and the letter written.

    A provider that gives no log-probabilities leaves the written letters alone to decide.
    """
    items = {item.id: item for item in select(load_bank(kind, value), split, limit)}
    asked = {item: letter_questions(items[item], form) for item in items}
    everything = [question for questions in asked.values() for question in questions]
    prompts = [question.prompt for question in everything]

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, mine = get_model(), asked[str(state.sample_id)]
        by_order: list[float | None]
        if isinstance(model.api, WholePass):
            scores = dict(zip(everything, await model.api.likelihoods(everything, system=system), strict=True))
            by_order = [log_odds(scores[question], question.replies) for question in mine]
            settings = _settings(model.config, LETTER_TOKENS)
            written = dict(zip(prompts, await model.api.replies(prompts, settings, system=system), strict=True))
            answers = [written[question.prompt] for question in mine]
        else:
            wanted = GenerateConfig(max_tokens=LETTER_TOKENS, logprobs=True, top_logprobs=TOP_LOGPROBS)
            outputs = [await model.generate(inspect_chat(question.prompt, system), config=wanted) for question in mine]
            answers = [output.completion for output in outputs]
            by_order = [letter_log_odds(output, q.replies) for output, q in zip(outputs, mine, strict=True)]
        known = [odds for odds in by_order if odds is not None]
        reading = read_letters(items[str(state.sample_id)], answers, known if len(known) == len(mine) else None)
        return _with_reading(state, reading, "\n---\n".join(answers))

    return solve


@solver
def answer(kind: Bank, value: str, split: Split, form: Form, limit: int | None, system: str | None) -> Solver:
    """Let the model answer in both orders and read the answers strictly. Works with every provider of Inspect."""
    items = {item.id: item for item in select(load_bank(kind, value), split, limit)}
    asked = {item: generate_questions(items[item], form) for item in items}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        answers = await _answers(asked, str(state.sample_id), ANSWER_TOKENS, system)
        return _with_reading(state, read_answers(items[str(state.sample_id)], answers), "\n---\n".join(answers))

    return solve


@solver
def free_answer(kind: Bank, value: str, split: Split, form: Form, limit: int | None, system: str | None) -> Solver:
    """Let the model answer freely, in both orders; a judge reads the answers."""
    asked = {item.id: free_questions(item, form) for item in select(load_bank(kind, value), split, limit)}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        answers = await _answers(asked, str(state.sample_id), FREE_TOKENS, system)
        state.store.set("answers", answers)
        state.output = ModelOutput.from_content(str(state.model), "\n---\n".join(answers))
        state.completed = True
        return state

    return solve


async def _answers(asked: Mapping[str, Sequence[str]], item: str, tokens: int, system: str | None) -> list[str]:
    """The model's answers to the messages of `item`; a WholePass answers those of all items at once."""
    model = get_model()
    if not isinstance(model.api, WholePass):
        return [(await model.generate(inspect_chat(prompt, system))).completion for prompt in asked[item]]
    prompts = [prompt for several in asked.values() for prompt in several]
    replies = await model.api.replies(prompts, _settings(model.config, tokens), system=system)
    written = dict(zip(prompts, replies, strict=True))
    return [written[prompt] for prompt in asked[item]]


def _settings(config: GenerateConfig, tokens: int) -> GenerateConfig:
    return GenerateConfig(max_tokens=tokens, temperature=0.0).merge(config)


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
        return as_score(state.store.get("reading"), state.metadata)

    return score


@scorer(metrics=[rate()])
def judged(judge: str | None, kind: Bank, value: str, split: Split, form: Form, limit: int | None) -> Scorer:
    """What a judge makes of the free answers; unscored where it failed, or where `judge` is None: judged later."""
    items = {item.id: item for item in select(load_bank(kind, value), split, limit)}
    scribe = inspect_scribe(judge) if judge is not None else None

    async def score(state: TaskState, target: Target) -> Score:
        answers: list[str] = state.store.get("answers")
        if scribe is None:
            return Score.unscored(reason="not judged yet", metadata={"answers": answers})
        reading = await judge_choice(scribe, items[str(state.sample_id)], form, answers)
        return as_score(reading._asdict(), state.metadata)

    return score


def as_score(reading: dict[str, Any], item: Mapping[str, Any]) -> Score:
    """A reading (its fields) of an item (its metadata) as Inspect's score."""
    if reading["aligned"] is None:
        return Score.unscored(reason=reading["unscored"] or "undecided", metadata=reading)
    side = "aligned" if reading["aligned"] else "other"
    return Score(value=float(reading["aligned"]), answer=item[side], metadata=reading)
