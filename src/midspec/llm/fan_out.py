"""Run many asks at once in bounded memory. How many requests are in flight is the writer's own affair."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from midspec.errors import WriterError

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

WINDOW = 1000
"""Items begun and not ended: enough to keep every slot of a provider busy, and all that memory holds."""
BATCH_WINDOW = 20_000
"""The same where requests wait for hours in batch jobs of thousands."""
begun_at_once: ContextVar[int] = ContextVar("begun_at_once", default=WINDOW)
"""The window of fan-outs that name none. A desk sets it for what happens at it."""


@dataclass(frozen=True)
class Outcome(Generic[A, B]):
    """One item of a fan-out: its result, or why there is none."""

    item: A
    result: B | None
    error: WriterError | None = None


async def fan_out(
    items: Iterable[A] | AsyncIterable[A],
    work: Callable[[A], Awaitable[B]],
    take: Callable[[Outcome[A, B]], None],
    *,
    window: int | None = None,
) -> None:
    """Run `work` on every item as it comes, at most `window` (None = `begun_at_once`) of them at once, and hand each
    outcome to `take` as it arrives.

    A WriterError becomes that item's outcome; anything else propagates and cancels the rest.
    """
    slots = asyncio.Semaphore(window or begun_at_once.get())

    async def one(item: A) -> None:
        try:
            take(await attempted(item, work))
        finally:
            slots.release()

    async with task_group() as group:
        async for item in each(items):
            await slots.acquire()
            group.create_task(one(item))


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup]:
    """A TaskGroup whose first error leaves as itself instead of inside an ExceptionGroup."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def gathered(items: Iterable[A], work: Callable[[A], Awaitable[B]]) -> list[B]:
    """All results in the order of `items`. The first WriterError ends it: nothing can be built on a hole."""
    results: dict[int, B] = {}

    async def numbered(entry: tuple[int, A]) -> None:
        results[entry[0]] = await work(entry[1])

    def take(outcome: Outcome[tuple[int, A], None]) -> None:
        if outcome.error is not None:
            raise outcome.error

    await fan_out(enumerate(items), numbered, take)
    return [results[index] for index in range(len(results))]


async def attempted(item: A, work: Callable[[A], Awaitable[B]]) -> Outcome[A, B]:
    """The outcome of `work` on `item`."""
    try:
        return Outcome(item, await work(item))
    except WriterError as error:
        return Outcome(item, None, error)


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Both kinds of iterable as one."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, but a Ctrl-C that comes while `work` never waits still raises KeyboardInterrupt.

    asyncio turns the first one into a cancellation, which work that ends without another wait does not hear of.
    """
    with asyncio.Runner() as runner:
        result = runner.run(work)
        if getattr(runner, "_interrupt_count", 0):
            raise KeyboardInterrupt
        return result
