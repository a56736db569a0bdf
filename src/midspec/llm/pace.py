"""How many requests to send, and how fast, learnt from those that a provider turns away. No I/O, no clock of its own.

A provider may limit requests at once, requests per minute, or both, and says no with 429 or 529. Which of the limits it
was shows in what it still lets through: where requests were refused with fewer in flight than others were accepted
with, it was the rate.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

START_SECONDS = 0.5
"""The first requests are spread over this time, so that a low limit refuses a few of them and not all (ours)."""
WINDOW_SECONDS = 2.0
"""Least time over which refusals are counted before the pace changes (ours)."""
WINDOW_SENDS = 8
"""Least requests for the same, unless four times that time is over (ours)."""
TOLERATED = 0.08
"""Share of refusals that is not acted on: a little above the limit is where all of it is used (ours)."""
PROBE_SECONDS = 5.0
"""How soon one more request at once is tried after a refusal; twice as long after each that fails (ours)."""
_LONGEST_PROBE = 60.0
_UNMOVED_SECONDS = 30.0
_REMEMBERED_SECONDS = 30.0
_FIRST_GROWTH = _MOST_GROWTH = 0.25
_SLOWEST = 0.05
_NOT_CHANCE = 3
_NOT_CHANCE_AT_ONCE = 4
_CATCH_UP = 0.03


@dataclass
class _Window:
    """What happened since the pace was last looked at."""

    begun: float
    sent: int = 0
    refused: int = 0
    refused_with: list[int] = field(default_factory=list)
    """Others in flight at each refused request."""
    accepted: int = 0
    accepted_with: int = 0
    """Most others in flight at a request that brought a reply in this window."""

    def over(self, now: float) -> bool:
        """Whether enough was seen."""
        lasted = now - self.begun
        return lasted >= WINDOW_SECONDS and (self.sent >= WINDOW_SENDS or lasted >= 4 * WINDOW_SECONDS)

    def accepted_per_second(self, now: float) -> float:
        """As far as is known: what was sent and not refused yet counts as accepted."""
        return max(0, self.sent - self.refused) / (now - self.begun)


class Pace:
    """Tells when the next request may go. Times are seconds of one clock, given with each call."""

    def __init__(self, ceiling: int) -> None:
        """`ceiling`: most requests at once, ever."""
        self.ceiling = ceiling
        self.limit = ceiling
        """Requests at once."""
        self.rate = ceiling / START_SECONDS
        """Requests per second; infinite where no limit has shown."""
        self.paused_until = -math.inf
        self._next = -math.inf
        self._learning = True
        self._window: _Window | None = None
        self._growth = _FIRST_GROWTH
        self._best: deque[tuple[float, float]] = deque()
        """Times and accepted requests per second of recent windows."""
        self._cut: tuple[float, float] | None = None
        """Share of refusals and rate before the first slowing down that has not helped yet."""
        self._unmoved_until = -math.inf
        self._chance = 0.0
        """Share of refusals that no slowing down mends."""
        self._before: _Window | None = None
        self._held = ceiling
        """The limit without what is being tried beyond it."""
        self._probe_at = math.inf
        self._probe_wait = PROBE_SECONDS
        self._probe_step = 1

    def delay(self, now: float) -> float:
        """Seconds until the next request may go, as far as time decides."""
        return max(0.0, self.paused_until - now, self._next - now)

    def send(self, now: float) -> None:
        """A request goes out."""
        window = self._window
        if window is None:
            window = self._window = _Window(now)
        elif window.over(now):
            self._look_at(window, now)
            self._before = window
            window = self._window = _Window(now)
        window.sent += 1
        # A timer fires late; what it missed is made up for, but never in a burst.
        self._next = max(self._next, now - _CATCH_UP) + 1 / self.rate
        if self._learning and window.sent >= self.ceiling and not window.refused:
            self._learning = False
            self.rate = math.inf

    def accept(self, others: int, now: float) -> None:
        """A request that was sent with `others` in flight brought a reply, or anything else but a refusal."""
        window = self._window
        assert window is not None, "accepted before anything was sent"
        window.accepted += 1
        window.accepted_with = max(window.accepted_with, others)
        if self.limit < self.ceiling and others + 1 >= self.limit and now >= self._probe_at:
            self._held = self.limit
            self.limit = min(self.ceiling, self.limit + self._probe_step)
            self._probe_step *= 2
            self._probe_wait = PROBE_SECONDS
            self._probe_at = now + PROBE_SECONDS

    def refuse(self, others: int, wait: float | None, now: float) -> None:
        """A request that was sent with `others` in flight was turned away; the provider asks to wait so long."""
        if wait:
            self.paused_until = max(self.paused_until, now + wait)
        window = self._window
        assert window is not None, "refused before anything was sent"
        window.refused += 1
        window.refused_with.append(others)
        if self._learning and window.refused >= _NOT_CHANCE and 5 * window.refused > window.sent:
            # A bucket that refills all the time holds about a second's worth when it is full.
            self.rate = max(_SLOWEST, max(1, window.sent - window.refused) / (1 + now - window.begun))
        elif self._held < self.limit and others >= self._held:
            self._hold_at(self._held, now)  # what was tried beyond it failed

    def _look_at(self, window: _Window, now: float) -> None:
        """Set the pace by what a whole window showed."""
        accepted = window.accepted_per_second(now)
        if not self._learning:  # the first one held the burst that a fresh bucket lets through
            self._best.append((now, accepted))
            while now - self._best[0][0] > _REMEMBERED_SECONDS:
                self._best.popleft()
        self._learning = False
        share = window.refused / window.sent
        if (
            window.refused < _NOT_CHANCE
            or share <= TOLERATED
            or (now < self._unmoved_until and share <= 1.5 * self._chance)
        ):
            self._cut = None
            self._speed_up(window, accepted)
        elif self._by_concurrency(window):
            self._hold_at(min(window.refused_with), now)
            self.rate = math.inf
            self._cut = None
        elif self._cut and share > 0.6 * self._cut[0] and self.rate < 0.9 * self._cut[1]:
            # Slower was no better: these refusals come by chance, not from the pace.
            self.rate = self._cut[1]
            self._unmoved_until = now + _UNMOVED_SECONDS
            self._chance = share
            self._cut = None
        else:
            self._cut = self._cut or (share, self.rate)
            best = max((rate for _, rate in self._best), default=0.0)
            self.rate = max(_SLOWEST, 0.8 * best, min(0.98 * self.rate, 1.02 * accepted))
            self._growth = 0.02

    def _by_concurrency(self, window: _Window) -> bool:
        """Whether all that was refused came with more in flight than all that was accepted."""
        recent = [entry for entry in (window, self._before) if entry is not None and entry.accepted]
        return (
            len(window.refused_with) >= _NOT_CHANCE_AT_ONCE
            and sum(entry.accepted for entry in recent) >= WINDOW_SENDS
            and max(entry.accepted_with for entry in recent) < min(window.refused_with)
        )

    def _hold_at(self, limit: int, now: float) -> None:
        """So many at once and no more, for now."""
        self.limit = self._held = max(1, min(self.limit, limit))
        self._probe_at = now + self._probe_wait
        self._probe_wait = min(_LONGEST_PROBE, 2 * self._probe_wait)
        self._probe_step = 1

    def _speed_up(self, window: _Window, accepted: float) -> None:
        if math.isinf(self.rate):
            return
        self.rate *= 1 + self._growth
        self._growth = min(_MOST_GROWTH, 2 * self._growth)
        if self.rate > 4 * accepted and window.sent >= WINDOW_SENDS:
            self.rate = math.inf  # it holds nothing back any more
