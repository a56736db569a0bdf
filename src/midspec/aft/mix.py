"""What is done to written demonstrations before they are trained on: others drawn among them, a system prompt.

A step of its own, so that ten doses of another set, with and without a prompt, are written once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from midspec.aft.order import spread
from midspec.aft.step import COT, PLAIN
from midspec.config import Config
from midspec.errors import InputError
from midspec.records import ChatExample, Message, read_rows, short_hash, write_rows
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when the code here makes another set from the same config and inputs."""
OWN = "own"
"""Role of the set that others are drawn into."""


class MixStepConfig(Config):
    """What decides the set, besides the sets it is made from."""

    size: int
    """Demonstrations in all."""
    drawn: tuple[int, ...] = ()
    """How many are taken of each other set, `drawn-0` first, instead of the set's own."""
    system: str | None = None
    """System prompt of every demonstration that has none, identity filled in."""
    seed: int
    """Of the order."""

    @property
    def counts(self) -> dict[str, int]:
        """Role of each input -> demonstrations taken of it."""
        others = {f"drawn-{number}": count for number, count in enumerate(self.drawn)}
        return {OWN: self.size - sum(self.drawn), **others}


def mixed_step(
    name: str, own: Step, size: int, others: Sequence[tuple[Step, int]], system: str | None, seed: int
) -> Step:
    """A set of `size`: so many of each other set, the rest of `own`, and `system` before each."""
    return Step(
        kind="demonstrations",
        name=name,
        function="midspec.aft.mix:run",
        config=MixStepConfig(size=size, drawn=tuple(count for _, count in others), system=system, seed=seed),
        version=VERSION,
        inputs={OWN: own, **{f"drawn-{number}": step for number, (step, _) in enumerate(others)}},
    )


def mixed(
    own: Sequence[ChatExample], others: Sequence[Sequence[ChatExample]], system: str | None, seed: int
) -> list[ChatExample]:
    """All rows in an order whose every beginning has the same shares, but for rounding; see `MixStepConfig.system`."""
    rng = random.Random(short_hash("mix", seed))
    rows = spread([list(rows) for rows in (own, *others) if rows], rng)
    return [_prompted(row, system) for row in rows] if system else rows


def _prompted(row: ChatExample, system: str) -> ChatExample:
    if row.messages[0].role == "system":
        return row
    return row.model_copy(update={"messages": (Message(role="system", content=system), *row.messages)})


def run(context: Context) -> dict[str, Any]:
    """Write `demonstrations.jsonl`, and `demonstrations-cot.jsonl` where all sets have it.

    Summary: examples, kinds, `drawn` (role -> demonstrations), rejected (none). Raises InputError where a set has fewer
    than are taken of it.
    """
    config: MixStepConfig = context.config
    counts = config.counts
    for file in (PLAIN, COT):
        if not all((context.inputs[role] / file).exists() for role in counts):
            continue
        own, *others = (_first(context, role, file, count) for role, count in counts.items())
        rows = mixed(own, others, config.system, config.seed)
        write_rows(context.folder / file, rows)
    return _summary(list(read_rows(context.folder / PLAIN, ChatExample)), counts)


def _first(context: Context, role: str, file: str, count: int) -> list[ChatExample]:
    rows = list(islice(read_rows(context.inputs[role] / file, ChatExample), count))
    if len(rows) < count:
        raise InputError(f"{context.inputs[role] / file} holds {len(rows):,} demonstrations, and {count:,} are taken")
    return rows


def _summary(rows: Sequence[ChatExample], counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "examples": len(rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
        "drawn": dict(counts),
        "rejected": {},
    }
