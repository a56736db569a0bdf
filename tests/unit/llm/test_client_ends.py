"""How a run ends before its time: at once, cleanly, with everything kept that was paid for."""

import asyncio
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from asking import (
    CLAUDE,
    GPT,
    MODELS,
    Question,
    answer,
    ask_for,
    check_replies,
    context,
    expected,
    failures,
    journaled,
)

from midspec.errors import BudgetError, ProviderError, WriterError
from midspec.experiment import WriterConfig
from midspec.llm import client
from midspec.llm import failures as failing
from midspec.llm.desk import Desk
from midspec.llm.journal import NAME, Journal
from tests.provider import Faults, ProviderServer, Script

HERE = Path(__file__).parent
PLANTED = "sk-ant-api03-PLANTED-4f8a1c"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["credit", "permission", "enforced"])
def test_a_spending_limit_ends_the_run_with_few_further_requests(tmp_path, model, kind):
    """Retried like a rate limit, it cost a peer 1,960 more requests and an exit status of 0."""
    with ProviderServer(Script(otherwise=answer), spend_limit=0.02, spend_error=kind) as server:
        at = context(tmp_path, server, model, concurrency=10)
        with pytest.raises(ProviderError, match="every reply so far is kept") as raised:
            ask_for(at, model, 2000)
        assert raised.value.exit_status == 10
        entries = server.ledger.entries()
        good = [entry for entry in entries if entry.status == 200]
        # Refused for want of money before it is even read: the ledger holds only those whose body was.
        assert len(good) == len(journaled(tmp_path)) > 10
        assert sum(failures(tmp_path).values()) <= 10
        server.change(spend_limit=None)
        texts, scribe, _ = ask_for(at, model, 300)
        assert texts == expected(300)
        assert scribe.tally.replayed == len(good)
        assert server.ledger.duplicates() == {}


@pytest.mark.parametrize("model", MODELS)
def test_a_key_that_is_revoked_in_the_middle_ends_the_run_at_once(tmp_path, model):
    with ProviderServer(Script(otherwise=answer), latency="0.05") as server:
        at = context(tmp_path, server, model, concurrency=10)

        async def main():
            asking = asyncio.create_task(asyncio.to_thread(ask_for, at, model, 3000))
            await asyncio.sleep(1.5)
            server.change(revoked=True)
            await asking

        with pytest.raises(ProviderError, match="the key is wrong or was revoked"):
            asyncio.run(main())
        assert failures(tmp_path) == {"key": pytest.approx(6, abs=5)}
        check_replies(tmp_path, server.ledger)


def test_an_unknown_model_and_a_too_long_prompt_end_the_run(tmp_path, monkeypatch):
    from tests.provider import anthropic_api
    from tests.provider.engine import FailureError

    with ProviderServer(Script(otherwise=answer)) as server:
        with pytest.raises(ProviderError, match="no model of this name"):
            ask_for(context(tmp_path, server), f"{CLAUDE}-nonexistent", 50)
        assert sum(failures(tmp_path).values()) <= 8
        real = anthropic_api.parse

        def short(body, headers, ttl):
            if "question 3" in str(body):
                raise FailureError("invalid", "prompt is too long: 210000 tokens > 200000 maximum")
            return real(body, headers, ttl)

        monkeypatch.setattr(anthropic_api, "parse", short)
        with pytest.raises(ProviderError, match="longer than the model takes"):
            ask_for(context(tmp_path, server), CLAUDE, 50)


@pytest.mark.parametrize("fault", ["server_error", "overloaded", "cut", "hang"])
def test_a_storm_of_errors_ends_the_run(tmp_path, monkeypatch, fault):
    """An outage at night must end with an exit status and a word, not with a thousand 'errors' in the results."""
    monkeypatch.setattr(failing, "STORM_SECONDS", 1.0)
    monkeypatch.setattr(client, "Storm", lambda clock: failing.Storm(clock, attempts=20, seconds=1.0, at_first=1.0))
    monkeypatch.setattr(client, "TRIES", 10_000)
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server, concurrency=10, deadline=0.2)

        async def main():
            asking = asyncio.create_task(asyncio.to_thread(ask_for, at, CLAUDE, 100_000))
            await asyncio.sleep(1.0)
            server.change(faults=Faults(probabilities={fault: 1.0}))
            await asking

        with pytest.raises(ProviderError, match="of the last 20 attempts failed over"):
            asyncio.run(main())
        asked = len(server.ledger.entries())
        server.change(faults=Faults())
        time.sleep(0.3)
        assert len(server.ledger.entries()) == asked, "it goes on asking after its end"
        check_replies(tmp_path, server.ledger)


