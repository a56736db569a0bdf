"""Ask for many things that must also be good together: judged in a fixed order, asked again where one is not."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from midspec.errors import WriterError
from midspec.llm.fan_out import Outcome, attempted, begun_at_once, each, task_group
from midspec.llm.writer import Tally

A = TypeVar("A")
B = TypeVar("B")

ROUNDS = 12
"""Times one item is asked for before it is given up (ours)."""
TOPIC_SAMPLE = 12
"""Outcomes of a topic seen before it can be called hopeless (ours)."""
GIVEN_UP = "topic given up"
"""Reason of what is missing because too little of its topic could be used."""


@dataclass
class Rounds(Generic[B]):
    """What came of it."""

    results: dict[int, B] = field(default_factory=dict)
    """Index of the item -> its accepted result."""
    missing: dict[int, str] = field(default_factory=dict)
    """Index of an item given up -> the reason of its last rejection."""
    hopeless: set[str] = field(default_factory=set)
    """Topics given up because too little of them could be used."""
    last: str = ""
    """What the writer said about the last reply that could not be used at all."""

    def shortfall(self, what: str) -> WriterError:
        """The error for a target that was not met, saying how many are missing and why."""
        causes = ", ".join(f"{count} {reason}" for reason, count in Counter(self.missing.values()).most_common())
        return WriterError(
            f"{len(self.missing)} of {len(self.missing) + len(self.results)} {what} could not be written: {causes}."
            + (f" Last reply: {self.last}." if self.last else "")
            + f" Run again to ask for new replies, ask for fewer {what}, or use another writer."
        )


async def in_rounds(
    items: Iterable[tuple[int, A]] | AsyncIterable[tuple[int, A]],
    ask: Callable[[A, int], Awaitable[B]],
    reject: Callable[[A, B], str | None],
    *,
    tally: Tally,
    rounds: int = ROUNDS,
    topic: Callable[[A], str] = lambda _: "",
    min_yield: float = 0.0,
    accepted: Callable[[int, B], None] | None = None,
    window: int | None = None,
) -> Rounds[B]:
    """Ask for every item until its result is accepted, `rounds` times at most; `items` are numbered from 0 without gaps
    and may come in any order and as late as they like.

    `ask(item, round)` gives a result or raises WriterError; `reject` names the reason why it cannot stand beside those
    already accepted, or returns None and keeps it in mind. What was rejected is asked for again at once, but judged
    only after all results of the round before, and within a round in the order of the items. So asking never waits for
    anything, and the result depends neither on the order of arrival nor on how much is in flight.

    A topic of which, in rounds up to the one judged, less than `min_yield` of at least TOPIC_SAMPLE outcomes was
    accepted is hopeless: what is missing of it is given up. Whoever asked decides what a shortfall means.
    """
    found: Rounds[B] = Rounds()
    waiting: dict[int, A] = {}
    arrived: dict[int, dict[int, Outcome[A, B]]] = defaultdict(dict)
    members: list[list[int] | None] = [None]  # indices that a round judges, in order; None = all items as they come
    place = [0]  # how many of a round are judged
    count = 0  # items that have come
    complete = False  # whether that is all
    current = 0
    seen: Counter[str] = Counter()
    good: Counter[str] = Counter()
    slots = asyncio.Semaphore(window or begun_at_once.get())

    async def one(index: int, number: int) -> None:
        try:
            item = waiting[index]
            if topic(item) in found.hopeless:
                arrived[number][index] = Outcome(item, None, WriterError("its topic is given up"))
            else:
                arrived[number][index] = await attempted(item, lambda item: ask(item, number))
        finally:
            slots.release()
        settle()

    async def again(index: int, number: int) -> None:
        await slots.acquire()
        await one(index, number)

    def settle() -> None:
        nonlocal current
        while current < len(members):
            order = members[current]
            size = count if order is None else len(order)
            while place[current] < size:
                index = place[current] if order is None else order[place[current]]
                if index not in arrived[current]:
                    return
                place[current] += 1
                judge(index, arrived[current].pop(index))
            if not complete:
                return
            current += 1

    def judge(index: int, outcome: Outcome[A, B]) -> None:
        item, name = outcome.item, topic(outcome.item)
        if name in found.hopeless:
            give_up(index, GIVEN_UP)  # whether it was asked for or not, which hangs on the order of arrival
            return
        if outcome.result is None:
            reason, found.last = "no usable reply", str(outcome.error)
        else:
            reason = reject(item, outcome.result)
            if reason is not None:
                tally.rejected[reason] += 1
        seen[name] += 1
        if reason is None:
            good[name] += 1
            del waiting[index]
            found.results[index] = outcome.result  # pyright: ignore[reportArgumentType]  # no reason means a result
            if accepted:
                accepted(index, found.results[index])
            return
        if seen[name] >= TOPIC_SAMPLE and good[name] < min_yield * seen[name]:
            found.hopeless.add(name)
        if current + 1 >= rounds or name in found.hopeless:
            give_up(index, reason)
            return
        if len(members) == current + 1:
            members.append([])
            place.append(0)
        following = members[current + 1]
        assert following is not None
        following.append(index)
        group.create_task(again(index, current + 1))

    def give_up(index: int, reason: str) -> None:
        del waiting[index]
        found.missing[index] = reason

    async with task_group() as group:
        async for index, item in each(items):
            waiting[index] = item
            count += 1
            await slots.acquire()
            group.create_task(one(index, 0))
        complete = True
        settle()
    assert not waiting, "items must be numbered from 0 without gaps"
    return found
