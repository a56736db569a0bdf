"""Slots find a provider's limits, use them up, and are not driven into the ground by refusals that mean nothing."""

import asyncio
import heapq
import math
import random
from collections.abc import Callable

import pytest
from virtual_time import run

from midspec.llm.slots import Slots

MEDIAN, SIGMA = 2.0, 0.6
MEAN = MEDIAN * math.exp(SIGMA**2 / 2)
ROUND_TRIP = 0.05


class Limited:
    """A provider: `ask` gives None, or the seconds that a refused request is told to wait."""

    def __init__(self, per_second: float = math.inf, at_once: float = math.inf, chance: float = 0.0) -> None:
        self.per_second, self.at_once, self.chance = per_second, at_once, chance
        self.level = max(1.0, per_second)
        self.at = 0.0
        self.working = 0
        self.rng = random.Random(1)

    def ask(self, now: float) -> float | None:
        if self.rng.random() < self.chance or self.working >= self.at_once:
            return 0.05
        if math.isfinite(self.per_second):
            self.level = min(max(1.0, self.per_second), self.level + (now - self.at) * self.per_second)
            self.at = now
            if self.level < 1:
                return (1 - self.level) / self.per_second
            self.level -= 1
        self.working += 1
        return None


class Worked:
    """What came of it."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.refused = 0
        self.most = 0
        self.ended = 0.0


def work(provider: Limited, count: int, ceiling: int = 50, latency: Callable[[random.Random], float] | None = None):
    done = Worked()
    rng = random.Random(7)
    seconds = [latency(rng) if latency else rng.lognormvariate(math.log(MEDIAN), SIGMA) for _ in range(count)]

    async def one(slots: Slots, number: int) -> None:
        loop, turn = asyncio.get_running_loop(), slots.turn()
        while True:
            slot = await slots.take(0, turn)
            done.most = max(done.most, slots.in_flight)
            await asyncio.sleep(ROUND_TRIP)
            wait = provider.ask(loop.time())
            if wait is None:
                done.begun.append(loop.time())
                await asyncio.sleep(seconds[number])
                provider.working -= 1
                slots.answered(slot)
                return
            done.refused += 1
            slots.refused(slot, wait)

    async def main() -> None:
        slots = Slots(ceiling)
        await asyncio.gather(*(one(slots, number) for number in range(count)))
        assert slots.in_flight == 0
        done.ended = asyncio.get_running_loop().time()

    run(main())
    return done, seconds


def greedy(seconds: list[float], places: int) -> float:
    """When the last one ends if each begins as soon as a place is free: the best without knowing their lengths."""
    free = [0.0] * places
    for length in seconds:
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


def test_without_limits_all_places_are_used_all_the_time():
    done, seconds = work(Limited(), 1024)
    assert done.most == 50 and done.refused == 0
    assert done.ended <= 1.02 * greedy([length + ROUND_TRIP for length in seconds], 50)


@pytest.mark.parametrize("per_second", [5, 10, 20])
def test_a_rate_limit_is_found_and_used_up_without_a_storm_of_refusals(per_second: int):
    """Fifty requests sent into a bucket of ten are forty refusals, and retried together they are refused again."""
    count = 120 * per_second
    done, _ = work(Limited(per_second), count)
    assert done.begun[-1] <= 1.08 * count / per_second
    assert done.refused <= 0.15 * count


def test_a_low_limit_on_requests_at_once_is_found():
    done, _ = work(Limited(at_once=20), 1000)
    assert done.begun[-1] <= 1.25 * 980 * (MEAN + ROUND_TRIP) / 20
    assert done.refused <= 100


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.3])
def test_refusals_that_come_by_chance_do_not_slow_it_down_for_ever(chance: float):
    """A pace that only ever falls would end at one request a minute where every tenth is refused whatever one does."""
    done, _ = work(Limited(chance=chance), 1000)
    assert done.begun[-1] <= 2.2 * 1000 * (MEAN + ROUND_TRIP) / 50


def test_a_limit_that_is_lifted_is_left_behind():
    provider = Limited(4)

    async def lifted() -> None:
        slots = Slots(50)

        async def one() -> None:
            turn = slots.turn()
            while True:
                slot = await slots.take(0, turn)
                wait = provider.ask(asyncio.get_running_loop().time())
                if wait is None:
                    await asyncio.sleep(1)
                    slots.answered(slot)
                    return
                slots.refused(slot, wait)

        await asyncio.gather(*(one() for _ in range(200)))
        provider.per_second = math.inf
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(one() for _ in range(2000)))
        assert asyncio.get_running_loop().time() - begun < 90  # 40 s at full speed, 500 s at the old one

    run(lifted())


def test_nothing_is_sent_while_the_provider_asks_to_wait():
    async def main() -> None:
        slots, loop = Slots(10), asyncio.get_running_loop()
        slots.refused(await slots.take(0, slots.turn()), 3.0)
        slot = await slots.take(0, slots.turn())
        assert loop.time() >= 3.0
        slots.answered(slot)

    run(main())


def test_earlier_stages_go_first_and_a_repeated_request_keeps_its_turn():
    async def main() -> None:
        slots, order = Slots(1), []

        async def one(stage: int, turn: int) -> None:
            slot = await slots.take(stage, turn)
            order.append((stage, turn))
            slots.answered(slot)

        held = await slots.take(0, 0)
        tasks = [asyncio.create_task(one(stage, turn)) for stage, turn in [(2, 1), (1, 9), (1, 3), (0, 12), (2, 0)]]
        await asyncio.sleep(0)
        slots.answered(held)
        await asyncio.gather(*tasks)
        assert order == [(0, 12), (1, 3), (1, 9), (2, 0), (2, 1)]

    run(main())


def test_closing_ends_every_wait():
    async def main() -> None:
        slots = Slots(1)
        held = await slots.take(0, 0)
        waiting = [asyncio.create_task(slots.take(0, turn)) for turn in range(5)]
        await asyncio.sleep(0)
        slots.close(ValueError("closed"))
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(error) for error in ended] == ["closed"] * 5
        with pytest.raises(ValueError, match="closed"):
            await slots.take(0, 99)
        slots.answered(held)
        assert slots.in_flight == 0

    run(main())


def test_who_is_cancelled_while_waiting_takes_no_place_with_him():
    async def main() -> None:
        slots = Slots(2)
        for moment in range(6):
            held = [await slots.take(0, slots.turn()) for _ in range(2)]
            waiting = [asyncio.create_task(slots.take(0, slots.turn())) for _ in range(3)]
            await asyncio.sleep(0)
            if moment % 2:  # the place is given in the very moment of the cancellation
                for slot in held:
                    slots.answered(slot)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            if not moment % 2:
                for slot in held:
                    slots.answered(slot)
            assert slots.in_flight == 0

    run(main())