def test_nobody_there_is_a_provider_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "Storm", lambda clock: failing.Storm(clock, attempts=20, seconds=9, at_first=0.5))
    monkeypatch.setattr(client, "TRIES", 10_000)
    with ProviderServer() as server:
        at = context(tmp_path, server)
    with pytest.raises(ProviderError, match="20 connection"):
        ask_for(at, CLAUDE, 50)


def test_nobody_there_costs_nothing_and_is_no_reason_to_plan_without(tmp_path, monkeypatch):
    """One request in flight, as in planning: it must end the run, and no cap may count what was never sent."""
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(client, "_LONGEST_WAIT", 0.01)
    with ProviderServer() as server:
        at = context(tmp_path, server, usd=0.1)
    with pytest.raises(ProviderError, match="12 connection"):
        ask_for(at, CLAUDE, 1)


@pytest.mark.parametrize("concurrency", [1, 30])
def test_the_cap_is_never_passed_and_a_higher_one_goes_on(tmp_path, concurrency):
    def long(request):
        return f"<document>\nAnswer to {request.user}\n{'word ' * 300}</document>"

    with ProviderServer(Script(otherwise=long), latency="0.01") as server:
        at = context(tmp_path, server, usd=0.5, concurrency=concurrency)
        with pytest.raises(BudgetError, match=r"pass the cap of \$0\.50") as raised:
            ask_for(at, CLAUDE, 400)
        assert raised.value.exit_status == 9
        assert 0.4 < server.ledger.dollars() <= 0.5
        journal = Journal(tmp_path / NAME)
        assert journal.spent("cheese") == pytest.approx(server.ledger.dollars())
        journal.close()
        with pytest.raises(BudgetError):  # the same cap, another day: what was paid before counts
            ask_for(at, CLAUDE, 400)
        assert server.ledger.dollars() <= 0.5
        ask_for(context(tmp_path, server, usd=5.0, concurrency=concurrency), CLAUDE, 100)
        assert server.ledger.duplicates() == {}
        check_replies(tmp_path, server.ledger)


def test_the_cap_holds_with_faults_that_are_charged(tmp_path):
    faults = Faults(probabilities={"cut": 0.3, "slow_start": 0.1, "empty": 0.1}, slow_start_seconds=2.0)
    with ProviderServer(Script(otherwise=answer), faults=faults) as server:
        with pytest.raises(BudgetError, match="may have been charged"):
            ask_for(context(tmp_path, server, usd=0.6, concurrency=10, deadline=0.5), CLAUDE, 2000)
        assert server.ledger.dollars() <= 0.6


def test_an_error_waits_for_what_is_on_its_way(tmp_path):
    async def main(at):
        async with Desk(at) as desk:
            scribe = desk.scribe(WriterConfig(model=CLAUDE, max_tokens=1000))
            tasks = [asyncio.create_task(scribe.ask(Question(), {"user": f"question {n}"})) for n in range(30)]
            while server.engine.in_flight < 10:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            raise WriterError("the step gave up")

    with ProviderServer(Script(otherwise=answer), latency="2.0") as server:
        at = context(tmp_path, server, concurrency=10)
        with pytest.raises(WriterError, match="gave up"):
            asyncio.run(main(at))
        assert server.ledger.statuses() == {200: 10}
        assert len(journaled(tmp_path)) == 10
        assert any("10 replies are on their way" in line for line in at.progress.lines)
        journal = Journal(tmp_path / NAME)
        assert journal.patience("step-1") == 1
        journal.close()


def test_a_full_disk_ends_the_run_and_says_what_to_do(tmp_path, monkeypatch):
    from midspec.errors import StoreError

    async def full(self, entry):
        raise StoreError("no space left on the disk; free some")

    with ProviderServer(Script(otherwise=answer)) as server:
        monkeypatch.setattr(Journal, "save", full)
        with pytest.raises(StoreError, match="no space left"):
            ask_for(context(tmp_path, server), CLAUDE, 500)
        assert len(server.ledger.entries()) <= 16, "what cannot be kept must not be paid for"


def process(
    workspace: Path, server: ProviderServer, count: int, model: str = CLAUDE, **options
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            str(HERE / "asking_process.py"),
            str(workspace),
            server.url if model == CLAUDE else server.openai_url,
            model,
            str(count),
            json.dumps(options),
        ],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(server: ProviderServer, requests: int) -> None:
    """Wait until so many requests have been answered."""
    ends = time.monotonic() + 60
    while len(server.ledger.entries()) < requests:
        assert time.monotonic() < ends, "the client asks for nothing"
        time.sleep(0.01)


