"""Who answers prompts. `writer_named` turns a recipe's `writer:` into something that answers an `Ask`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from midspec.errors import InputError, WriterError
from midspec.llm.prompt import Ask, BadReplyError, PromptTemplate, Reply

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

ATTEMPTS = 3
"""Replies asked for before a request counts as rejected (ours)."""


class Writer(Protocol):
    """Answers one request. Implementations must give the same reply to an equal `Ask`, or record what they gave."""

    name: str

    async def write(self, ask: Ask) -> Reply:
        """Answer `ask`."""
        ...


@dataclass
class Tally:
    """What was asked and what came of it, for the step record and the report."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    rejected: Counter[str] = field(default_factory=Counter)
    """Bad replies by reason."""

    def summary(self) -> dict[str, Any]:
        """Plain values for `record.json`."""
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "dollars": round(self.dollars, 6),
            "rejected": dict(sorted(self.rejected.items())),
        }


class Scribe:
    """A writer with its tally: asks, parses strictly, asks again a bounded number of times."""

    def __init__(self, writer: Writer) -> None:
        """`writer` answers; this keeps count."""
        self.writer = writer
        self.tally = Tally()

    async def ask(
        self,
        template: PromptTemplate[T],
        variables: dict[str, Any],
        sample: int = 0,
        check: Callable[[T], None] | None = None,
    ) -> T:
        """The parsed reply. Raises WriterError when no attempt gave a usable one.

        `check` sees what the parser cannot (the right count, a quote that is in the spec) and raises BadReplyError.
        """
        last: BadReplyError | None = None
        for attempt in range(ATTEMPTS):
            reply = await self.writer.write(template.ask(variables, sample=sample * ATTEMPTS + attempt))
            self.tally.requests += 1
            self.tally.input_tokens += reply.input_tokens
            self.tally.output_tokens += reply.output_tokens
            self.tally.dollars += reply.dollars
            try:
                if reply.stop_reason == "refusal":
                    raise BadReplyError("refused", reply.text[:200])
                if reply.stop_reason == "max_tokens":
                    raise BadReplyError("truncated", "the reply was cut at the token limit")
                parsed = template.parse(reply.text)
                if check is not None:
                    check(parsed)
                return parsed
            except BadReplyError as error:
                self.tally.rejected[error.reason] += 1
                last = error
        raise WriterError(
            f"{self.writer.name}: no usable reply to {template.name} in {ATTEMPTS} attempts; last: {last}"
        )


def writer_named(name: str) -> Writer:
    """`offline` is the deterministic writer without a model. Raises InputError for a name nobody answers to."""
    if name == "offline":
        from midspec.llm.offline import OfflineWriter

        return OfflineWriter()
    raise InputError(
        f"writer {name!r} is not available in this version of midspec; expected 'offline'. "
        "Language-model writers are on the roadmap (CHANGELOG.md); set `writer: offline` or use `--profile smoke`."
    )


@dataclass(frozen=True)
class Outcome(Generic[A, B]):
    """One item of a fan-out: its result, or why there is none."""

    item: A
    result: B | None
    error: WriterError | None = None


async def fan_out(
    items: Sequence[A], work: Callable[[A], Awaitable[B]], *, concurrency: int, done: Callable[[], None] | None = None
) -> list[Outcome[A, B]]:
    """Run `work` on every item, at most `concurrency` at once; outcomes come in the order of `items`.

    A WriterError becomes that item's outcome; anything else propagates and cancels the rest.
    """
    slots = asyncio.Semaphore(concurrency)

    async def one(item: A) -> Outcome[A, B]:
        async with slots:
            try:
                outcome = Outcome(item, await work(item))
            except WriterError as error:
                outcome = Outcome[A, B](item, None, error)
            if done:
                done()
            return outcome

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]
