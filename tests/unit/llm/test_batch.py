"""Batch jobs against the protocol server: whenever anything dies, no job is lost and nothing is asked twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from click.testing import CliRunner
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, Model, get_model

from midspec.cli.journal import journal as command
from midspec.errors import BusyError, InputError, StoreError
from midspec.llm.batch import BatchSender, BatchSettings
from midspec.llm.batch_jobs import AnthropicBatches, Group, Item, OpenAIBatches, connect, provider_of
from midspec.llm.batch_models import has_batch
from midspec.llm.batch_recover import LeftOver, collect_left_over
from midspec.llm.batch_replies import body_of, reply_from, reply_of
from midspec.llm.batch_rows import open_jobs
from midspec.llm.journal import Journal, Request
from midspec.llm.prices import load_prices
from midspec.llm.prompt import Reply
from tests.provider import KEY, ProviderServer, Script
from tests.provider.process import ProviderProcess
from tests.unit.llm.journals import request

ROOT = Path(__file__).parents[3]
NAMES = ["anthropic/claude-opus-4-6", "openai/gpt-4o"]
FAST = BatchSettings(wait=0.05, tick=0.03, slowest=0.2, settle=0.3)
TABLE = load_prices()


def full(count: int) -> BatchSettings:
    """A job is sent when it has `count` requests, however slow this machine is."""
    return replace(FAST, size=count, wait=60.0)


Servers = Callable[..., ProviderServer]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def serve() -> Iterator[Servers]:
    started: list[ProviderServer] = []

    def start(**settings: Any) -> ProviderServer:
        server = ProviderServer(Script(otherwise=lambda r: f"answer to {r.user}"), **settings)
        started.append(server)
        return server.__enter__()

    yield start
    for server in started:
        server.__exit__(None, None, None)


def url_of(server: ProviderServer | ProviderProcess, name: str) -> str:
    return server.url if name.startswith("anthropic") else server.openai_url


class Client:
    """The least that a client does."""

    def __init__(self, journal: Journal, sender: BatchSender, name: str, url: str) -> None:
        self.journal, self.sender, self.name = journal, sender, name
        config = GenerateConfig(max_tokens=20_000, max_retries=0)
        self.model: Model = get_model(name, base_url=url, memoize=False, config=config, **sender.model_args())
        self.model.api.client.max_retries = 0  # type: ignore[attr-defined]

    def request(self, number: int) -> Request:
        return request(f"number {number}", model=self.name)

    async def ask(self, number: int) -> str:
        asked = self.request(number)
        found = self.journal.find(asked.key)
        if found is None:
            messages = [ChatMessageSystem(content=asked.system), ChatMessageUser(content=asked.user)]
            with self.sender.asking(asked):
                answer: Any = await self.model.api.generate(messages, [], "none", self.model.config)
                output = answer[0] if isinstance(answer, tuple) else answer
                if isinstance(output, Exception):
                    raise output
            found = self.journal.find(asked.key)  # on disk before anybody reads it
            assert found is not None
            assert found.text == reply_of(output).text
        return found.text

    async def ask_all(self, count: int) -> list[Any]:
        return await asyncio.gather(*(self.ask(number) for number in range(count)), return_exceptions=True)


async def run(
    path: Path,
    name: str,
    url: str,
    work: Callable[[Client], Awaitable[Any]],
    *,
    provider: Any = None,
    **options: Any,
) -> Any:
    journal = Journal(path)
    try:
        provider = provider or connect(provider_of(name), url)
        async with BatchSender(journal, provider, TABLE, settings=options.pop("settings", FAST), **options) as sender:
            return await work(Client(journal, sender, name, url))
    finally:
        journal.close()


def answers(count: int) -> list[str]:
    return [f"answer to number {number}" for number in range(count)]


def states(path: Path) -> list[str]:
    journal = Journal(path)
    found = [str(row[0]) for row in journal.read("SELECT state FROM batches ORDER BY id")]
    journal.close()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_one_job_for_all_at_half_the_price(serve: Servers, path: Path, name: str) -> None:
    server = serve()
    assert asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(30), settings=full(30))) == answers(30)
    entries = server.ledger.entries()
    assert len(entries) == 30
    assert len({entry.batch for entry in entries}) == 1
    journal = Journal(path)
    assert journal.spent("cheese") == pytest.approx(server.ledger.dollars())
    price = TABLE.find(name)
    assert price is not None
    tokens = sum(e.input * price.input + e.output * price.output for e in entries) / 1e6
    assert journal.spent("cheese") == pytest.approx(tokens / 2)
    journal.close()
    assert states(path) == ["collected"]


@pytest.mark.parametrize("name", NAMES)
def test_a_job_is_sent_when_it_is_full(serve: Servers, path: Path, name: str) -> None:
    server = serve()
    assert asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(20), settings=full(10))) == answers(20)
    assert len({entry.batch for entry in server.ledger.entries()}) == 2


@pytest.mark.parametrize("name", NAMES)
def test_one_bad_item_is_one_bad_item(serve: Servers, path: Path, name: str) -> None:
    """Inspect's own OpenAI batch mode throws away a whole paid job over one failed request."""
    server = serve(faults={"server_error": 0.2, "hang": 0.1, "refusal": 0.1}, seed=1)

    async def work(client: Client) -> list[Any]:
        outcomes = await client.ask_all(40)
        for number, outcome in enumerate(outcomes):
            found = client.journal.find(client.request(number).key)
            assert isinstance(outcome, Exception) == (found is None)
        return outcomes

    outcomes = asyncio.run(run(path, name, url_of(server, name), work, settings=full(40)))
    bad = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert len(bad) == sum(entry.status != 200 for entry in server.ledger.entries()) > 3
    assert {getattr(error, "status_code", None) for error in bad} == {500}
    assert states(path) == ["collected"]
    server.change(faults={})
    assert len(asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(40)))) == 40
    assert server.ledger.duplicates() == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_item_that_is_asked_again_is_asked_once(serve: Servers, path: Path, name: str) -> None:
    """It is in the next job already when its first job is closed."""
    server = serve(faults={"server_error": 0.4}, seed=3)

    async def until_good(client: Client, number: int) -> str:
        while True:
            try:
                return await client.ask(number)
            except (anthropic.InternalServerError, openai.InternalServerError):
                continue

    async def work(client: Client) -> list[str]:
        return await asyncio.gather(*(until_good(client, number) for number in range(30)))

    assert asyncio.run(run(path, name, url_of(server, name), work)) == answers(30)
    assert server.ledger.duplicates() == {}
    assert sum(entry.status == 200 for entry in server.ledger.entries()) == 30
    assert len(server.ledger.entries()) > 35


