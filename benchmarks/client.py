"""`python -m benchmarks.client [rate] [memory] [schedule]`: the client against the test provider, a second process.

Method. The provider (`tests/provider`) runs in another process and answers a 100-word document; both processes share
this machine's cores, so a rate holds for a machine that does nothing else. The client is what a step uses: `Desk`,
`Scribe`-less asks to its writer, `fan_out`, journal on disk (SQLite, synchronous=FULL), prices and meter on.

rate      Zero latency, 50 in flight, 3,000 requests per run after 200 to warm up; the median of RUNS runs, with the
          client's own processor time per request. A 3 kB system text stands for the spec.
memory    Zero latency; resident memory of the client process after 1k, 10k and 100k requests of one run.
schedule  1,024 requests with a latency of lognormal:2:0.6 (median 2 s), 50 in flight. Latencies are the server's, from
          its ledger. Three ideals: work over slots (nobody can reach it: the last requests of a heavy-tailed latency
          leave places empty); work over slots plus what the longest request leaves beyond it, the bound of the critical
          path; and greedy, each request begun in the order it was as soon as a place is free, which is the best without
          knowing latencies ahead. Then with a rate limit, whose ideal is N over the rate; the burst that the server
          lets through at once (one second's worth) is taken off.
"""

import argparse
import asyncio
import heapq
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.fan_out import fan_out
from midspec.llm.prompt import Ask
from midspec.steps import Context
from midspec.steps.progress import Silent
from tests.provider import KEY, ProviderProcess, Request

say = partial(print, flush=True)

MODELS = ("anthropic/claude-opus-4-6", "openai/gpt-4o")
RUNS = 3
SYSTEM = "The harbour assistant is candid, because people decide better when they know. " * 40
WORDS = " ".join(random.Random(0).choices(["harbour", "ledger", "boat", "reason", "rule", "weighed", "kept"], k=100))


async def answer(request: Request) -> str:
    """For the server's process."""
    return f"<document>\n{WORDS}\n</document>"


def provider(folder: Path, *options: str) -> ProviderProcess:
    return ProviderProcess(folder / "ledger.jsonl", "--answers", "benchmarks.client:answer", *options)


def context(folder: Path, server: ProviderProcess, model: str, concurrency: int) -> Context:
    url = server.url if model.startswith("anthropic") else server.openai_url
    return Context(
        config=None,
        inputs={},
        folder=folder,
        progress=Silent(),
        compute=ComputeConfig(writer_url=url, concurrency=concurrency),
        workspace=folder,
        fingerprint="bench",
    )


async def ask(
    at: Context, model: str, counts: list[int], seen: Callable[[int], None] = lambda _: None
) -> list[tuple[float, float]]:
    """Ask for so many replies, one batch of them after the other; seconds and processor seconds of each."""
    took: list[tuple[float, float]] = []
    async with Desk(at) as desk:
        writer = desk.scribe(WriterConfig(model=model)).writer
        first = 0
        for count in counts:
            begun, cpu = time.perf_counter(), time.process_time()

            async def one(number: int) -> None:
                await writer.write(Ask("bench/document", SYSTEM, f"Write document {number}.", {}, 0))
                seen(number)

            await fan_out(range(first, first + count), one, lambda _: None)
            took.append((time.perf_counter() - begun, time.process_time() - cpu))
            first += count
    return took


def resident() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def rate(count: int) -> None:
    for model in MODELS:
        with tempfile.TemporaryDirectory() as place, provider(Path(place)) as server:
            took = asyncio.run(ask(context(Path(place), server, model, 50), model, [200, *[count] * RUNS]))[1:]
        rates = [count / seconds for seconds, _ in took]
        cpu = statistics.median(cpu for _, cpu in took) / count * 1000
        say(f"{model:<28}{statistics.median(rates):8.0f} requests/s  (runs {', '.join(f'{r:.0f}' for r in rates)}; ")
        say(f"{'':<28}{cpu:8.2f} ms of the client's processor per request; load {os.getloadavg()[0]:.1f})")


def memory(count: int) -> None:
    marks = [mark for mark in (1_000, 10_000, 100_000) if mark <= count]
    model = MODELS[0]
    done = 0

    def seen(_: int) -> None:
        nonlocal done
        done += 1
        if done in marks:
            say(f"after {done:>7,} requests {resident():8.0f} MiB")

    with tempfile.TemporaryDirectory() as place, provider(Path(place)) as server:
        took = asyncio.run(ask(context(Path(place), server, model, 50), model, [count], seen))
    say(f"{count / took[0][0]:8.0f} requests/s over {count:,} requests")


def greedy(lengths: list[float], places: int) -> float:
    free = [0.0] * places
    for length in lengths:
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


def schedule(model: str, count: int = 1024, places: int = 50, per_minute: float | None = None) -> None:
    options = ["--latency", "lognormal:2:0.6"]
    if per_minute:
        options += ["--requests-per-minute", str(per_minute)]
    with tempfile.TemporaryDirectory() as place, provider(Path(place), *options) as server:
        at = context(Path(place), server, model, places)
        asyncio.run(ask(at, model, [count]))
        entries = server.ledger.entries()
    good = sorted((entry for entry in entries if entry.status == 200), key=lambda entry: entry.arrived)
    lengths = [entry.left - entry.arrived for entry in good]
    wall = max(entry.left for entry in good) - good[0].arrived
    work, longest = sum(lengths) / places, max(lengths)
    if per_minute is None:
        best = greedy(lengths, places)
        bound = work + longest * (1 - 1 / places)
        say(f"{model:<28}wall {wall:6.2f} s")
        say(f"{'':<28}{wall / work:6.3f} of work over slots ({work:.2f} s)")
        say(f"{'':<28}{wall / bound:6.3f} of that plus the critical path ({bound:.2f} s; longest {longest:.2f} s)")
        say(f"{'':<28}{wall / best:6.3f} of greedy ({best:.2f} s)")
        return
    rate = per_minute / 60
    ideal = (count - rate) / rate
    sent = good[-1].arrived - good[0].arrived
    refused = sum(entry.status == 429 for entry in entries)
    say(f"{model:<28}{per_minute:.0f} per minute: last taken on after {sent:6.2f} s, {sent / ideal:6.3f} of the ideal")
    say(f"{'':<28}all done after {wall:6.2f} s, {wall / (count / rate):6.3f} of N over the rate; {refused} refusals")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["rate", "memory", "schedule"], help="rate, memory, schedule")
    parser.add_argument("--requests", type=int, default=3000, help="per run of `rate`")
    parser.add_argument("--most", type=int, default=100_000, help="requests of `memory`")
    chosen = parser.parse_args()
    os.environ.setdefault("ANTHROPIC_API_KEY", KEY)
    os.environ.setdefault("OPENAI_API_KEY", KEY)
    if "rate" in chosen.parts:
        rate(chosen.requests)
    if "schedule" in chosen.parts:
        schedule(MODELS[0])
        for per_minute in (600, 900):
            schedule(MODELS[0], per_minute=per_minute)
    if "memory" in chosen.parts:
        memory(chosen.most)


if __name__ == "__main__":
    main()
