"""Rounds: what comes out depends on the items and the replies, not on who answers first."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run

from midspec.errors import ProviderError, WriterError
from midspec.llm.rounds import GIVEN_UP, TOPIC_SAMPLE, Rounds, in_rounds
from midspec.llm.writer import Tally


def rounds(
    count: int,
    good: Callable[[int, int], bool],
    *,
    order: int = 0,
    window: int = 1000,
    topics: int = 1,
    fails: Callable[[int, int], bool] = lambda item, number: False,
    unlike: bool = False,
    **options: object,
) -> tuple[Rounds[tuple[int, int]], Tally, list[tuple[int, int]]]:
    """Run it with delays drawn from `order`; also the asks made."""
    tally, asked, kept = Tally(), [], set()
    rng = random.Random(order)

    async def items() -> AsyncIterator[tuple[int, int]]:
        numbers = list(range(count))
        rng.shuffle(numbers)
        for number in numbers:
            if rng.random() < 0.3:
                await asyncio.sleep(rng.random())
            yield number, number

    async def ask(item: int, number: int) -> tuple[int, int]:
        asked.append((item, number))
        await asyncio.sleep(rng.expovariate(1))
        if fails(item, number):
            raise WriterError(f"nothing usable for {item}")
        return item, number

    def reject(item: int, result: tuple[int, int]) -> str | None:
        if not good(*result):
            return "bad"
        # Judged by what was accepted before, as near-duplicates are.
        if unlike and (result[0] + 3 * result[1]) % 11 in kept:
            return "like another"
        kept.add((result[0] + 3 * result[1]) % 11)
        return None

    def topic(item: int) -> str:
        return str(item % topics)

    found = run(in_rounds(items(), ask, reject, tally=tally, topic=topic, window=window, **options))
    return found, tally, asked


def chance(item: int, number: int, salt: int) -> float:
    return random.Random(f"{item}/{number}/{salt}").random()


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 60),
    share=st.floats(0, 1),
    failing=st.floats(0, 0.5),
    salt=st.integers(0, 999),
    topics=st.integers(1, 3),
    min_yield=st.sampled_from([0.0, 0.25, 0.6]),
    orders=st.tuples(st.integers(0, 99), st.integers(100, 199)),
    windows=st.tuples(st.integers(1, 5), st.integers(6, 100)),
)
def test_the_result_does_not_depend_on_the_order_of_arrival(
    count: int,
    share: float,
    failing: float,
    salt: int,
    topics: int,
    min_yield: float,
    orders: tuple[int, int],
    windows: tuple[int, int],
):
    """A corpus that differs from run to run by who answered first cannot be made again, nor resumed."""
    ways = [
        rounds(
            count,
            lambda item, number: chance(item, number, salt) < share,
            fails=lambda item, number: chance(item, number, salt + 1) < failing,
            unlike=True,
            order=order,
            window=window,
            topics=topics,
            min_yield=min_yield,
            rounds=4,
        )[0]
        for order, window in zip(orders, windows, strict=True)
    ]
    assert ways[0].results == ways[1].results
    assert ways[0].missing == ways[1].missing
    assert ways[0].hopeless == ways[1].hopeless
    assert ways[0].last == ways[1].last
    assert set(ways[0].results) | set(ways[0].missing) == set(range(count))
    assert not set(ways[0].results) & set(ways[0].missing)


def test_rejected_items_are_asked_again_and_keep_their_place():
    found, tally, asked = rounds(20, lambda item, number: item % 2 == 0 or number == 2)
    assert found.results == {item: (item, 2 if item % 2 else 0) for item in range(20)}
    assert tally.rejected == {"bad": 20}
    assert len(asked) == 40


def test_a_rejected_item_is_asked_again_before_the_last_has_come():
    """Asking must not wait for judging: a round that waits for its slowest reply leaves all places empty."""
    times: dict[tuple[int, int], float] = {}

    async def ask(item: int, number: int) -> tuple[int, int]:
        times[item, number] = asyncio.get_running_loop().time()
        await asyncio.sleep(100 if item == 9 else 1)
        return item, number

    items = list(enumerate(range(10)))
    found = run(
        in_rounds(items, ask, lambda item, result: "bad" if result == (0, 0) else None, tally=Tally(), window=50)
    )
    assert found.results[0] == (0, 1)
    assert times[0, 1] == 1.0


def test_an_item_that_is_never_good_is_given_up_after_the_last_round():
    found, tally, asked = rounds(20, lambda item, number: item != 7, rounds=3)
    assert found.missing == {7: "bad"} and len(found.results) == 19
    assert tally.rejected == {"bad": 3}
    assert [entry for entry in asked if entry[0] == 7] == [(7, 0), (7, 1), (7, 2)]
    error = str(found.shortfall("documents"))
    assert error.startswith("1 of 20 documents could not be written: 1 bad.")


def test_a_hopeless_topic_is_given_up_early_and_the_others_are_not():
    found, _, asked = rounds(
        300, lambda item, number: item % 3 != 1, topics=3, min_yield=0.25, window=10, rounds=12, order=3
    )
    assert found.hopeless == {"1"}
    assert set(found.missing) == {item for item in range(300) if item % 3 == 1}
    assert set(found.missing.values()) == {"bad", GIVEN_UP}
    assert set(found.results) == {item for item in range(300) if item % 3 != 1}
    wasted = [entry for entry in asked if entry[0] % 3 == 1]
    assert TOPIC_SAMPLE <= len(wasted) <= 160, "a hopeless topic must not be paid for to its end"


def test_what_could_not_be_read_at_all_is_asked_for_again_and_named():
    found, _, _ = rounds(5, lambda *_: True, fails=lambda item, number: item == 2 and number < 11)
    assert found.results[2] == (2, 11)
    found, _, _ = rounds(5, lambda *_: True, fails=lambda item, number: item == 2, rounds=2)
    assert found.missing == {2: "no usable reply"} and found.last == "nothing usable for 2"


def test_other_errors_end_it():
    async def ask(item: int, number: int) -> int:
        await asyncio.sleep(item)
        raise ProviderError("revoked")

    with pytest.raises(ProviderError, match="revoked"):
        run(in_rounds(enumerate(range(100)), ask, lambda *_: None, tally=Tally()))


def test_numbers_with_gaps_are_our_own_bug():
    async def ask(item: int, number: int) -> int:
        return item

    with pytest.raises(AssertionError, match="without gaps"):
        run(in_rounds([(0, 0), (2, 2)], ask, lambda *_: None, tally=Tally()))


def test_no_more_than_the_window_is_begun():
    going = most = 0

    async def ask(item: int, number: int) -> int:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(1)
        going -= 1
        return number

    reject = lambda item, number: "again" if number < 3 else None  # noqa: E731
    found = run(in_rounds(enumerate(range(50)), ask, reject, tally=Tally(), window=7))
    assert len(found.results) == 50 and most == 7
