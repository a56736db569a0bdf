"""Fill places one by one: propose, admit in a fixed order, finish, and try again where one came to nothing.

Nothing waits but what must: proposals are asked for at once, a proposal that is admitted is finished at once. Only two
gates keep an order, that of the tries: what is admitted stands beside all that was admitted before, and what is tried
again comes after all that failed before. So the result depends neither on the order of arrival nor on how much is in
flight.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from midspec.errors import WriterError
from midspec.llm.fan_out import begun_at_once, task_group
from midspec.llm.rounds import GIVEN_UP, ROUNDS, TOPIC_SAMPLE, Rounds

S = TypeVar("S")
Q = TypeVar("Q")
R = TypeVar("R")

NO_REPLY = "no usable reply"
NEAR_DUPLICATE = "near-duplicate"
MIN_YIELD = 0.25
"""A topic of which fewer than this share of the tries came to something is given up (ours)."""


class SetAsideError(Exception):
    """What was made cannot stand; `reason` is what tallies count."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Try(Generic[S]):
    """One attempt to fill a place."""

    place: int
    """In the result."""
    slot: S
    """What is wanted there."""
    number: int
    """0 for the first attempt at this place."""


class Belt(Generic[S, Q, R]):
    """`offer` first proposals for every slot while `run` is on; `found` holds what came of it."""

    def __init__(
        self,
        slots: Sequence[S],
        *,
        again: Callable[[Try[S]], Awaitable[Sequence[Q]]],
        admit: Callable[[Q], bool],
        finish: Callable[[Try[S], Q], Awaitable[R]],
        topic: Callable[[S], str],
        elsewhere: Callable[[Try[S], set[str]], S | None],
        settled: Callable[[Try[S], Q, R | None], None],
        rounds: int = ROUNDS,
        window: int | None = None,
    ) -> None:
        """`again` proposes for a later try, best first, and raises WriterError where nothing can be had. It is called
        in the order of the tries; what it returns is awaited at any time later.

        `admit` says, in the order of the tries, whether a proposal is unlike all admitted before, and remembers it.
        `finish` makes the result of an admitted proposal, or raises SetAsideError or WriterError; at most `window` are
        being finished at once (None = as `fan_out`). `elsewhere` gives another slot for a try whose topic is among
        those given up, or None. `settled` hears, in the order of the tries, of every admitted proposal and what came of
        it.
        """
        self.found: Rounds[R] = Rounds()
        self.set_aside: Counter[str] = Counter()
        """Tries that came to nothing, by reason."""
        self._again, self._admit, self._finish, self._settled = again, admit, finish, settled
        self._topic, self._elsewhere = topic, elsewhere
        self._rounds, self._window = rounds, window or begun_at_once.get()
        self._tries = [Try(place, slot, 0) for place, slot in enumerate(slots)]
        self._offers: dict[int, Sequence[Q]] = {}
        self._admitted: dict[int, Q] = {}
        self._outcomes: dict[int, R | str] = {}
        self._queue: deque[int] = deque()
        self._running = 0
        self._gate = 0
        """Tries before this one were admitted or turned away."""
        self._done = 0
        """Tries before this one have come to their end."""
        self._seen: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._group: asyncio.TaskGroup | None = None

    async def run(self, opening: Callable[[], Awaitable[None]]) -> None:
        """Fill all slots. `opening` offers something, be it nothing, for each of them."""
        async with task_group() as self._group:
            self._group.create_task(_awaited(opening()))
        assert self._done == len(self._tries), "every try was offered something and came to an end"

    def offer(self, number: int, proposals: Sequence[Q]) -> None:
        """Proposals for the try of that number (of a slot, its first try), best first; none = there is nothing."""
        assert number not in self._offers, "a try is offered something once"
        self._offers[number] = proposals
        while self._gate in self._offers:
            self._pass_gate(self._gate, self._offers[self._gate])
            self._offers[self._gate] = ()
            self._gate += 1
        self._start()
        self._settle()

    def _pass_gate(self, number: int, proposals: Sequence[Q]) -> None:
        for proposal in proposals:
            if self._admit(proposal):
                self._admitted[number] = proposal
                self._queue.append(number)
                return
        self._outcomes[number] = NEAR_DUPLICATE if proposals else NO_REPLY

    def _start(self) -> None:
        assert self._group is not None, "offers come while `run` is on"
        while self._queue and self._running < self._window:
            number = self._queue.popleft()
            if self._topic(self._tries[number].slot) in self.found.hopeless:
                self._outcomes[number] = GIVEN_UP
                continue
            self._running += 1
            self._group.create_task(self._finished(number))

    async def _finished(self, number: int) -> None:
        try:
            self._outcomes[number] = await self._finish(self._tries[number], self._admitted[number])
        except SetAsideError as error:
            self._outcomes[number] = error.reason
        except WriterError as error:
            self._outcomes[number] = NO_REPLY
            self.found.last = str(error)
        self._running -= 1
        self._start()
        self._settle()

    def _settle(self) -> None:
        while self._done in self._outcomes:
            number = self._done
            self._done += 1
            self._come_to_an_end(self._tries[number], self._admitted.pop(number, None), self._outcomes[number])
            self._outcomes[number] = ""

    def _come_to_an_end(self, attempt: Try[S], proposal: Q | None, outcome: R | str) -> None:
        topic = self._topic(attempt.slot)
        if topic in self.found.hopeless:
            outcome = GIVEN_UP  # whether it was finished or not, which hangs on the order of arrival
        good = not isinstance(outcome, str)
        if proposal is not None:
            self._settled(attempt, proposal, None if isinstance(outcome, str) else outcome)
        self._seen[topic] += 1
        if good:
            self._good[topic] += 1
            self.found.results[attempt.place] = outcome  # pyright: ignore[reportArgumentType]  # no text, so a result
            return
        assert isinstance(outcome, str)
        self.set_aside[outcome] += 1
        if self._seen[topic] >= TOPIC_SAMPLE and self._good[topic] < MIN_YIELD * self._seen[topic]:
            self.found.hopeless.add(topic)
        slot: S | None = attempt.slot
        if topic in self.found.hopeless:
            slot = self._elsewhere(attempt, self.found.hopeless)
        if slot is None or attempt.number + 1 >= self._rounds:
            self.found.missing[attempt.place] = outcome
            return
        assert self._group is not None
        self._tries.append(Try(attempt.place, slot, attempt.number + 1))
        self._group.create_task(self._propose(len(self._tries) - 1, self._again(self._tries[-1])))

    async def _propose(self, number: int, coming: Awaitable[Sequence[Q]]) -> None:
        try:
            proposals = await coming
        except WriterError as error:
            self.found.last = str(error)
            proposals = ()
        self.offer(number, proposals)


async def _awaited(work: Awaitable[None]) -> None:
    await work