@pytest.mark.parametrize("name", NAMES)
def test_broken_endpoints_are_waited_out(serve: Servers, path: Path, name: str) -> None:
    """Every call of batch mode fails one time in three, every download breaks off one time in two."""
    server = serve(faults={"batch_error": 0.33, "batch_cut": 0.5}, seed=2)
    settings = BatchSettings(wait=0.05, tick=0.02, slowest=0.05, settle=0.1, size=15)
    outcomes = asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(60), settings=settings))
    assert outcomes == answers(60)
    assert server.ledger.duplicates() == {}
    assert len(server.ledger.entries()) == 60


SENDER = """
import asyncio, sys
from pathlib import Path
from tests.unit.llm.test_batch import full, run
async def work(client):
    task = asyncio.create_task(client.ask_all(30))
    while not client.journal.read("SELECT 1 FROM batches WHERE state = 'open'"):
        await asyncio.sleep(0.01)
    print("open", flush=True)
    await task
asyncio.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], work, settings=full(30)))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_job_of_a_killed_process_is_collected(path: Path, tmp_path: Path, name: str) -> None:
    with ProviderProcess(
        tmp_path / "ledger.jsonl", "--batch-seconds", "1.5", "--answers", "tests.unit.llm.test_batch:answer"
    ) as server:
        url = url_of(server, name)
        process = subprocess.Popen(
            [sys.executable, "-c", SENDER, str(path), name, url],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert states(path) == ["open"]

        async def collect() -> Any:
            journal = Journal(path)
            try:
                early = await collect_left_over(journal, TABLE, settings=FAST, wait=True)
                again = await collect_left_over(journal, TABLE, settings=FAST)
                return early, again, journal.spent("cheese")
            finally:
                journal.close()

        early, again, spent = asyncio.run(collect())
        assert [(left.collected, left.open) for left in early] == [(1, 0)]
        assert again == []
        assert spent == pytest.approx(server.ledger.dollars())
        # Everything is answered from the journal now: the server hears of nothing.
        assert asyncio.run(run(path, name, url, lambda c: c.ask_all(30))) == answers(30)
        assert len(server.ledger.entries()) == 30


async def answer(asked: Any) -> str:
    return f"answer to {asked.user}"


def open_jobs_of(path: Path) -> list[Any]:
    journal = Journal(path)
    found = open_jobs(journal)
    journal.close()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_next_run_waits_for_a_job_that_is_still_at_work(serve: Servers, path: Path, name: str) -> None:
    server = serve(batch_seconds=1.0)
    url = url_of(server, name)

    async def leave(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(20))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.01)
        asking.cancel()

    asyncio.run(run(path, name, url, leave, settings=full(20)))
    assert len(open_jobs_of(path)) == 1
    assert asyncio.run(run(path, name, url, lambda c: c.ask_all(25), settings=full(5))) == answers(25)
    assert len(server.ledger.entries()) == 25
    assert len({entry.batch for entry in server.ledger.entries()}) == 2


class Dying:
    """A batch API whose `create` does what it should and then kills whoever called, or never gets there."""

    def __init__(self, inner: Any, *, reaches: bool) -> None:
        self.inner, self.reaches, self.died = inner, reaches, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def create(self, *arguments: Any) -> str:
        if self.reaches:
            await self.inner.create(*arguments)
        self.died.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("reaches", [True, False], ids=["created", "never created"])
@pytest.mark.parametrize("name", NAMES)
def test_death_before_the_id_was_heard_of(serve: Servers, path: Path, name: str, reaches: bool) -> None:
    server = serve(batch_seconds=0.4)
    url = url_of(server, name)

    async def die(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(12))
        await client.sender._provider.died.wait()  # type: ignore[attr-defined]
        asking.cancel()

    async def first() -> None:
        await run(
            path, name, url, die, provider=Dying(connect(provider_of(name), url), reaches=reaches), settings=full(12)
        )

    asyncio.run(first())
    assert [(job.job, job.size) for job in open_jobs_of(path)] == [(None, 12)]
    assert asyncio.run(run(path, name, url, lambda c: c.ask_all(12), settings=full(12))) == answers(12)
    assert len(server.ledger.entries()) == 12
    assert states(path) == (["collected"] if reaches else ["never created", "collected"])


class Lost:
    """A batch API whose first answers to `create` get lost on the way."""

    def __init__(self, inner: Any, error: Exception, *, reaches: bool) -> None:
        self.inner, self.error, self.reaches, self.calls = inner, error, reaches, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def create(self, *arguments: Any) -> str:
        self.calls += 1
        if self.calls > 1:
            return await self.inner.create(*arguments)
        if self.reaches:
            await self.inner.create(*arguments)
        raise self.error


@pytest.mark.parametrize("reaches", [True, False], ids=["created", "never created"])
@pytest.mark.parametrize("name", NAMES)
def test_a_lost_answer_makes_no_second_job(serve: Servers, path: Path, name: str, reaches: bool) -> None:
    """The SDKs' own retries would create, and pay for, the job twice."""
    server = serve(batch_seconds=0.4)
    url = url_of(server, name)
    sdk: Any = anthropic if name.startswith("anthropic") else openai
    error = sdk.APIConnectionError(request=httpx2.Request("POST", url))

    async def work() -> Any:
        provider = Lost(connect(provider_of(name), url), error, reaches=reaches)
        return await run(path, name, url, lambda c: c.ask_all(12), provider=provider, settings=full(12)), provider.calls

    outcomes, calls = asyncio.run(work())
    assert outcomes == answers(12)
    assert calls == (1 if reaches else 2)
    assert len({entry.batch for entry in server.ledger.entries()}) == 1
    assert len(server.ledger.entries()) == 12
    assert states(path) == ["collected"]


