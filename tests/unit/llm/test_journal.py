"""The journal: what is saved is there after any crash, once, and nothing else is."""

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, StoreError
from midspec.llm.journal import Journal, request_key
from midspec.llm.journal_rows import DUPLICATE
from midspec.llm.prompt import Reply
from tests.unit.llm.journals import SPEC, entry, request, save

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_reply_comes_back_as_it_was(path: Path) -> None:
    reply = Reply("text", "max_tokens", 10, 20, 30, 40)
    save(path, entry(reply=reply, price=0.5))
    journal = Journal(path)
    assert journal.find(request("another").key) is None
    assert journal.find(entry().key) == Reply(
        "text", "max_tokens", 10, 20, 30, 40, dollars=0.5, key=entry().key, replayed=True
    )
    journal.close()


@pytest.mark.parametrize("text", ["", "\x00 nul", "half an emoji \ud83e", "🦊 עברית \r\n\u2028"])
def test_any_text_survives(path: Path, text: str) -> None:
    """A cut reply may end inside a surrogate pair, which is no UTF-8: it was paid for all the same."""
    save(path, entry(user=f"{text} asked", text=text, system=f"{text} spec"))
    journal = Journal(path)
    found = journal.find(request(f"{text} asked", system=f"{text} spec").key)
    assert found is not None
    assert found.text == text
    journal.close()


def test_a_cut_reply_is_booked_and_never_found(path: Path) -> None:
    save(path, entry(reply=Reply("half a", "error")))
    journal = Journal(path)
    assert journal.find(entry().key) is None
    assert journal.spent("cheese") == 0.25
    asyncio.run(journal.save(entry(text="whole")))
    found = journal.find(entry().key)
    assert found is not None
    assert found.text == "whole"
    journal.close()


def test_the_first_of_two_replies_stays_and_both_are_paid(path: Path) -> None:
    save(path, entry(text="first"), entry(text="second"))
    journal = Journal(path)
    found = journal.find(entry().key)
    assert found is not None
    assert found.text == "first"
    assert journal.spent("cheese") == 0.5
    journal.close()
    assert rows(path, "SELECT kind, price FROM failures") == [(DUPLICATE, 0.25)]


@pytest.mark.parametrize("stop", ["stop", "error"])
def test_a_batch_job_that_is_collected_twice_is_paid_once(path: Path, stop: Any) -> None:
    """A process that dies while it collects leaves the whole job to the next one."""
    one = replace(entry(reply=Reply("text", stop)), batch="job-1")
    save(path, one, one)
    journal = Journal(path)
    assert journal.spent("cheese") == 0.25
    journal.close()
    save(path, replace(one, batch="job-2"))
    journal = Journal(path)
    assert journal.spent("cheese") == 0.5
    journal.close()


def test_keys_tell_requests_apart() -> None:
    base = ("m", {"temperature": 1.0}, "system", "user", 0)
    others = [
        ("n", {"temperature": 1.0}, "system", "user", 0),
        ("m", {"temperature": 0.5}, "system", "user", 0),
        ("m", {"temperature": 1.0}, "systemu", "ser", 0),
        ("m", {"temperature": 1.0}, "system", "user", 1),
        ("m", {}, "system", "user", 0),
    ]
    keys = {request_key(*arguments) for arguments in (base, *others)}
    assert len(keys) == 6
    # A setting that is added later and not given must not make every recorded reply unfindable.
    assert request_key("m", {"top_p": None, "temperature": 1.0}, "system", "user", 0) == request_key(*base)


SECRETS = [
    {"args": {"api_key": "abcdef"}},
    {"args": {"nested": [{"x": "sk-ant-api03-abcdefgh"}]}},
    {"args": {"default_headers": {"Authorization": "Basic eHl6"}}},
    {"args": {"default_headers": {"X": "Bearer abcdefghijk"}}},
    {"args": {"base_url": "https://me:secret@host/v1"}},
    {"args": {"sk-proj-abcdefgh": 1}},
    {"args": {"password": "x"}},
    {"args": {"client_secret": "x"}},
]


@pytest.mark.parametrize("settings", SECRETS, ids=lambda s: json.dumps(s)[:40])
def test_a_secret_among_the_settings_is_refused_and_not_told(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="looks like a secret") as raised:
        request_key("m", settings, "", "", 0)
    for value in ("abcdef", "eHl6", "secret@"):
        assert value not in str(raised.value)


