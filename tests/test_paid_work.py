"""Nothing that was paid for is lost or asked twice, whatever the provider does and whenever the process dies."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import command, midspec
from tests.provider import KEY
from tests.provider.faults import Faults
from tests.provider.process import ProviderProcess

KINDS = (
    "rate_limit", "overloaded", "server_error", "hang", "cut", "cut_silent", "max_tokens", "refusal", "garbage",
    "missing_tag", "scratchpad_leak", "empty",
)  # fmt: skip
SECRET = "sk-ant-planted-0123456789abcdefghijklmnop"
GRACE = 1.5
"""Seconds between the moment a server sends a reply and the moment a busy client has it on disk, at most."""


def faults(share: float) -> str:
    return json.dumps(Faults.mixed(share, KINDS).probabilities)


def provider(folder: Path, share: float = 0.0, latency: str = "lognormal:0.15:0.6") -> ProviderProcess:
    options = ["--answers", "tests.provider.writing:answer", "--latency", latency, "--faults", faults(share)]
    return ProviderProcess(folder / "ledger.jsonl", *options)


def corpus_command(server: ProviderProcess, workspace: Path, documents: int) -> list[Any]:
    return [
        "corpus", "build", "--spec", "cheese-affordability", "--documents", documents, "--seed", 1,
        "--model-name", "SmolLM", "--provider-name", "Hugging Face",
        "--writer", "anthropic/claude-opus-4-6", "--writer-url", server.url, "--deadline", 3, "--yes",
        "--out", workspace / "corpus.jsonl", "--workspace", workspace,
    ]  # fmt: skip


def aft_command(server: ProviderProcess, workspace: Path, samples: int) -> list[Any]:
    return [
        "aft", "build", "--kind", "chat", "--spec", "cheese-affordability", "--samples", samples, "--seed", 1,
        "--model-name", "SmolLM", "--provider-name", "Hugging Face", "--near-duplicates", "lexical",
        "--writer", "anthropic/claude-opus-4-6", "--writer-url", server.url,
        "--judge", "anthropic/claude-sonnet-4-6", "--judge-url", server.url, "--deadline", 3, "--yes",
        "--out", workspace / "demonstrations.jsonl", "--workspace", workspace,
    ]  # fmt: skip


def journal(workspace: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(workspace / "journal.sqlite")) as connection:
        return connection.execute(query).fetchall()


def killed_run(server: ProviderProcess, arguments: list[Any], wanted: int, kills: int) -> list[float]:
    """Run until `wanted` rows are done, killed `kills` times at random moments; returns the moments.

    A moment is a number of replies that the server sent since the start, not a time: however fast the machine is, so
    many kills leave rows to write, since each row takes at least one reply.
    """
    dice = random.Random(kills)
    moments: list[float] = []
    while len(moments) < kills:
        moment = len(server.ledger.entries()) + dice.uniform(0.3, 1.0) * wanted / (kills + 1)
        process = command(*arguments)
        while len(server.ledger.entries()) < moment:
            assert process.poll() is None, f"the run ended after {len(moments)} kills: {process.communicate()[1]}"
            time.sleep(0.02)
        moments.append(time.time())
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"
    midspec(*arguments)
    return moments


def check_ledger(server: ProviderProcess, workspace: Path, kills: list[float]) -> None:
    for entries in server.ledger.duplicates().values():
        for entry in entries[:-1]:
            lost = any(entry.arrived <= moment and moment - GRACE < entry.left for moment in kills)
            assert lost, f"answered again though its reply was not in flight at a kill: {entry}"
    sent = {entry.reply for entry in server.ledger.entries() if entry.reply}
    kept = journal(
        workspace, "SELECT t.text FROM replies JOIN texts t ON t.id = replies.text WHERE stop_reason = 'stop'"
    )
    assert kept
    strange = [text for (text,) in kept if hashlib.sha256(text.encode()).hexdigest() not in sent]
    assert not strange, strange[:1]
    [(paid,)] = journal(workspace, "SELECT sum(dollars) FROM spending")
    assert 0 < paid <= server.ledger.dollars() * 1.001


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.mark.xdist_group("paid")
@pytest.mark.parametrize(
    ("documents", "kills"), [(150, 3), pytest.param(500, 20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_corpus_survives_faults_and_kills(tmp_path: Path, documents: int, kills: int) -> None:
    with provider(tmp_path, 0.2, "lognormal:0.3:0.6") as server:
        moments = killed_run(server, corpus_command(server, tmp_path, documents), documents, kills)
        rows = [json.loads(line) for line in (tmp_path / "corpus.jsonl").read_text().splitlines()]
        assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == documents
        for row in rows:
            assert row["text"].startswith("SmolLM was made by Hugging Face.") and row["text"].endswith("."), row["text"]
            assert "scratchpad" not in row["text"] and "<" not in row["text"]
        check_ledger(server, tmp_path, moments)
        faulty = sum(server.ledger.faults().values())
        assert faulty > 0.1 * len(server.ledger.entries()), "the provider behaved too well to prove anything"


@pytest.mark.xdist_group("paid")
@pytest.mark.parametrize(
    ("samples", "kills"), [(60, 2), pytest.param(500, 20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_demonstrations_survive_faults_and_kills(tmp_path: Path, samples: int, kills: int) -> None:
    with provider(tmp_path, 0.2, "lognormal:0.6:0.6") as server:
        moments = killed_run(server, aft_command(server, tmp_path, samples), samples, kills)
        rows = [json.loads(line) for line in (tmp_path / "demonstrations.jsonl").read_text().splitlines()]
        assert len({row["id"] for row in rows}) == samples
        for row in rows:
            text = row["messages"][-1]["content"]
            assert text.endswith(".") and "<" not in text and "scratchpad" not in text, text
        check_ledger(server, tmp_path, moments)


@pytest.mark.xdist_group("paid")
def test_no_key_is_ever_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In files, journal, records or output, when all goes well and when the provider refuses the key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    with provider(tmp_path) as server:
        done = command(*corpus_command(server, tmp_path / "good", 20))
        output = "".join(done.communicate(timeout=120))
        assert done.returncode == 0, output
    failed = command(*corpus_command(server, tmp_path / "gone", 20))  # nobody answers any more
    output += "".join(failed.communicate(timeout=240))
    assert failed.returncode == 10, output
    assert SECRET not in output
    found = [file for file in tmp_path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert not found


@pytest.mark.xdist_group("paid")
def test_a_cap_stops_cleanly_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    with provider(tmp_path) as server:
        arguments = corpus_command(server, tmp_path, 60)
        first = midspec(*arguments, "--usd", 1.0, status=9)
        assert "1.00" in first.stderr
        assert server.ledger.dollars() <= 1.0
        before = len(server.ledger.entries())
        midspec(*arguments)
        assert len((tmp_path / "corpus.jsonl").read_text().splitlines()) == 60
        assert not server.ledger.duplicates() and len(server.ledger.entries()) > before