def test_a_job_of_another_program_is_not_taken(serve: Servers, path: Path) -> None:
    """Anthropic's list shows no names: a job of the same size and hour may be anybody's on that account."""
    server, name = serve(batch_seconds=0.3), NAMES[0]

    async def work() -> Any:
        provider = connect("anthropic", server.url)
        body = {"model": "claude-opus-4-6", "max_tokens": 10, "messages": [{"role": "user", "content": "theirs"}]}
        await provider.create("theirs", Group("messages"), [Item(f"theirs-{n}", body) for n in range(12)], None)
        dying = Dying(connect("anthropic", server.url), reaches=False)

        async def die(client: Client) -> None:
            asking = asyncio.create_task(client.ask_all(12))
            await dying.died.wait()
            asking.cancel()

        await run(path, name, server.url, die, provider=dying, settings=full(12))
        return await run(path, name, server.url, lambda c: c.ask_all(12), settings=full(12))

    assert asyncio.run(work()) == answers(12)
    assert states(path) == ["never created", "collected"]


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_job_tells_every_request_why(serve: Servers, path: Path, name: str) -> None:
    server = serve(revoked=True)
    outcomes = asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(5), settings=full(5)))
    assert [getattr(outcome, "status_code", None) for outcome in outcomes] == [401] * 5
    if name.startswith("anthropic"):  # OpenAI refuses the file already
        assert states(path) == ["never created"]
    server.change(revoked=False)
    assert asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(5))) == answers(5)


