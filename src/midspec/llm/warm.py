"""Lets one request go ahead of those that share its system text, so that a provider's prompt cache is filled once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from midspec.llm.prices import tokens_of

COLD_SECONDS = 300.0
"""After so long without a request a cached text is taken to be forgotten."""
AHEAD_SECONDS = 5.0
"""Longest wait for the first request: a cache can be read as soon as the reply begins. (ours)"""
_REMEMBERED = 64


@dataclass
class _Text:
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    used: float = field(default_factory=time.monotonic)


class Warmth:
    """What is known of the prompt cache, by system text."""

    def __init__(self, minimum: int) -> None:
        """`minimum`: shortest text in tokens that the provider caches; 0 where it has no cache."""
        self._minimum = minimum
        self._texts: OrderedDict[str, _Text] = OrderedDict()

    async def wait(self, system: str) -> None:
        """Return at once for the first request with a long text; for others when the cache should be there."""
        if not self._minimum or tokens_of(system) < self._minimum:
            return
        text = self._texts.get(system)
        now = time.monotonic()
        if text is None or (text.filled.is_set() and now - text.used > COLD_SECONDS):
            self._texts[system] = _Text()
            if len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)[1].filled.set()
            return
        text.used = now
        if not text.filled.is_set():
            try:
                async with asyncio.timeout(AHEAD_SECONDS):
                    await text.filled.wait()
            except TimeoutError:
                text.filled.set()

    def answered(self, system: str) -> None:
        """A request with this text is over, well or ill."""
        text = self._texts.get(system)
        if text is not None:
            text.used = time.monotonic()
            text.filled.set()
