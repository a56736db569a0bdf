"""How long an answer takes, and how many may be asked for: all fixed by seed, request and occurrence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from tests.provider.request import chance

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Latency:
    """Seconds from request to the last token. `sigma` 0: the same for all; else log-normal around `median`."""

    median: float = 0.0
    sigma: float = 0.0
    first_token: float = 0.2
    """Share of it that passes before the first token (and before the prompt cache can be read)."""

    @classmethod
    def parse(cls, text: str) -> Latency:
        """`0.5`, `constant:0.5` or `lognormal:2.0:0.6` (median seconds, sigma)."""
        kind, *numbers = text.split(":") if ":" in text else ["constant", text]
        try:
            values = [float(number) for number in numbers]
        except ValueError:
            values = []
        if kind == "constant" and len(values) == 1:
            return cls(values[0])
        if kind == "lognormal" and len(values) == 2:
            return cls(values[0], values[1])
        raise ValueError(f"latency {text!r}: expected SECONDS, constant:SECONDS or lognormal:MEDIAN:SIGMA")

    def seconds(self, seed: int, key: str, occurrence: int) -> float:
        """For the request with hash `key`; a benchmark can compute its ideal schedule with it."""
        if not self.sigma or not self.median:
            return self.median
        u = min(max(chance(seed, "latency", key, occurrence), 1e-12), 1 - 1e-12)
        return self.median * math.exp(self.sigma * _NORMAL.inv_cdf(u))


class TokenBucket:
    """`per_minute` requests, refilled all the time, `burst` of them at once (default: one second's worth)."""

    def __init__(
        self, per_minute: float, burst: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_minute = per_minute
        self.burst = burst if burst is not None else max(1.0, per_minute / 60)
        self._clock = clock
        self._level, self._at = self.burst, clock()

    def take(self) -> float:
        """0 and one token less, or the seconds until there is one."""
        now = self._clock()
        rate = self.per_minute / 60
        self._level = min(self.burst, self._level + (now - self._at) * rate)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / rate
