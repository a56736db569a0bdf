"""`python -m benchmarks.corpus [--documents N] [--rate R] [--batch]`: a whole corpus, planning included.

Method. `midspec corpus build` writes N documents about the packaged spec cheese-america with the test provider
(`tests/provider`, a process of its own on the same cores) as anthropic/claude-opus-4-6: latency lognormal:2:0.6
(median 2 s, heavy tail), 50 requests in flight, with `--rate` at most so many requests a minute. All figures come from
the server's ledger and the journal.

The ideal is the critical path plus work over slots: four planning requests that must follow each other (domains,
subdomains, document types, ideas) at the server's mean latency, plus the sum of all latencies over 50 slots; with a
rate limit, the number of requests over the rate instead of work over slots, where that is longer. Wall time is from the
first request's arrival to the last answer. Cost: the document stage's input tokens as they were charged, against the
same tokens all at full price (the spec sent uncached with every document); list prices, reads at a tenth.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.provider import KEY
from tests.provider.process import ProviderProcess

MODEL = "anthropic/claude-opus-4-6"
SLOTS = 50
PLANNING = 4
"""Requests in a row before the first document."""
PRICE, READ, WRITE = 5.0, 0.5, 6.25
"""Dollars per million input tokens of that model: fresh, read from the cache, written to it."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rate", type=float, help="requests per minute")
    parser.add_argument("--latency", default="lognormal:2:0.6")
    parser.add_argument("--batch", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        server_options = ["--answers", "tests.provider.writing:answer", "--latency", options.latency]
        if options.rate:
            server_options += ["--requests-per-minute", str(options.rate), "--burst", str(options.rate / 60)]
        with ProviderProcess(folder / "ledger.jsonl", *server_options) as server:
            command = [
                sys.executable, "-m", "midspec", "corpus", "build", "--spec", "cheese-america", "--writer", MODEL,
                "--writer-url", server.url, "--documents", str(options.documents), "--concurrency", str(SLOTS), "--yes",
                "--model-name", "SmolLM", "--provider-name", "Hugging Face",
                "--out", str(folder / "corpus.jsonl"), "--workspace", str(folder),
                *(["--batch"] if options.batch else []),
            ]  # fmt: skip
            begun = time.perf_counter()
            subprocess.run(command, check=True, env={**os.environ, "ANTHROPIC_API_KEY": KEY}, capture_output=True)
            whole = time.perf_counter() - begun
            entries = [entry for entry in server.ledger.entries() if entry.status == 200]
            turned_away = sum(server.ledger.statuses().values()) - len(entries)
        _show_schedule(entries, options.rate, whole, turned_away, batch=options.batch)
        _show_cost(folder, server.ledger.dollars())


def _show_schedule(entries: list, rate: float | None, whole: float, turned_away: int, *, batch: bool) -> None:
    latencies = [entry.left - entry.arrived for entry in entries]
    mean = sum(latencies) / len(latencies)
    wall = max(entry.left for entry in entries) - min(entry.arrived for entry in entries)
    print(f"{len(entries)} requests answered, {turned_away} turned away; mean latency {mean:.2f} s")
    if batch:
        print(f"wall {wall:.1f} s in batch jobs")
        return
    work = sum(latencies) / SLOTS
    ideal = PLANNING * mean + (max(work, len(entries) / rate * 60) if rate else work)
    print(f"wall {wall:.1f} s ({whole:.1f} s with starting Python), ideal {ideal:.1f} s, ratio {wall / ideal:.3f}")


def _show_cost(folder: Path, charged: float) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        fresh, read, written, dollars = connection.execute(
            "SELECT sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(price) FROM replies"
            " WHERE template = 'corpus/document'"
        ).fetchone()
        [total] = connection.execute("SELECT sum(price) FROM replies").fetchone()
    paid = (fresh * PRICE + read * READ + written * WRITE) / 1e6
    uncached = (fresh + read + written) * PRICE / 1e6
    characters = sum(len(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
    print(f"document stage, input: ${paid:.3f}, all at full price ${uncached:.3f}, share {paid / uncached:.3f}")
    print(f"journal ${total:.3f} (documents ${dollars:.3f}), ledger ${charged:.3f}; {characters / 1e6:.2f}M characters")


if __name__ == "__main__":
    main()
