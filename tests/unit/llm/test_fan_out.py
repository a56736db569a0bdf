"""Fan-out: bounded, whatever the order of arrival; errors leave as themselves; memory does not grow with the items."""

import asyncio
import random
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run

from midspec.errors import BudgetError, ProviderError, WriterError
from midspec.llm.fan_out import BATCH_WINDOW, Outcome, begun_at_once, fan_out, gathered, task_group


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 70), st.booleans())
def test_everything_comes_once_and_no_more_than_the_window_is_begun(
    seconds: list[float], window: int, as_stream: bool
) -> None:
    begun = most = 0
    came: list[Outcome[int, int]] = []

    async def items() -> AsyncIterator[int]:
        for number in range(len(seconds)):
            await asyncio.sleep(0.5)
            yield number

    async def work(number: int) -> int:
        nonlocal begun, most
        begun += 1
        most = max(most, begun - len(came))
        await asyncio.sleep(seconds[number])
        if number % 7 == 3:
            raise WriterError(str(number))
        return number * 2

    run(fan_out(items() if as_stream else range(len(seconds)), work, came.append, window=window))
    assert most <= window
    assert sorted(outcome.item for outcome in came) == list(range(len(seconds)))
    for outcome in came:
        if outcome.item % 7 == 3:
            assert str(outcome.error) == str(outcome.item) and outcome.result is None
        else:
            assert outcome.result == outcome.item * 2 and outcome.error is None


def test_items_are_taken_no_faster_than_they_are_worked_off():
    """A million items must not stand in memory because the provider is slow."""
    taken = done = 0
    ahead: list[int] = []

    def items():
        nonlocal taken
        for number in range(500):
            taken += 1
            ahead.append(taken - done)
            yield number

    async def work(_: int) -> None:
        nonlocal done
        await asyncio.sleep(1)
        done += 1

    run(fan_out(items(), work, lambda _: None, window=20))
    assert done == 500 and max(ahead) <= 21


def test_memory_is_flat_in_the_number_of_items():
    def peak(count: int) -> int:
        async def work(number: int) -> str:
            await asyncio.sleep(0)
            return f"{number} " * 100

        tracemalloc.start()
        asyncio.run(fan_out(range(count), work, lambda _: None, window=200))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1000)
    small, large = peak(2_000), peak(40_000)
    assert large < 1.3 * small, f"{large:,} bytes for 40,000 items, {small:,} for 2,000"


@pytest.mark.parametrize("error", [BudgetError("cap"), ProviderError("key"), KeyError("bug")])
def test_any_other_error_ends_it_and_leaves_as_itself(error: Exception):
    """The command line maps errors to exit statuses: inside an ExceptionGroup it would not know them."""
    cancelled: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(1 if number == 5 else 100)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        raise error

    with pytest.raises(type(error)) as raised:
        run(fan_out(range(1000), work, lambda _: None, window=20))
    assert raised.value is error
    assert sorted(cancelled) == [number for number in range(20) if number != 5]


def test_errors_of_taking_and_of_the_items_leave_as_themselves_too():
    async def work(number: int) -> int:
        return number

    def refuse(_: object) -> None:
        raise WriterError("no room")

    def items():
        yield 1
        raise ProviderError("cut")

    with pytest.raises(WriterError, match="no room"):
        run(fan_out(range(9), work, refuse))
    with pytest.raises(ProviderError, match="cut"):
        run(fan_out(items(), work, lambda _: None))


def test_the_first_of_nested_errors_leaves():
    async def fails(after: float, error: Exception) -> None:
        await asyncio.sleep(after)
        raise error

    async def main() -> None:
        async with task_group() as outer:

            async def inner() -> None:
                async with task_group() as group:
                    group.create_task(fails(1, BudgetError("first")))
                    group.create_task(fails(1, ProviderError("second")))

            outer.create_task(inner())

    with pytest.raises(BudgetError, match="first"):
        run(main())


def test_cancelling_it_cancels_all_of_it():
    going = 0

    async def work(_: int) -> None:
        nonlocal going
        going += 1
        try:
            await asyncio.sleep(1000)
        finally:
            going -= 1

    async def main() -> None:
        task = asyncio.create_task(fan_out(range(10**6), work, lambda _: None, window=30))
        await asyncio.sleep(1)
        assert going == 30
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert going == 0

    run(main())


@given(st.lists(st.floats(0, 5), max_size=40))
def test_gathered_results_are_in_the_order_of_the_items(seconds: list[float]) -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(seconds[number])
        return number

    assert run(gathered(range(len(seconds)), work)) == list(range(len(seconds)))


def test_gathered_stops_at_the_first_hole():
    asked: list[int] = []

    async def work(number: int) -> int:
        asked.append(number)
        await asyncio.sleep(random.Random(number).random())
        if number == 3:
            raise WriterError("three")
        return number

    with pytest.raises(WriterError, match="three"):
        run(gathered(range(100_000), work))
    assert len(asked) < 3000


def test_the_window_follows_the_desk():
    most = going = 0

    async def work(_: int) -> None:
        nonlocal most, going
        going += 1
        most = max(most, going)
        await asyncio.sleep(1)
        going -= 1

    async def main() -> None:
        begun_at_once.set(BATCH_WINDOW)
        await fan_out(range(BATCH_WINDOW + 5), work, lambda _: None)

    run(main())
    assert most == BATCH_WINDOW
