"""What a step spends: counted against the cap before a request goes out, and shown while it runs."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from midspec.errors import BudgetError
from midspec.llm.prices import Price, Tokens
from midspec.llm.prompt import Ask, Reply
from midspec.steps.progress import Progress
from midspec.steps.step import Spending

_SHOW_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_REMEMBERED = 64
_OVERHEAD_TOKENS = 64
"""More than the wrapping of two messages takes, at any provider."""


@dataclass
class Hold:
    """Dollars set aside for one request until its price is known."""

    dollars: float


class Meter:
    """The spending of one step: its requests to the writer and to the judge together."""

    def __init__(self, spending: Spending, spent: Callable[[], float], progress: Progress) -> None:
        """`spent` tells what the run has paid so far, over all its processes and interruptions."""
        self.cap = spending.usd
        self.tokens = 0
        self.paid = 0.0
        """Dollars for replies that came in this process."""
        self.retries = 0
        self.in_flight = 0
        self._run = spending.run
        self._spent = spent
        self._progress = progress
        self._before = self._at_start = spent()
        self._held = 0.0
        self._lost = 0.0
        self._room = asyncio.Condition()
        self._shown = self._looked = time.monotonic()
        self._share = 0.0
        self._paid_at_start = 0.0

    @property
    def spent(self) -> float:
        """Dollars that the run has paid, as far as is known here."""
        return self._before + self.paid

    async def hold(self, worst: float) -> Hold:
        """Set aside the most that a request can cost; waits while only what is in flight stands in the way.

        Raises BudgetError where the cap has no room for it even after that.
        """
        if self.cap is not None:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._look()
            if self._over(worst + self._held):
                await self._wait_for_room(worst)
        self._held += worst
        self.in_flight += 1
        return Hold(worst)

    async def _wait_for_room(self, worst: float) -> None:
        async with self._room:
            while self._over(worst + self._held):
                if not self._over(worst):
                    await self._room.wait()
                    continue
                self._look()
                if self._over(worst):
                    raise self._error(worst)

    async def settle(self, hold: Hold, price: float | None) -> None:
        """The request is over and cost `price`; None where nobody knows whether the provider charged for it."""
        self._held -= hold.dollars
        self.in_flight -= 1
        if price is None:
            self._lost += hold.dollars
        else:
            self.paid += price
        hold.dollars = 0.0
        if self.cap is not None:
            async with self._room:
                self._room.notify_all()

    def count(self, reply: Reply) -> None:
        """Show that a reply came."""
        self.tokens += reply.input_tokens + reply.cached_tokens + reply.cache_write_tokens + reply.output_tokens
        now = time.monotonic()
        if now - self._shown >= _SHOW_SECONDS:
            self._shown = now
            self._progress.note(self.note())

    def note(self) -> str:
        """Tokens, dollars so far and to go, requests in flight, retries."""
        parts = [f"{_short(self.tokens)} tokens", f"${self.spent:,.2f} so far"]
        to_go = self._to_go()
        if to_go is not None:
            parts.append(f"about ${to_go:,.2f} to go")
        if self.cap is not None:
            parts.append(f"cap ${self.cap:,.2f}")
        parts.append(f"{self.in_flight} in flight")
        if self.retries:
            parts.append(f"{self.retries} retries")
        return ", ".join(parts)

    def _to_go(self) -> float | None:
        """Dollars for what is left of the present count, if it goes on as so far."""
        share = self._progress.share()
        if share is None or share < self._share:  # another count has begun
            self._paid_at_start = self.paid
        self._share = share or 0.0
        if not self._share or not self.paid:
            return None
        return (self.paid - self._paid_at_start) * (1 - self._share) / self._share

    def _over(self, dollars: float) -> bool:
        assert self.cap is not None
        # Sums of many small floats: a millionth of a cent is no overdraft.
        return self.spent + self._lost + dollars > self.cap + 1e-8

    def _look(self) -> None:
        """Take in what other processes of the run have paid meanwhile.

        Replies of a batch job are booked before they are settled here, so what one look counts too much the next one
        takes back.
        """
        self._looked = time.monotonic()
        self._before = max(self._at_start, self._spent() - self.paid)

    def _error(self, worst: float) -> BudgetError:
        lost = f", ${self._lost:.4f} may have been charged for requests that broke off" if self._lost >= 0.00005 else ""
        return BudgetError(
            f"run {self._run!r} has spent ${self.spent:.4f}{lost}; the next request may cost ${worst:.4f}, which would "
            f"pass the cap of ${self.cap:.2f}. Every reply so far is kept: raise the cap (budget.usd of "
            "a recipe, --usd of a command) and run again to go on"
        )


class WorstCase:
    """The most that a request can cost, never too low.

    A token is at least one byte. Of a system text that was sent before, the provider itself has said how many tokens it
    has at most: all input tokens of the shortest request with it.
    """

    def __init__(self, price: Price, max_tokens: int, *, batch: bool = False) -> None:
        self._price = price
        self._batch = batch
        self._max_tokens = max_tokens
        self._systems: OrderedDict[str, int] = OrderedDict()

    def dollars(self, ask: Ask) -> float:
        """Nothing cached, all of it written to the cache, the longest reply."""
        known = self._systems.get(ask.system)
        prompt = (_bytes(ask.system) if known is None else known) + _bytes(ask.user) + _OVERHEAD_TOKENS
        if ask.schema is not None:
            prompt += 4096
        plain = Tokens(input_tokens=prompt, output_tokens=self._max_tokens)
        written = Tokens(cache_write_tokens=prompt, output_tokens=self._max_tokens)
        return max(self._price.dollars(plain, batch=self._batch), self._price.dollars(written, batch=self._batch))

    def learn(self, ask: Ask, reply: Reply) -> None:
        """Take in how many tokens the request really had."""
        used = reply.input_tokens + reply.cached_tokens + reply.cache_write_tokens
        if used:
            self._systems[ask.system] = min(used, self._systems.get(ask.system, used))
            self._systems.move_to_end(ask.system)
            if len(self._systems) > _REMEMBERED:
                self._systems.popitem(last=False)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return str(number)