@pytest.mark.parametrize("model", MODELS)
def test_a_kill_loses_only_what_was_in_flight(tmp_path, model):
    faults = Faults.mixed(0.2, ("cut", "refusal", "max_tokens", "server_error", "missing_tag"))
    moment = random.Random(5)
    lost: set[str] = set()
    with ProviderServer(Script(otherwise=answer), latency="lognormal:0.1:0.6", faults=faults) as server:
        for _ in range(3):
            client = process(tmp_path, server, 400, model, concurrency=20)
            begun(server, len(server.ledger.entries()) + moment.randint(20, 80))
            client.kill()
            client.communicate()
            time.sleep(0.3)  # the server works on
            kept = texts_kept(tmp_path)
            # Answered, and not on disk: on the way at the kill, or in the client's hands for a moment.
            missing = {entry.hash for entry in server.ledger.entries() if entry.good and entry.reply not in kept}
            assert len(missing - lost) <= 2 * 20
            lost |= missing
        ended = process(tmp_path, server, 400, model, concurrency=20)
        out, err = ended.communicate(timeout=120)
        assert json.loads(out.splitlines()[-1]) == {"texts": 400, "errors": 0}, err
        assert set(server.ledger.duplicates()) <= lost, "what was on disk was asked for again"
        sent = {entry.reply for entry in server.ledger.entries() if entry.status == 200}
        assert texts_kept(tmp_path) <= sent


def texts_kept(workspace: Path) -> set[str]:
    """Hashes of the whole replies in the journal."""
    return {sha256(text.encode()).hexdigest() for stop, text in journaled(workspace) if stop != "error"}


def test_an_interrupt_waits_for_what_is_on_its_way_and_a_second_leaves(tmp_path):
    with ProviderServer(Script(otherwise=answer), latency="0.8") as server:
        client = process(tmp_path, server, 200, concurrency=10)
        begun(server, 25)
        client.send_signal(signal.SIGINT)
        out, err = client.communicate(timeout=20)
        assert client.returncode == 130 and "replies are on their way and paid for" in out, (out, err)
        assert "Traceback" not in err
        # Nothing that was sent is lost: the next run asks for nothing again.
        paid = len(server.ledger.entries())
        assert server.ledger.statuses() == {200: paid}
        assert len(journaled(tmp_path)) == paid
        server.change(latency="30")
        client = process(tmp_path, server, 200, concurrency=10)
        ends = time.monotonic() + 30
        while server.engine.in_flight < 10:
            assert time.monotonic() < ends
            time.sleep(0.05)
        client.send_signal(signal.SIGINT)
        time.sleep(1.0)
        assert client.poll() is None, "it left before the replies had come"
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=10)
        assert client.returncode != 0
        assert server.ledger.duplicates() == {}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("end", ["revoked", "storm", "budget", "good"])
def test_no_key_appears_anywhere(tmp_path, monkeypatch, model, end):
    monkeypatch.setenv("ANTHROPIC_API_KEY", PLANTED)
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED)
    settings = {
        "revoked": {"revoked": True},
        "storm": {"faults": Faults(probabilities={"server_error": 0.5, "cut": 0.3})},
        "budget": {},
        "good": {"faults": Faults(probabilities={"rate_limit": 0.1, "cut": 0.1})},
    }[end]
    with ProviderServer(Script(otherwise=answer), **settings) as server:
        cap = 0.027 if model == CLAUDE else 0.011  # room for one reply of 1,000 tokens, and a few short ones
        client = process(tmp_path, server, 40, model, usd=cap if end == "budget" else None)
        out, err = client.communicate(timeout=120)
        assert client.returncode == {"revoked": 10, "budget": 9}.get(end, 0), err
        told = [out, err, *(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())]
        assert all("PLANTED" not in text for text in told)
        assert "Traceback" not in err


def test_no_key_and_no_prompt_in_an_error_with_its_traceback(tmp_path, monkeypatch):
    import traceback

    monkeypatch.setenv("ANTHROPIC_API_KEY", PLANTED)
    with ProviderServer(Script(otherwise=answer), revoked=True) as server:
        with pytest.raises(ProviderError) as raised:
            ask_for(context(tmp_path, server), CLAUDE, 5)
        told = "".join(traceback.format_exception(raised.value))
        assert "PLANTED" not in told and "harbour assistant" not in told and "question 1" not in told


def test_settings_of_the_interpreter_are_put_back(tmp_path):
    before = gc.get_threshold()
    with ProviderServer(Script(otherwise=answer)) as server:
        ask_for(context(tmp_path, server, GPT), GPT, 3)
    assert gc.get_threshold() == before
