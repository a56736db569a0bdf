"""What the server answered and charged: one JSON line per request, written before the client can read the reply."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.provider.caching import CacheUse

GONE = 499
"""Status of a request whose client left before the answer (killed, or its deadline passed)."""


class Price(NamedTuple):
    """Dollars per million tokens; the rest are factors."""

    input: float
    output: float
    cache_read: float = 0.1
    cache_write: float = 1.25
    cache_write_long: float = 2.0
    batch: float = 0.5


DEFAULT_PRICES: dict[str, Price] = {
    "claude-haiku": Price(1, 5),
    "claude-sonnet": Price(3, 15),
    "claude": Price(5, 25),
    "gpt": Price(2.5, 10, cache_read=0.5, cache_write=1.0),
    "": Price(5, 25),
}
"""By model name prefix, the longest first. Round figures of list prices, for tests: not anyone's price list."""


def dollars(price: Price, use: CacheUse, output: int, *, batch: bool) -> float:
    """What a request costs."""
    read, written = price.cache_read * use.read, price.cache_write * use.written
    inputs = use.uncached + read + written + price.cache_write_long * use.written_long
    return (inputs * price.input + output * price.output) / 1e6 * (price.batch if batch else 1.0)


def price_of(prices: Mapping[str, Price], model: str) -> Price:
    """The price of `model`: the longest prefix of its name in the table."""
    return prices[max((prefix for prefix in prices if model.startswith(prefix)), key=len)]


class Entry(NamedTuple):
    """One request. Times are seconds since the epoch."""

    arrived: float
    left: float
    """When the answer was ready to go, or the client was seen to be gone."""
    hash: str
    occurrence: int
    api: str
    model: str
    stream: bool
    status: int
    fault: str | None = None
    input: int = 0
    """Input tokens at full price; those read from and written to the cache come on top."""
    cache_read: int = 0
    cache_written: int = 0
    output: int = 0
    dollars: float = 0.0
    reply: str = ""
    """SHA-256 (hex) of the reply's text as sent, where there was one."""
    batch: str = ""

    @property
    def good(self) -> bool:
        """Whether it carried an answer that a client should use."""
        return self.status == 200 and self.fault in (None, "slow_start")


class Ledger:
    """An append-only file of entries. One server writes it; anyone may read it meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def writer(self) -> LedgerWriter:
        """Append to the file; what it holds already is kept."""
        return LedgerWriter(self.path)

    def entries(self) -> list[Entry]:
        """All of them, in the order in which they were finished."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8") as lines:
            return [Entry(**json.loads(line)) for line in lines if line.endswith("\n")]

    def duplicates(self) -> dict[str, list[Entry]]:
        """Requests that got a good answer more than once, by hash. A client that loses nothing has none."""
        good: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries():
            if entry.good:
                good[entry.hash].append(entry)
        return {key: entries for key, entries in good.items() if len(entries) > 1}

    def asked_again(self) -> list[Entry]:
        """Requests that came after a good answer to the same request had been sent, whatever became of them."""
        answered: dict[str, float] = {}
        entries = self.entries()
        for entry in entries:
            if entry.good:
                answered[entry.hash] = min(entry.left, answered.get(entry.hash, entry.left))
        return [entry for entry in entries if entry.arrived > answered.get(entry.hash, float("inf"))]

    def dollars(self, entries: Iterable[Entry] | None = None) -> float:
        """What all of it cost."""
        return sum(entry.dollars for entry in (self.entries() if entries is None else entries))

    def in_flight(self, at: float) -> list[Entry]:
        """Requests that had arrived and had no answer yet at the time `at` (batch requests: while in process)."""
        return [entry for entry in self.entries() if entry.arrived <= at < entry.left]

    def statuses(self) -> Counter[int]:
        """How many requests ended with which HTTP status."""
        return Counter(entry.status for entry in self.entries())

    def faults(self) -> Counter[str]:
        """How many requests had which fault."""
        return Counter(entry.fault for entry in self.entries() if entry.fault)

    def cached_share(self) -> float:
        """Share of all input tokens that were read from a prompt cache."""
        entries = self.entries()
        total = sum(entry.input + entry.cache_read + entry.cache_written for entry in entries)
        return sum(entry.cache_read for entry in entries) / total if total else 0.0


class LedgerWriter:
    """The server's side. A line is one `write`, so a reader never sees half of one, and a kill loses none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.requests = 0
        self.dollars = 0.0

    def add(self, entry: Entry) -> None:
        """Append `entry`."""
        self.requests += 1
        self.dollars += entry.dollars
        os.write(self._file, (json.dumps(entry._asdict()) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
