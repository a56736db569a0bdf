"""Places for requests in flight, given out by stage and at the pace that the provider allows."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass

from midspec.llm.pace import Pace


@dataclass(frozen=True)
class Slot:
    """A place taken. Give it back once, by one of the three ends that `Slots` knows."""

    others: int
    """Requests in flight when it was taken."""


class Slots:
    """At most as many requests at once, and as fast, as the provider takes; earlier stages first, then first come."""

    def __init__(self, ceiling: int) -> None:
        """`ceiling`: most requests at once."""
        self.in_flight = 0
        self.pace = Pace(ceiling)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[Slot]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._turns = 0
        self._closed: BaseException | None = None

    @property
    def waiting(self) -> int:
        """Requests that want a place."""
        return len(self._waiting)

    def turn(self) -> int:
        """A number for a request that comes now; one that has to go again keeps its number and its place in line."""
        self._turns += 1
        return self._turns

    async def take(self, stage: int, turn: int) -> Slot:
        """Wait for a place. Raises what `close` was given."""
        if self._closed is not None:
            raise self._closed
        if not self._waiting and self._free() and not self.pace.delay(self._loop.time()):
            return self._taken()
        future: asyncio.Future[Slot] = self._loop.create_future()
        heapq.heappush(self._waiting, (stage, turn, future))
        self._give_out()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.in_flight -= 1  # it was given a place in the very moment in which it was cancelled
                self._give_out()
            raise

    def answered(self, slot: Slot) -> None:
        """The provider took the request on, whatever came of it."""
        self.pace.accept(slot.others, self._loop.time())
        self._back()

    def refused(self, slot: Slot, wait: float | None) -> None:
        """The provider turned it away, and asks to wait so many seconds."""
        self.pace.refuse(slot.others, wait, self._loop.time())
        self._back()

    def unused(self, slot: Slot) -> None:
        """Nothing is known of how the provider took it, or it was never sent."""
        self._back()

    def close(self, error: BaseException) -> None:
        """Give out no more places: whoever waits or comes gets `error`."""
        if self._closed is not None:
            return
        self._closed = error
        if self._timer is not None:
            self._timer.cancel()
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _free(self) -> bool:
        return self.in_flight < self.pace.limit

    def _taken(self) -> Slot:
        slot = Slot(self.in_flight)
        self.in_flight += 1
        self.pace.send(self._loop.time())
        return slot

    def _back(self) -> None:
        self.in_flight -= 1
        self._give_out()

    def _give_out(self) -> None:
        while self._waiting and self._free():
            future = self._waiting[0][2]
            if future.done():  # cancelled while it waited
                heapq.heappop(self._waiting)
                continue
            delay = self.pace.delay(self._loop.time())
            if delay > 0:
                self._wake_in(delay)
                return
            heapq.heappop(self._waiting)
            future.set_result(self._taken())

    def _wake_in(self, delay: float) -> None:
        when = self._loop.time() + delay
        if self._timer is not None:
            if self._timer.when() <= when + 0.001:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._give_out()
