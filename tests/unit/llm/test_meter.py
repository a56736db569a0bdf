"""The cap holds whatever is in flight, and what is left under it is used."""

import asyncio

import pytest
from virtual_time import run

from midspec.errors import BudgetError
from midspec.llm.meter import Meter, WorstCase
from midspec.llm.prices import Price
from midspec.llm.prompt import Ask, Reply
from midspec.steps.progress import Silent
from midspec.steps.step import Spending

PRICE = Price(models=("x",), input=5, output=25, cache_read=0.5, cache_write=6.25)


class Shown(Silent):
    def __init__(self) -> None:
        self.done: float | None = None

    def share(self) -> float | None:
        return self.done


def meter(usd: float | None, before: float = 0.0) -> Meter:
    return Meter(Spending("cheese", usd), lambda: before, Shown())


def test_the_worst_case_of_what_is_in_flight_never_passes_the_cap():
    """Fifty requests sent because each of them alone would fit spend fifty times what is left."""

    async def main() -> None:
        counted = meter(1.0, before=0.3)
        most, ended = 0.0, 0

        async def one() -> None:
            nonlocal most, ended
            hold = await counted.hold(0.2)
            most = max(most, counted.spent + counted.in_flight * 0.2)
            await asyncio.sleep(1)
            await counted.settle(hold, 0.01)
            ended += 1

        results = await asyncio.gather(*(one() for _ in range(200)), return_exceptions=True)
        errors = [error for error in results if error is not None]
        assert most <= 1.0 + 1e-9
        # 0.7 dollars at 0.01 each, as long as 0.2 more would fit.
        assert ended == 51
        assert errors and all(isinstance(error, BudgetError) for error in errors)
        assert "cap of $1.00" in str(errors[0]) and "$0.8100" in str(errors[0])

    run(main())


def test_a_request_that_broke_off_may_have_been_charged():
    async def main() -> None:
        counted = meter(1.0)
        for _ in range(2):
            await counted.settle(await counted.hold(0.4), None)
        with pytest.raises(BudgetError, match=r"0\.8000 may have been charged"):
            await counted.hold(0.4)
        await counted.settle(await counted.hold(0.2), 0.0)

    run(main())


def test_without_a_cap_nothing_waits():
    async def main() -> None:
        counted = meter(None)
        for _ in range(100):
            await counted.hold(1000.0)
        assert counted.in_flight == 100

    run(main())


def test_dollars_to_go_are_those_of_the_present_count():
    async def main() -> None:
        counted = meter(None)
        shown = counted._progress
        await counted.settle(await counted.hold(0), 8.0)  # planning, uncounted
        assert "to go" not in counted.note()
        shown.done = 0.0
        assert "to go" not in counted.note()
        await counted.settle(await counted.hold(0), 2.0)
        shown.done = 0.25
        assert "$10.00 so far, about $6.00 to go" in counted.note()
        shown.done = 0.0  # another stage
        assert "to go" not in counted.note()

    run(main())


def test_the_worst_case_is_never_too_low_and_soon_close():
    spec = "ü" * 40_000  # two bytes each: 80,000 tokens at the very most
    ask = Ask("t", spec, "question " * 10, {}, 0)
    worst = WorstCase(PRICE, 1000)
    assert worst.dollars(ask) == pytest.approx((80_000 + 90 + 64) * 6.25e-6 + 1000 * 25e-6)
    worst.learn(ask, Reply("answer", input_tokens=30, cache_write_tokens=12_000, output_tokens=500))
    assert worst.dollars(ask) == pytest.approx((12_030 + 90 + 64) * 6.25e-6 + 1000 * 25e-6)
    worst.learn(ask, Reply("answer", input_tokens=90, cached_tokens=12_000, output_tokens=500))
    assert worst.dollars(ask) == pytest.approx((12_030 + 90 + 64) * 6.25e-6 + 1000 * 25e-6)
    assert WorstCase(PRICE.model_copy(update={"batch": 0.5}), 1000, batch=True).dollars(ask) < worst.dollars(ask) * 4


def test_what_others_of_the_run_pay_is_seen_while_there_is_room(monkeypatch: pytest.MonkeyPatch):
    """A process that looks only once its own count is over spends a second cap beside another one."""
    now, others = 0.0, 0.0
    monkeypatch.setattr("midspec.llm.meter.time.monotonic", lambda: now)
    counted = Meter(Spending("cheese", 1.0), lambda: others, Shown())

    async def main() -> None:
        nonlocal now, others
        await counted.settle(await counted.hold(0.1), 0.1)
        others = 0.95
        now = 60.0
        with pytest.raises(BudgetError, match="--usd"):
            await counted.hold(0.1)

    run(main())


def test_replies_booked_before_they_are_settled_do_not_end_a_run(monkeypatch: pytest.MonkeyPatch):
    """A batch job is booked as a whole, then settled one by one: counted twice, half of the cap would be lost."""
    now, booked = 0.0, 0.0
    monkeypatch.setattr("midspec.llm.meter.time.monotonic", lambda: now)
    counted = Meter(Spending("cheese", 1.0), lambda: booked, Shown())

    async def main() -> None:
        nonlocal now, booked
        holds = [await counted.hold(0.2) for _ in range(3)]
        now, booked = 60.0, 0.6
        waiting = asyncio.create_task(counted.hold(0.3))
        await asyncio.sleep(0)
        for hold in holds:
            await counted.settle(hold, 0.2)
        assert counted.spent == pytest.approx(1.2), "the look came between booking and settling"
        await counted.settle(await waiting, 0.0)
        assert counted.spent == pytest.approx(0.6)

    run(main())
