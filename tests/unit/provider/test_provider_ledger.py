"""The ledger tells what was paid for: duplicates, requests in flight, clients that left; and the server's own speed."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.provider import KEY, Entry, Latency, Ledger, ProviderProcess, ProviderServer
from tests.provider.latency import TokenBucket
from tests.provider.ledger import LedgerWriter
from tests.provider.sdk import CLAUDE, Clients


def entry(**values: Any) -> Entry:
    base = {"arrived": 0.0, "left": 1.0, "hash": "h", "occurrence": 0, "api": "anthropic", "model": "m"}
    return Entry(**{**base, "stream": False, "status": 200, **values})


def test_duplicates_are_good_answers_to_one_request(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    writer = ledger.writer()
    for row in (
        entry(hash="asked twice", arrived=0, left=2),
        entry(hash="asked twice", arrived=1, left=3, occurrence=1),
        entry(hash="refused first", fault="refusal", left=2),
        entry(hash="refused first", arrived=3, left=5, occurrence=1),
        entry(hash="left", status=499),
        entry(hash="left", arrived=3, left=4, dollars=0.5),
    ):
        writer.add(row)
    assert list(ledger.duplicates()) == ["asked twice"]
    assert ledger.asked_again() == [], "the second came before the first was answered"
    writer.add(entry(hash="left", arrived=9, left=10, status=500))
    assert [e.arrived for e in ledger.asked_again()] == [9]
    assert [e.hash for e in ledger.in_flight(2.5)] == ["asked twice"]
    assert ledger.dollars() == writer.dollars == 0.5
    assert ledger.statuses() == {200: 5, 499: 1, 500: 1}


def test_same_request_same_hash_whatever_the_transport(clients: Clients) -> None:
    before = len(clients.server.ledger.entries())
    messages: Any = [{"role": "user", "content": "Same"}]
    clients.claude("Same", max_tokens=77)
    with clients.anthropic.messages.stream(model=CLAUDE, max_tokens=77, messages=messages) as stream:
        stream.until_done()
    parts: Any = [{"type": "text", "text": "Same", "cache_control": {"type": "ephemeral"}}]
    clients.claude(parts, max_tokens=77)
    clients.claude("Same", max_tokens=77, extra_headers={"x-midspec-sample": "1"})
    clients.claude("Same", max_tokens=78)
    hashes = [e.hash for e in clients.server.ledger.entries()[before:]]
    assert len(set(hashes[:3])) == 1
    assert len(set(hashes)) == 3
    assert list(clients.server.ledger.duplicates()) == [hashes[0]]


def test_a_client_that_leaves_is_seen_and_charged(clients: Clients) -> None:
    clients.server.change(latency="5")
    body = json.dumps({"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "bye"}]}).encode()
    address = clients.server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as raw:
        head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
        raw.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(0.3)
        assert clients.server.engine.in_flight == 1
    time.sleep(0.3)
    last = clients.server.ledger.entries()[-1]
    assert (last.status, last.good, clients.server.engine.in_flight) == (499, False, 0)
    assert last.dollars > 0 and last.left - last.arrived < 1


def test_concurrency_limit_rejects_or_queues(clients: Clients) -> None:
    def ask(number: int) -> int:
        try:
            clients.claude(f"Number {number}")
        except anthropic.RateLimitError:
            return 429
        return 200

    clients.server.change(latency="0.3", concurrency=2)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == [200, 200, 429, 429]
    clients.server.change(overflow="queue")
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4, 8))) == [200] * 4
    assert time.perf_counter() - start > 0.55


def test_latency_is_fixed_and_log_normal() -> None:
    latency = Latency.parse("lognormal:2.0:0.6")
    drawn = sorted(latency.seconds(1, f"{i}", 0) for i in range(4000))
    assert drawn == sorted(latency.seconds(1, f"{i}", 0) for i in range(4000))
    assert drawn[2000] == pytest.approx(2.0, rel=0.05)
    assert drawn[3364] / drawn[2000] == pytest.approx(2.718**0.6, rel=0.1)
    assert Latency.parse("0.5") == Latency.parse("constant:0.5") == Latency(0.5)
    with pytest.raises(ValueError, match="expected SECONDS"):
        Latency.parse("fast")


def test_token_bucket_says_how_long_to_wait() -> None:
    clock = [0.0]
    bucket = TokenBucket(60, burst=2, clock=lambda: clock[0])
    assert [bucket.take() for _ in range(3)] == [0, 0, 1.0]
    clock[0] = 0.75
    assert bucket.take() == pytest.approx(0.25)
    clock[0] = 1.0
    assert bucket.take() == 0


def test_a_killed_process_leaves_a_readable_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with ProviderProcess(path, "--latency", "constant:0.01", "--prices", '{"claude": [1, 2]}') as server:
        client = anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0)

        def ask() -> None:
            client.messages.create(model=CLAUDE, max_tokens=99, messages=[{"role": "user", "content": "Hi"}])

        ask()
        assert server.control()["requests"] == 1
        server.control(faults={"overloaded": 1.0}, spend_limit=5.0)
        with pytest.raises(anthropic.InternalServerError):
            ask()
    first, second = Ledger(path).entries()
    assert first.dollars == pytest.approx((first.input + 2 * first.output) * 1e-6)
    assert (second.status, second.occurrence, second.hash) == (529, 1, first.hash)
    with path.open("a") as torn:
        torn.write('{"arrived": 1')
    assert len(Ledger(path).entries()) == 2


def test_appending_from_two_threads_keeps_lines_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writers = [LedgerWriter(path) for _ in range(2)]
    threads = [threading.Thread(target=lambda w=w: [w.add(entry(hash="x" * 500)) for _ in range(300)]) for w in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Ledger(path).entries()) == 600


def test_a_server_stops_at_once_with_requests_hanging() -> None:
    with ProviderServer(faults={"hang": 1.0}) as server:
        both = Clients(server)

        def hanging() -> None:
            with pytest.raises(anthropic.APIConnectionError):
                both.claude()

        thread = threading.Thread(target=hanging, daemon=True)
        thread.start()
        time.sleep(0.3)
        start = time.perf_counter()
    assert time.perf_counter() - start < 3