class Revoked:
    """A batch API whose key is revoked once the job is there."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def ended(self, job: str) -> bool:
        body = {"error": {"type": "authentication_error", "message": "invalid x-api-key"}}
        response = httpx2.Response(401, json=body, request=httpx2.Request("GET", "http://x"))
        sdk: Any = anthropic if self.inner.name == "anthropic" else openai
        raise sdk.AuthenticationError("401", response=response, body=body)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_is_revoked_meanwhile_leaves_the_job_open(serve: Servers, path: Path, name: str) -> None:
    server = serve()
    url = url_of(server, name)

    async def work() -> Any:
        provider: Any = Revoked(connect(provider_of(name), url))
        return await run(path, name, url, lambda c: c.ask_all(5), provider=provider, settings=full(5))

    outcomes = asyncio.run(work())
    assert [getattr(outcome, "status_code", None) for outcome in outcomes] == [401] * 5
    assert states(path) == ["open"]
    assert asyncio.run(run(path, name, url, lambda c: c.ask_all(5))) == answers(5)
    assert len(server.ledger.entries()) == 5


def test_without_batch_mode_left_over_requests_are_waited_for(serve: Servers, path: Path) -> None:
    """A run that no longer wants batch mode must not pay again for what is in a job."""
    server, name = serve(batch_seconds=0.6), NAMES[0]

    async def leave(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(8))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.01)
        asking.cancel()

    async def single(client: Client) -> list[str]:
        waiting = [asyncio.create_task(client.ask(number)) for number in range(8)]
        messages = [ChatMessageUser(content="number 99")]
        with client.sender.asking(request("number 99")):
            await client.model.api.generate(messages, [], "none", client.model.config)
        assert not any(task.done() for task in waiting)  # sent alone, that one did not wait for the job
        return await asyncio.gather(*waiting)

    asyncio.run(run(path, name, server.url, leave, settings=full(8)))
    assert asyncio.run(run(path, name, server.url, single, only_collect=True)) == answers(8)
    assert sorted(entry.batch != "" for entry in server.ledger.entries()) == [False] + [True] * 8


def test_a_request_that_is_sent_alone_has_a_deadline(serve: Servers, path: Path) -> None:
    """The SDK's own is that of a job, two days: a hanging request would hold up the run."""
    server = serve(faults={"hang": 1.0})
    begun = time.monotonic()
    outcomes = asyncio.run(run(path, NAMES[0], server.url, lambda c: c.ask_all(2), only_collect=True, deadline=0.5))
    assert [type(outcome).__name__ for outcome in outcomes] == ["APITimeoutError"] * 2
    assert time.monotonic() - begun < 10


def test_equal_requests_share_one_item(serve: Servers, path: Path) -> None:
    server = serve()

    async def twice(client: Client) -> list[str]:
        return await asyncio.gather(*(client.ask(7) for _ in range(5)))

    assert asyncio.run(run(path, NAMES[0], server.url, twice)) == ["answer to number 7"] * 5
    assert len(server.ledger.entries()) == 1


