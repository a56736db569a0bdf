"""Prompt caches as the providers keep them: Anthropic's explicit breakpoints, OpenAI's automatic prefixes.

A prefix can be read only once the first token of the reply that wrote it was due: requests sent at the same moment all
pay for the write, as they do at the real provider.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from tests.provider.request import CHARACTERS_PER_TOKEN, Request, digest, tokens

LOOKBACK = 20
"""Blocks before a breakpoint at which Anthropic looks for an earlier entry."""
STEP = 128
"""OpenAI caches prefixes in steps of this many tokens."""


class CacheUse(NamedTuple):
    """Input tokens by price."""

    uncached: int
    read: int
    written: int
    """Written to live for five minutes."""
    written_long: int
    """Written to live for an hour."""


class _Entry:
    __slots__ = ("expires", "readable", "ttl")

    def __init__(self, readable: float, ttl: float) -> None:
        self.readable, self.ttl = readable, ttl
        self.expires = readable + ttl


class PromptCache:
    """Entries by prefix content. `minimum` in tokens; `ttl` is what a five-minute entry lives, in seconds."""

    def __init__(self, minimum: int = 1024, ttl: float = 300.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.minimum, self.ttl, self._clock = minimum, ttl, clock
        self._entries: dict[bytes, _Entry] = {}

    def use(self, request: Request, first_token: float) -> CacheUse:
        """Account for `request`, whose reply begins `first_token` seconds from now."""
        if request.api == "openai":
            return self._automatic(request, first_token)
        return self._explicit(request, first_token)

    def _read(self, key: bytes, now: float) -> bool:
        entry = self._entries.get(key)
        if entry is None or not entry.readable <= now < entry.expires:
            return False
        entry.expires = now + entry.ttl
        return True

    def _write(self, key: bytes, readable: float, ttl: float, now: float) -> None:
        entry = self._entries.get(key)
        if entry is None or entry.expires <= now:
            self._entries[key] = _Entry(readable, ttl)
            if len(self._entries) % 4096 == 0:
                self._entries = {k: e for k, e in self._entries.items() if e.expires > now}

    def _explicit(self, request: Request, first_token: float) -> CacheUse:
        total = sum(tokens(block.text) for block in request.blocks)
        marks = [index for index, block in enumerate(request.blocks) if block.ttl is not None]
        if not marks or total < self.minimum:
            return CacheUse(total, 0, 0, 0)
        now = self._clock()
        keys: list[bytes] = []
        ends: list[int] = []
        key, end = request.model.encode(), 0
        for block in request.blocks[: marks[-1] + 1]:
            key = blake2b(key + block.role.encode() + digest(block.text), digest_size=16).digest()
            end += tokens(block.text)
            keys.append(key)
            ends.append(end)
        hit = -1
        for mark in reversed(marks):
            window = range(mark, max(-1, mark - LOOKBACK - 1), -1)
            hit = next((index for index in window if self._read(keys[index], now)), -1)
            if hit >= 0:
                break
        read = done = ends[hit] if hit >= 0 else 0
        short = long = 0
        for mark in marks:
            ttl = request.blocks[mark].ttl or self.ttl
            if mark <= hit:
                self._read(keys[mark], now)
            elif ends[mark] >= self.minimum:
                self._write(keys[mark], now + first_token, ttl, now)
                if ttl > self.ttl:
                    long += ends[mark] - done
                else:
                    short += ends[mark] - done
                done = ends[mark]
        return CacheUse(total - read - short - long, read, short, long)

    def _automatic(self, request: Request, first_token: float) -> CacheUse:
        total = sum(tokens(block.text) for block in request.blocks)
        if total < self.minimum:
            return CacheUse(total, 0, 0, 0)
        now = self._clock()
        key, ends = request.model.encode(), 0
        steps: list[tuple[bytes, int]] = []
        for block in request.blocks:
            inner = _steps(key + block.role.encode(), block.text)
            steps += [(step, ends + (number + 1) * STEP) for number, step in enumerate(inner)]
            key = blake2b(key + block.role.encode() + digest(block.text), digest_size=16).digest()
            ends += tokens(block.text)
        read = 0
        for step, end in reversed(steps):
            if end >= self.minimum and self._read(step, now):
                read = end // STEP * STEP
                break
        for step, end in steps:
            if end <= read:
                self._read(step, now)
            elif end >= self.minimum:
                self._write(step, now + first_token, self.ttl, now)
        return CacheUse(total - read, read, 0, 0)


def _chain(key: bytes, text: str) -> tuple[bytes, ...]:
    """One digest per full step of `text` behind the prefix `key`."""
    width = STEP * CHARACTERS_PER_TOKEN
    h = blake2b(key, digest_size=16)
    out: list[bytes] = []
    for start in range(0, len(text) - width + 1, width):
        h.update(text[start : start + width].encode("utf-8", "surrogatepass"))
        out.append(h.copy().digest())
    return tuple(out)


_chain_of_long = lru_cache(maxsize=64)(_chain)


def _steps(key: bytes, text: str) -> tuple[bytes, ...]:
    return _chain_of_long(key, text) if len(text) > 4096 else _chain(key, text)
