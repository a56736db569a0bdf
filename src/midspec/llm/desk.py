"""Where a step sits down to have something written: its scribes, their journal and their money, opened and closed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from midspec.errors import InputError
from midspec.experiment import WriterConfig
from midspec.llm.writer import Scribe

if TYPE_CHECKING:
    from midspec.steps.step import Context


class Desk:
    """`async with Desk(context) as desk: scribe = desk.scribe(config.writer)`.

    Leaving waits for replies that are on their way, since they are paid for, and closes the journal.
    """

    def __init__(self, context: Context) -> None:
        """Opens nothing: the offline writer needs neither journal nor client."""
        self._context = context
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Nothing is opened before a scribe needs it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        await self._open.aclose()

    def scribe(self, config: WriterConfig, role: Literal["writer", "judge"] = "writer") -> Scribe:
        """Who answers for `config`. Raises InputError for a name nobody answers to."""
        check_writer(config)
        from midspec.llm.offline import OfflineWriter

        return Scribe(OfflineWriter())


def check_writer(config: WriterConfig) -> None:
    """Raise InputError for a model name nobody answers to, before anything is made."""
    if config.model != "offline":
        raise InputError(f"writer {config.model!r} is not available in this version of midspec; expected 'offline'")