def test_a_reply_that_came_in_between_is_not_asked_again(serve: Servers, path: Path) -> None:
    """The client looks into the journal, then a left-over job is collected, then the client sends."""
    server, name = serve(batch_seconds=0.2), NAMES[0]

    async def leave(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(4))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.01)
        asking.cancel()

    async def late(client: Client) -> str:
        await client.sender.collected()
        asked = client.request(2)
        with client.sender.asking(asked):
            output: Any = await client.model.api.generate(
                [ChatMessageUser(content=asked.user)], [], "none", client.model.config
            )
        return reply_of(output[0]).text

    asyncio.run(run(path, name, server.url, leave, settings=full(4)))
    assert asyncio.run(run(path, name, server.url, late)) == "answer to number 2"
    assert len(server.ledger.entries()) == 4


def test_only_one_process_sends_jobs(serve: Servers, path: Path) -> None:
    server = serve()

    async def second(client: Client) -> None:
        with pytest.raises(BusyError, match="another process"):
            await run(path, NAMES[0], server.url, lambda c: c.ask_all(1))
        # The judge may be another provider's, and one that does not send jobs may run beside it.
        assert await run(path, NAMES[1], server.openai_url, lambda c: c.ask_all(2)) == answers(2)
        assert await run(path, NAMES[0], server.url, _nothing, only_collect=True) is None

    asyncio.run(run(path, NAMES[0], server.url, second))


async def _nothing(client: Client) -> None:
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_cancelled_job_is_paid_for_as_far_as_it_came(serve: Servers, path: Path, name: str) -> None:
    server = serve(batch_seconds=1.0)
    url = url_of(server, name)

    async def leave(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(20))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.01)
        asking.cancel()

    async def cancel() -> Any:
        await asyncio.sleep(0.4)
        journal = Journal(path)
        try:
            left = await collect_left_over(journal, TABLE, cancel=True, settings=FAST)
            return left, journal.spent("cheese"), journal.read("SELECT count(*) FROM replies")
        finally:
            journal.close()

    asyncio.run(run(path, name, url, leave, settings=full(20)))
    left, spent, replies = asyncio.run(cancel())
    assert [(entry.collected, entry.open) for entry in left] == [(1, 0)]
    done = len(server.ledger.entries())
    assert replies == [(done,)]
    assert 0 < done < 20
    assert spent == pytest.approx(server.ledger.dollars())


def test_the_command_collects(serve: Servers, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(batch_seconds=0.3)

    async def leave(client: Client) -> None:
        asking = asyncio.create_task(client.ask_all(4))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.01)
        asking.cancel()

    def recover() -> dict[str, Any]:
        arguments = ["recover", "--json", "-w", str(path.parent)]
        return json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).output)

    asyncio.run(run(path, NAMES[0], server.url, leave, settings=full(4)))
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    (left,) = recover()["batches"]
    assert (left["collected"], left["open"]) == (0, 1)
    assert "ANTHROPIC_API_KEY" in left["note"]
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    (left,) = recover()["batches"]
    assert (left["collected"], left["open"], left["note"]) == (1, 0, "")
    found = recover()
    assert (found["replies"], found["batches"]) == (4, [])