def test_harmless_settings_are_no_secrets() -> None:
    settings = {"max_tokens": 10, "args": {"responses_api": False, "reasoning_tokens": 5, "tokenizer": "x/y-sk"}}
    schema = {"schema": {"properties": {"key": {"type": "string"}, "secret": {"type": "string"}}}}
    request_key("m", {**settings, **schema}, "", "", 0)


def test_no_planted_key_reaches_the_file(path: Path) -> None:
    key = "sk-ant-planted-0123456789"
    planted = replace(entry(), settings={"args": {"header": key}})

    async def work() -> None:
        journal = Journal(path)
        await journal.save(entry())
        with pytest.raises(InputError):
            await journal.save(planted)
        journal.failed(entry().key, kind="key", seconds=0.1, status=401)
        journal.close()

    asyncio.run(work())
    for file in path.parent.iterdir():
        assert key.encode() not in file.read_bytes()


def test_a_failure_holds_no_text(path: Path) -> None:
    """A provider's message may quote the prompt; whatever is passed as the kind is cut."""
    journal = Journal(path)
    journal.failed("00" * 32, kind="timeout " + SPEC, seconds=1.0, template="t", status=500, run="cheese", price=0.125)
    journal.close()
    ((kind, seconds, status, key),) = rows(path, "SELECT kind, seconds, status, key FROM failures")
    assert (len(kind), seconds, status, key) == (60, 1.0, 500, bytes(32))
    assert rows(path, "SELECT dollars FROM spending") == [(0.125,)]


def test_only_the_owner_may_read_it_and_times_are_utc(path: Path) -> None:
    save(path, entry())
    connection = sqlite3.connect(path)
    connection.execute("BEGIN IMMEDIATE")  # so that the side files are there
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    connection.close()
    ((written,),) = rows(path, "SELECT time FROM replies")
    assert datetime.fromisoformat(written).utcoffset() == timedelta(0)


def test_a_shared_text_is_stored_once(path: Path) -> None:
    save(path, *(entry(f"question {number}") for number in range(50)))
    assert rows(path, "SELECT count(*) FROM texts WHERE text LIKE 'The harbour%'") == [(1,)]
    assert path.stat().st_size < 50 * len(SPEC)


def test_verdicts_and_patience_last(path: Path) -> None:
    save(path, entry())
    journal = Journal(path)
    journal.verdict(entry().key, "refused")
    journal.verdict(entry().key, "off-spec")
    assert journal.patience("step-1") == 0
    journal.lose_patience("step-1")
    journal.lose_patience("step-1")
    assert (journal.patience("step-1"), journal.patience("step-2")) == (2, 0)
    journal.close()
    assert rows(path, "SELECT reason FROM verdicts") == [("off-spec",)]


def test_many_replies_share_a_commit(journal: Journal) -> None:
    """A commit waits for the disk; one each would hold up every request in flight."""
    commits: list[str] = []
    journal._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    async def work() -> None:
        await asyncio.gather(*(journal.save(entry(f"q{number}")) for number in range(500)))

    asyncio.run(work())
    assert 1 <= len(commits) <= 100
    assert rows(journal.path, "SELECT count(*) FROM replies") == [(500,)]


def test_saved_means_committed(journal: Journal) -> None:
    """Another process (here: another connection) sees it the moment `save` returns."""

    async def work() -> None:
        for number in range(20):
            await journal.save(entry(f"q{number}"))
            assert rows(journal.path, "SELECT count(*) FROM replies") == [(number + 1,)]

    asyncio.run(work())


