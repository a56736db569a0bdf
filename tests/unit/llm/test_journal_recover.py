"""`midspec journal recover`: what can be read of a damaged file is saved, and the file is kept."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from midspec.errors import BusyError, StoreError
from midspec.llm.journal import Journal
from midspec.llm.journal_file import PAGE
from midspec.llm.journal_recover import check, recover
from tests.unit.llm.journals import entry, save

ROOT = Path(__file__).parents[3]
COUNT = 400


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "journal.sqlite"
    save(path, *(entry(f"q{number}", text=f"answer {number} " * 60, price=1.0) for number in range(COUNT)))
    journal = Journal(path)
    journal.verdict(entry("q1").key, "refused")
    journal.lose_patience("step-1")
    journal.close()
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "journal.sqlite"))


def readable(path: Path) -> int:
    """Replies that are found, each checked to be the one that was saved."""
    journal = Journal(path)
    count = 0
    for number in range(COUNT):
        found = journal.find(entry(f"q{number}").key)
        if found is not None:
            assert found.text == f"answer {number} " * 60
            count += 1
    journal.close()
    return count


def test_a_sound_journal_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    found = recover(path)
    assert (found.problems, found.old, found.replies) == ([], None, COUNT)
    assert path.read_bytes() == before


@pytest.mark.parametrize("bytes_gone", [16, 100, PAGE])
def test_a_destroyed_head_costs_nothing(path: Path, bytes_gone: int) -> None:
    """It is what a crash of the machine or a careless tool hits first, and it holds no reply."""
    with path.open("rb+") as file:
        file.write(os.urandom(bytes_gone))
    with pytest.raises(StoreError, match="recover"):
        Journal(path)
    found = recover(path)
    assert found.problems
    assert (found.replies, found.incomplete, readable(path)) == (COUNT, 0, COUNT)
    assert check(path) == []
    journal = Journal(path)
    assert (journal.spent("cheese"), journal.patience("step-1")) == (COUNT, 1)
    journal.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT reason FROM verdicts").fetchall() == [("refused",)]
    connection.close()


def test_destroyed_pages_cost_what_was_on_them(path: Path) -> None:
    damaged = path.read_bytes()
    pages = len(damaged) // PAGE
    with path.open("rb+") as file:
        for page in range(40, pages, 40):
            file.seek(page * PAGE)
            file.write(os.urandom(PAGE))
    spoiled = path.read_bytes()
    found = recover(path)
    assert found.old is not None
    assert found.old.read_bytes() == spoiled
    assert found.replies == readable(path)
    # A page holds at most a few replies or the rows of some thirty; six pages of about 250 are gone.
    assert COUNT * 0.6 < found.replies < COUNT
    assert check(path) == []


def test_a_cut_file_keeps_its_beginning(path: Path) -> None:
    """A copy that ran out of disk."""
    size = path.stat().st_size
    with path.open("rb+") as file:
        file.truncate(size * 3 // 4)
    found = recover(path)
    assert found.replies == readable(path) > COUNT // 3


def test_one_flipped_bit_costs_one_reply(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"answer 77 answer 77", b"answer 77 answer 76", 1))
    assert any("not the one that was saved" in problem for problem in check(path))
    assert recover(path).replies == readable(path) == COUNT - 1
    journal = Journal(path)
    assert journal.find(entry("q77").key) is None  # to be asked again
    assert journal.spent("cheese") == COUNT  # and paid twice, which stays true
    journal.close()


WRITER = """
import asyncio, os, sys
from pathlib import Path
from midspec.llm.journal import Journal
from tests.unit.llm.journals import entry
async def main():
    journal = Journal(Path(sys.argv[1]))
    for number in range(500, 520):
        await journal.save(entry(f"q{number}"))
    print("saved", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def writer(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stdout.readline() == "saved\n"
    return process


def test_replies_that_are_only_in_the_log_are_saved_too(path: Path) -> None:
    """After a kill the last replies are in the -wal file alone."""
    process = writer(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.with_name("journal.sqlite-wal").stat().st_size > 0
    with path.open("rb+") as file:
        file.write(os.urandom(100))
    assert recover(path).replies == COUNT + 20
    journal = Journal(path)
    assert journal.find(entry("q519").key) is not None
    journal.close()


def test_not_while_another_process_uses_it(path: Path) -> None:
    process = writer(path)
    try:
        with pytest.raises(BusyError, match="another process"):
            recover(path)
    finally:
        process.kill()
        process.wait()
    assert recover(path).problems == []


def test_a_recovery_that_was_killed_is_finished(path: Path) -> None:
    """Between the removal of the old log and the swap, the new file is whole under its own name."""
    good = path.read_bytes()
    path.with_name("journal.sqlite.recovered").write_bytes(good)
    path.write_bytes(b"x" * 10_000)
    found = recover(path)
    assert found.replies == COUNT
    assert found.old is not None
    assert found.old.read_bytes() == b"x" * 10_000
    assert readable(path) == COUNT


def test_nothing_is_left_lying_about(path: Path) -> None:
    with path.open("rb+") as file:
        file.write(os.urandom(100))
    found = recover(path)
    assert found.old is not None
    left = {file.name for file in path.parent.iterdir() if not file.name.endswith(("-wal", "-shm"))}
    assert left == {"journal.sqlite", found.old.name}
    assert path.stat().st_mode & 0o777 == 0o600