@pytest.mark.parametrize("status", [400, 404, 409])
@pytest.mark.parametrize("name", NAMES)
def test_a_cancellation_that_comes_too_late_hinders_no_collection(
    serve: Servers, path: Path, name: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    asyncio.run(run(path, name, url_of(server, name), leave_a_job, settings=full(4)))
    (left,) = recover_with(path, name, "cancel", status, monkeypatch)
    assert (left.collected, left.open, left.note) == (1, 0, "")
    assert asyncio.run(run(path, name, url_of(server, name), lambda c: c.ask_all(4))) == answers(4)
    assert len(server.ledger.entries()) == 4


@pytest.mark.parametrize("call", ["cancel", "ended", "results"])
@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_a_note_and_no_traceback(
    serve: Servers, path: Path, name: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A job that has ended may be collected before it is cancelled; this one is still at work then.
    server = serve(batch_seconds=60.0 if call == "cancel" else 0.2)
    asyncio.run(run(path, name, url_of(server, name), leave_a_job, settings=full(4)))
    (left,) = recover_with(path, name, call, 401, monkeypatch)
    assert (left.collected, left.open) == (0, 1)
    assert "refuses: status 401" in left.note


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_that_is_not_there_is_a_note(
    serve: Servers, path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(batch_seconds=60.0)
    asyncio.run(run(path, name, url_of(server, name), leave_a_job, settings=full(4)))
    (left,) = recover_with(path, name, "cancel", None, monkeypatch)
    assert (left.collected, left.open) == (0, 1)
    assert "does not answer" in left.note


async def leave_a_job(client: Client) -> None:
    asking = asyncio.create_task(client.ask_all(4))
    while not any(job.job for job in open_jobs(client.journal)):
        await asyncio.sleep(0.005)
    asking.cancel()


def recover_with(
    path: Path, name: str, call: str, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> list[LeftOver]:
    """`collect_left_over` with `cancel`, where a call fails with this HTTP status, or is not answered."""
    sdk: Any = anthropic if name.startswith("anthropic") else openai
    asked = httpx2.Request("POST", "http://x")

    def fail() -> None:
        if status is None:
            raise sdk.APIConnectionError(request=asked)
        raise sdk.APIStatusError(str(status), response=httpx2.Response(status, request=asked), body=None)

    async def failing(self: Any, job: str) -> None:
        fail()

    async def unreadable(self: Any, job: str) -> AsyncGenerator[Any]:
        fail()
        yield

    kind = AnthropicBatches if name.startswith("anthropic") else OpenAIBatches
    monkeypatch.setattr(kind, call, unreadable if call == "results" else failing)

    async def collect() -> list[LeftOver]:
        journal = Journal(path)
        try:
            return await collect_left_over(journal, TABLE, cancel=True, settings=FAST)
        finally:
            journal.close()

    return asyncio.run(collect())


def test_a_full_disk_is_told_as_such(serve: Servers, path: Path) -> None:
    """The SDK calls every exception under it a lost connection, which a client would try again for ever."""
    server = serve(batch_seconds=0.3)

    async def work(client: Client) -> list[Any]:
        asking = asyncio.create_task(client.ask_all(3))
        while not any(job.job for job in open_jobs(client.journal)):
            await asyncio.sleep(0.005)
        writer = client.journal._writer
        writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
        try:
            return await asking
        finally:
            writer.execute("PRAGMA max_page_count = 1000000")

    server.engine.answer = _long
    outcomes = asyncio.run(run(path, NAMES[0], server.url, work, settings=full(3)))
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    assert "free some space" in str(outcomes[0])
    assert len(open_jobs_of(path)) == 1  # to be collected when there is room
    outcomes = asyncio.run(run(path, NAMES[0], server.url, lambda c: c.ask_all(3)))
    assert [len(outcome) for outcome in outcomes] == [40_000] * 3
    assert len(server.ledger.entries()) == 3


async def _long(asked: Any) -> str:
    return asked.user.ljust(40_000, "x")


@pytest.mark.parametrize("path_", ["messages", "chat/completions", "responses"])
@pytest.mark.parametrize("stop", ["stop", "max_tokens", "refusal"])
def test_a_recorded_reply_can_be_given_as_an_answer(path_: str, stop: Any) -> None:
    reply = Reply("text", stop, 10, 20, 5, 7)
    assert asyncio.run(reply_from(body_of(reply, path_, "m"))) == reply


def test_who_has_batch_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [provider_of(name) for name in NAMES] == ["anthropic", "openai"]
    assert all(has_batch(name) for name in NAMES)
    for name in ("openai/azure/gpt-4o", "anthropic/bedrock/x", "vllm/", "openai-api/host/model", "offline"):
        assert not has_batch(name)
        with pytest.raises(InputError, match="no batch mode"):
            provider_of(name)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        connect("openai")


def test_polling_backs_off(serve: Servers, path: Path) -> None:
    """A job that takes a day must not be asked about every few seconds."""
    server = serve(batch_seconds=1.2)
    calls: list[float] = []

    async def work() -> Any:
        provider = connect("anthropic", server.url)
        real = provider.ended

        async def ended(job: str) -> bool:
            calls.append(time.monotonic())
            return await real(job)

        provider.ended = ended  # type: ignore[method-assign]
        settings = BatchSettings(wait=0.02, tick=0.02, slowest=10.0)
        return await run(path, NAMES[0], server.url, lambda c: c.ask_all(3), provider=provider, settings=settings)

    assert asyncio.run(work()) == answers(3)
    gaps = [after - before for before, after in pairwise(calls)]
    assert len(gaps) < 12
    assert gaps[-1] > 4 * gaps[0]