def test_a_cancelled_waiter_loses_nothing(path: Path) -> None:
    async def work() -> None:
        journal = Journal(path)
        task = asyncio.create_task(journal.save(entry()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        journal.close()

    asyncio.run(work())
    assert rows(path, "SELECT count(*) FROM replies") == [(1,)]


def test_one_bad_row_does_not_take_the_others_along(path: Path) -> None:
    async def work() -> list[BaseException | None]:
        journal = Journal(path)
        bad = replace(entry("bad"), price=object())  # type: ignore[arg-type]
        many = [journal.save(entry(f"q{n}")) for n in range(20)]
        results = await asyncio.gather(*many, journal.save(bad), return_exceptions=True)
        journal.close()
        return results

    *good, bad = asyncio.run(work())
    assert good == [None] * 20
    assert isinstance(bad, StoreError)
    assert rows(path, "SELECT count(*) FROM replies") == [(20,)]


def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    async def work() -> None:
        journal = Journal(path)
        await journal.save(entry("before"))
        pages = journal._writer.execute("PRAGMA page_count").fetchone()[0]
        journal._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="free some space"):
            await journal.save(entry("big", text="x" * 100_000))
        assert journal.find(entry("before").key) is not None
        journal._writer.execute("PRAGMA max_page_count = 1000000")
        await journal.save(entry("big", text="x" * 100_000))  # room again: it goes on
        journal.close()

    asyncio.run(work())
    assert rows(path, "SELECT count(*) FROM replies") == [(2,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_verdict_that_could_not_be_noted_is_told_at_the_end(path: Path) -> None:
    journal = Journal(path)
    pages = journal._writer.execute("PRAGMA page_count").fetchone()[0]
    journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    journal.verdict("00" * 32, "x" * 100_000)
    with pytest.raises(StoreError, match="free some space"):
        journal.close()


NOBODY = """
import os, sys
from pathlib import Path
from midspec.llm.journal import Journal
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Journal(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_file_of_somebody_else_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "journal.sqlite"
        save(path, entry())
        done = subprocess.run([sys.executable, "-c", NOBODY, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StoreError")
    assert "--workspace" in done.stdout


def test_a_damaged_file_names_the_remedy(path: Path) -> None:
    save(path, entry())
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="journal recover"):
        Journal(path)


def test_a_reply_whose_bytes_have_changed_is_not_used(path: Path) -> None:
    """SQLite has no checksums: a flipped bit inside a text would go unnoticed."""
    save(path, entry(text="the harbour opens at nine"))
    whole = path.read_bytes()
    assert whole.count(b"opens at nine") == 1
    path.write_bytes(whole.replace(b"opens at nine", b"opens at five"))
    journal = Journal(path)
    with pytest.raises(StoreError, match="journal recover"):
        journal.find(entry().key)
    journal.close()


def test_another_version_is_refused_and_left_alone(path: Path) -> None:
    save(path, entry())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"format 2.*writes 1"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (x)")
    connection.close()
    with pytest.raises(StoreError, match="not a journal"):
        Journal(path)


SAVER = """
import asyncio, sys
from pathlib import Path
from midspec.llm.journal import Journal
from tests.unit.llm.journals import entry

async def main(path, name, first, last):
    journal = Journal(Path(path))
    slots = asyncio.Semaphore(200)
    async def one(number):
        async with slots:
            await journal.save(entry(f"q{number}", text=f"{name} {number}", price=1.0))
        print(number, flush=True)
    await asyncio.gather(*(one(n) for n in range(first, last)))
    journal.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def saver(path: Path, name: str, first: int, last: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SAVER, str(path), name, str(first), str(last)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_kill_loses_nothing_that_was_saved(path: Path) -> None:
    process = saver(path, "a", 0, 10_000)
    assert process.stdout
    told = [int(process.stdout.readline()) for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    journal = Journal(path)
    missing = [number for number in told if journal.find(entry(f"q{number}").key) is None]
    journal.close()
    assert missing == []
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_two_processes_at_once(path: Path) -> None:
    """They start on a new file together, and half of their requests are the same."""
    both = [saver(path, "a", 0, 600), saver(path, "b", 300, 900)]
    told = [len(process.communicate(timeout=60)[0].splitlines()) for process in both]
    assert told == [600, 600]
    assert rows(path, "SELECT count(*) FROM replies") == [(900,)]
    journal = Journal(path)
    # What both asked was paid twice.
    assert journal.spent("cheese") == pytest.approx(1200.0)
    journal.close()


def test_a_process_waits_while_another_writes(path: Path) -> None:
    journal = Journal(path)
    held = sqlite3.connect(path, isolation_level=None)

    async def work() -> float:
        begun = time.monotonic()
        asyncio.get_running_loop().call_later(0.5, held.execute, "COMMIT")
        await journal.save(entry("second"))
        return time.monotonic() - begun

    held.execute("BEGIN IMMEDIATE")
    assert asyncio.run(work()) >= 0.4
    journal.close()
    held.close()
