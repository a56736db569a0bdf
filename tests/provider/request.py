"""One request, in the form that both APIs share: what is hashed, cached, priced and answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

CHARACTERS_PER_TOKEN = 4
_LONG = 4096


def tokens(text: str) -> int:
    """Tokens of a text: one per four characters, rounded up. Free to compute, and the same everywhere."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_digest_of_long = lru_cache(maxsize=64)(_digest)


def digest(text: str) -> bytes:
    """16 bytes that stand for `text`. Long texts (a spec, sent thousands of times) are hashed once."""
    return _digest_of_long(text) if len(text) > _LONG else _digest(text)


def chance(seed: int, purpose: str, key: str, occurrence: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments, so that two runs can be compared."""
    material = f"{seed}\x00{purpose}\x00{key}\x00{occurrence}".encode()
    return int.from_bytes(blake2b(material, digest_size=8).digest(), "big") / 2**64


class Block(NamedTuple):
    """A piece of the prompt, in prompt order (tools, system, messages)."""

    role: str
    text: str
    ttl: float | None = None
    """Seconds to cache the prompt up to and with this block; None: no cache breakpoint here."""


@dataclass(slots=True)
class Request:
    """What a client asked for."""

    api: str
    """`anthropic` or `openai`."""
    model: str
    blocks: list[Block]
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    usage_in_stream: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    """Everything else in the body that can change the reply: tools, seed, temperature, metadata, schema."""
    sample: str = ""
    """Header `x-midspec-sample`: tells two wanted samples of one prompt apart. No real provider reads it."""
    hash: str = ""
    occurrence: int = 0
    """How many requests of this hash were accepted before this one."""
    batch: str = ""

    def __post_init__(self) -> None:
        h = blake2b(digest_size=16)
        settings = json.dumps(self.settings, sort_keys=True) if self.settings else ""
        h.update(
            f"{self.api}\x00{self.model}\x00{self.max_tokens}\x00{self.stop}\x00{settings}\x00{self.sample}".encode()
        )
        for block in self.blocks:
            h.update(block.role.encode())
            h.update(digest(block.text))
        self.hash = h.hexdigest()

    @property
    def system(self) -> str:
        """The system prompt (OpenAI: system or developer messages)."""
        return "\n\n".join(b.text for b in self.blocks if b.role in ("system", "developer"))

    @property
    def user(self) -> str:
        """The text of the last user turn."""
        parts: list[str] = []
        for block in reversed(self.blocks):
            if block.role != "user":
                if parts:
                    break
                continue
            parts.append(block.text)
        return "\n\n".join(reversed(parts))

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "\n\n".join(b.text for b in self.blocks)

    def unit(self, purpose: str) -> float:
        """A number in [0, 1) fixed by this request and occurrence, for a script that wants variety."""
        return chance(0, purpose, self.hash, self.occurrence)
