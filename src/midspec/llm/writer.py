"""A writer answers prompts; a scribe asks it, reads the replies strictly and keeps count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from midspec.errors import WriterError
from midspec.llm.prompt import Ask, BadReplyError, PromptTemplate, Reply

T = TypeVar("T")

ATTEMPTS = 3
"""Replies asked for before a request counts as rejected (ours)."""
STRIDE = 1000
"""Sample indices that belong to one sample of a stage: its attempts."""


class Writer(Protocol):
    """Answers one request. Gives the same reply to an equal `Ask`, or records what it gave."""

    name: str

    async def write(self, ask: Ask) -> Reply:
        """Answer `ask`. Raises BudgetError and ProviderError where nothing more can be asked."""
        ...

    def reject(self, reply: Reply, reason: str) -> None:
        """Hear that `reply` could not be used; a journal notes the reason."""
        ...


@dataclass
class Tally:
    """What was asked and what came of it, for the step record and the report."""

    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    """Price of all replies used for this result, those replayed from the journal too."""
    replayed: int = 0
    """Replies paid for in an earlier run."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Bad replies by reason."""

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        self.requests += 1
        self.input_tokens += reply.input_tokens
        self.cached_tokens += reply.cached_tokens
        self.cache_write_tokens += reply.cache_write_tokens
        self.output_tokens += reply.output_tokens
        self.dollars += reply.dollars
        self.replayed += reply.replayed

    def summary(self) -> dict[str, Any]:
        """Plain values for `record.json`."""
        return {
            "requests": self.requests,
            "replayed": self.replayed,
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "dollars": round(self.dollars, 6),
            "rejected": dict(sorted(self.rejected.items())),
        }


class Scribe:
    """A writer with its tally: asks, parses strictly, asks again a bounded number of times."""

    def __init__(self, writer: Writer, patience: int = 1) -> None:
        """`patience`: 1, and one more for every earlier run of the same step that gave up on this writer's replies.

        Replies of earlier runs come back from the journal unchanged, so a step that once gave up needs new samples.
        """
        self.writer = writer
        self.patience = patience
        self.tally = Tally()

    async def ask(
        self,
        template: PromptTemplate[T],
        variables: dict[str, Any],
        sample: int = 0,
        check: Callable[[T], None] | None = None,
        *,
        attempts: int | None = None,
    ) -> T:
        """The parsed reply. Raises WriterError when none of `attempts` (ATTEMPTS x patience) replies is usable.

        `check` sees what the parser cannot (the right count, a quote that is in the spec) and raises BadReplyError.
        """
        attempts = attempts or ATTEMPTS * self.patience
        last: BadReplyError | None = None
        for attempt in range(attempts):
            reply = await self.writer.write(template.ask(variables, sample=sample * STRIDE + attempt))
            self.tally.add(reply)
            try:
                _complete(reply)
                parsed = _parsed(template, reply.text)
                if check is not None:
                    check(parsed)
                return parsed
            except BadReplyError as error:
                self.writer.reject(reply, error.reason)
                self.tally.rejected[error.reason] += 1
                last = error
        raise WriterError(
            f"{self.writer.name}: no usable reply to {template.name} in {attempts} attempts; last: {last}"
        ) from last


def _parsed(template: PromptTemplate[T], text: str) -> T:
    """What the parser makes of `text`. Whatever it cannot read is a bad reply, JSON a thousand levels deep too."""
    try:
        text.encode()  # half a surrogate pair could not be sent on
        return template.parse(text)
    except BadReplyError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadReplyError("unparseable", f"it cannot be read: {type(error).__name__}") from error


def _complete(reply: Reply) -> None:
    match reply.stop_reason:
        case "refusal":
            raise BadReplyError("refused", reply.text[:200])
        case "max_tokens":
            raise BadReplyError("truncated", "the reply was cut at the token limit")
        case "error":
            raise BadReplyError("truncated", "the reply ended for no reason known")
        case "stop":
            if not reply.text.strip():
                raise BadReplyError("unparseable", "the reply is empty")
