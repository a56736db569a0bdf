"""Writers that answer as told, or in another order than asked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping

from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, Reply

Told = str | Reply | Callable[[Ask], "str | Reply | None"]


class Answering(OfflineWriter):
    """The offline writer, but for prompts it is told how to answer; None from a function is the offline reply."""

    def __init__(self, told: Mapping[str, Told]) -> None:
        self.told = told
        self.asks: list[Ask] = []
        self.rejected: Counter[str] = Counter()

    @property
    def asked(self) -> int:
        """Requests so far."""
        return len(self.asks)

    async def write(self, ask: Ask) -> Reply:
        """The reply told, else the offline one."""
        self.asks.append(ask)
        told = self.told.get(ask.template)
        reply = told(ask) if callable(told) else told
        if reply is None:
            return await super().write(ask)
        return reply if isinstance(reply, Reply) else Reply(reply)

    def reject(self, reply: Reply, reason: str) -> None:
        """Keep the reason."""
        self.rejected[reason] += 1


class Shuffled(Answering):
    """Answers as told, in an order that has nothing to do with that of the requests."""

    def __init__(self, seed: int, told: Mapping[str, Told] | None = None) -> None:
        super().__init__(told or {})
        self._rng = random.Random(seed)

    async def write(self, ask: Ask) -> Reply:
        """The reply, after a few turns of the loop."""
        for _ in range(self._rng.choice((0, 1, 2, 5, 40))):
            await asyncio.sleep(0)
        return await super().write(ask)
