"""Questions made for any spec: asked for passage by passage, near-duplicates taken out, a split frozen at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from midspec.errors import WriterError
from midspec.evals.open_qa.config import QuestionsConfig
from midspec.evals.open_qa.questions import Form, OpenQuestion, assign_splits
from midspec.leakage import GRAM, words
from midspec.llm.fan_out import attempted, gathered
from midspec.llm.prompt import BadReplyError, PromptTemplate, json_reply
from midspec.llm.writer import STRIDE, Scribe
from midspec.near import NearIndex
from midspec.spec.document import Identity, ModelSpec, Passage
from midspec.steps.progress import Progress

ROUNDS = 6
"""Times all passages are asked for more questions. (ours)"""
SPARE = 1.2
"""Questions asked for, for each one wanted: some are near-duplicates. (ours)"""


def _in_one_line(text: str) -> str:
    if len(text.split()) < 3:
        raise ValueError("is no question")
    return " ".join(text.split())


class QuestionReply(BaseModel):
    """One question."""

    model_config = ConfigDict(frozen=True)

    about: Annotated[str, AfterValidator(_in_one_line)]
    form: Form
    question: Annotated[str, AfterValidator(_in_one_line)]


class QuestionsReply(BaseModel):
    """Questions about one passage; one that cannot be read makes none of the others unreadable."""

    model_config = ConfigDict(frozen=True)

    questions: tuple[QuestionReply, ...] = Field(min_length=1)


class _LooseReply(BaseModel):
    questions: tuple[dict[str, object], ...] = Field(min_length=1)


def _parse(text: str) -> QuestionsReply:
    found: list[QuestionReply] = []
    for entry in json_reply(_LooseReply)(text).questions:
        try:
            found.append(QuestionReply.model_validate(entry))
        except ValueError:
            continue
    if not found:
        raise BadReplyError("unparseable", "none of the questions can be read")
    return QuestionsReply(questions=tuple(found))


QUESTIONS = PromptTemplate("evals/spec_questions", _parse, schema=QuestionsReply)


class Made(NamedTuple):
    """Questions, and what was written besides."""

    questions: list[OpenQuestion]
    left_out: dict[str, int]
    """Questions not used, by reason."""
    near: dict[str, str]
    """How near-duplicates were told."""


async def make(
    config: QuestionsConfig, spec: ModelSpec, identity: Identity, scribe: Scribe, index: NearIndex, progress: Progress
) -> Made:
    """`config.count` questions about the passages of `spec`, about as many on each, in the order of the passages.

    Left out are near-duplicates of earlier ones (`index`), questions that share GRAM consecutive words with the spec,
    and questions that name no second person. Raises WriterError where ROUNDS bring too few.
    """
    text = identity.fill(spec.text)
    taken = _grams(text)
    found: dict[int, list[QuestionReply]] = {number: [] for number in range(len(spec.passages))}
    left_out: Counter[str] = Counter()
    progress.start(config.count, "questions")

    def fault(reply: QuestionReply) -> str | None:
        if _grams(reply.question) & taken:
            return "words of the spec"
        if not {"you", "your", "yourself", "youre", "youd", "youll", "youve"}.intersection(words(reply.question)):
            return "not put to the assistant"
        [sketch] = index.sketches([reply.question])
        if index.near(sketch) is not None:
            return "near-duplicate"
        index.add(sketch)
        return None

    for number in range(ROUNDS * scribe.patience):
        missing = config.count - sum(map(len, found.values()))
        if missing <= 0:
            break
        each = ceil(missing * SPARE / len(spec.passages))
        asked = sorted(found, key=lambda at: (len(found[at]), at))[: ceil(missing * SPARE / each)]
        replies = await gathered(
            sorted(asked),
            lambda at, each=each, number=number: _asked(
                scribe, config, identity, text, spec.passages[at], [one.question for one in found[at]], each, number
            ),
        )
        for at, reply in zip(sorted(asked), replies, strict=True):
            if reply is None:
                left_out["no usable reply"] += 1
            for one in reply.questions if reply else ():
                reason = fault(one)
                if reason is not None:
                    left_out[reason] += 1
                else:
                    found[at].append(one)
                    progress.advance()
    questions = _even(found, spec.passages, identity, config.count)
    if len(questions) < config.count:
        causes = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
        raise WriterError(
            f"{len(questions)} of {config.count} questions about the spec after {ROUNDS * scribe.patience} rounds; "
            f"left out: {causes or 'none'}. Ask for fewer questions, or use another writer."
        )
    return Made(assign_splits(questions), dict(sorted(left_out.items())), index.method.summary())


async def _asked(
    scribe: Scribe,
    config: QuestionsConfig,
    identity: Identity,
    text: str,
    passage: Passage,
    known: Sequence[str],
    count: int,
    number: int,
) -> QuestionsReply | None:
    variables: dict[str, Any] = {
        "model_name": identity.model_name,
        "provider_name": identity.provider_name,
        "spec": text,
        "section": identity.fill(passage.section.title),
        "passage": identity.fill(passage.text),
        "count": count,
        "known": list(known),
    }
    sample = config.seed * STRIDE + number
    return (await attempted(passage, lambda _: scribe.ask(QUESTIONS, variables, sample))).result


def _even(
    found: dict[int, list[QuestionReply]], passages: Sequence[Passage], identity: Identity, count: int
) -> list[OpenQuestion]:
    """At most `count`, taken in turns from all passages; the dimension is the section's own heading."""
    longest = max(map(len, found.values()), default=0)
    turns = [(at, turn) for turn in range(longest) for at in sorted(found) if turn < len(found[at])][:count]
    return [
        OpenQuestion(
            id=f"question-{number:04}",
            dimension=identity.fill(passages[at].section.path[-1] if passages[at].section.path else "opening"),
            form=found[at][turn].form,
            question=found[at][turn].question,
            split="dev",
            about=found[at][turn].about,
        )
        for number, (at, turn) in enumerate(sorted(turns), start=1)
    ]


def _grams(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {said[at : at + GRAM] for at in range(len(said) - GRAM + 1)}
