"""Check a journal to the last byte, and save what can be read of a damaged one into a new file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from midspec.errors import BusyError, StoreError
from midspec.llm.journal_file import PAGE, explaining, open_journal, reading, transaction
from midspec.llm.journal_key import request_key, text_hash
from midspec.llm.journal_rows import unpacked
from midspec.steps.store import explained

_ROW_TABLES = ("texts", "replies", "verdicts", "failures", "spending", "patience", "batches")
_RANGE = 512
_SMALLEST_ROW = 16
_GIVE_UP = 100_000
"""Unreadable places in one table after which nothing more is expected of it."""
_LOCK_BYTES = (0x40000002, 510)
"""Where SQLite keeps the locks of those who have the file open."""


@dataclass
class Recovered:
    """What was found and saved."""

    problems: list[str]
    """What is wrong with the file; empty = nothing, and nothing was done."""
    old: Path | None = None
    """Where the damaged file is now."""
    replies: int = 0
    """In the journal, or in the new one."""
    incomplete: int = 0
    """Of these, replies whose request could not be read: they are found again, but cannot be exported."""


def recover(path: Path) -> Recovered:
    """Check the journal at `path`; if it is damaged, put a new one with all that is readable in its place.

    The old file stays beside it. Raises BusyError while another process has it open, StoreError where there is none, or
    no room for a second one.
    """
    new = path.with_name(path.name + ".recovered")
    if not path.exists() and not new.exists():
        raise StoreError(f"there is no journal {path}; a run with a language model makes one. Is --workspace right?")
    with _alone(path), explained(path.parent):
        if new.exists():  # an earlier recovery was killed in its last step
            return _swapped(path, new, ["an earlier recovery was interrupted"])
        problems = check(path)
        if not problems:
            with reading(path) as connection:
                replies = _count(connection, "SELECT count(*) FROM replies WHERE stop_reason <> 'error'")
            return Recovered([], None, replies)
        _salvage(path, new)
        return _swapped(path, new, problems)


def check(path: Path) -> list[str]:
    """What is wrong with the file: its structure, and every text and key against its hash. At most ten of each."""
    try:
        with reading(path) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
            if found != ["ok"]:
                return found
            return [*_bad_texts(connection), *(f"request {key.hex()} has another key" for key in _bad_keys(connection))]
    except StoreError as error:
        cause = error.__cause__
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        return [str(cause)]


def _bad_texts(connection: sqlite3.Connection) -> list[str]:
    bad: list[str] = []
    for number, digest, text in connection.execute("SELECT id, hash, text FROM texts"):
        if not _is(digest, text):
            bad.append(f"text {number} is not the one that was saved")
            if len(bad) == 10:
                break
    return bad


def _is(digest: object, text: object) -> bool:
    """Whether a text is the one that its hash names."""
    try:
        return isinstance(text, str | bytes) and text_hash(unpacked(text)) == digest
    except UnicodeDecodeError:
        return False


def _bad_keys(connection: sqlite3.Connection) -> list[bytes]:
    """Keys of replies whose request is another one; requests that are not whole are passed over."""
    rows = connection.execute(
        "SELECT key, model, sample, c.text, s.text, u.text FROM replies JOIN texts c ON c.id = replies.settings"
        " JOIN texts s ON s.id = replies.system JOIN texts u ON u.id = replies.user"
    )
    bad: list[bytes] = []
    for key, model, sample, settings, system, user in rows:
        found = request_key(model, json.loads(unpacked(settings)), unpacked(system), unpacked(user), sample)
        if bytes.fromhex(found) != key:
            bad.append(key)
    return bad


def _salvage(path: Path, new: Path) -> None:
    """Write what is readable of `path` into `new`, which appears under that name when it is whole."""
    copy, part = (path.with_name(path.name + suffix) for suffix in (".salvage", ".recovered.part"))
    try:
        _remove(copy, part)
        shutil.copyfile(path, copy)
        wal = _beside(path, "-wal")
        if wal.exists():
            shutil.copyfile(wal, _beside(copy, "-wal"))
        with explaining(part), closing(open_journal(part)) as target:
            _mend_first_page(copy, part)
            with closing(sqlite3.connect(copy, isolation_level=None)) as source:
                source.execute("PRAGMA writable_schema = ON")  # reads on where pages are missing
                _copy_rows(source, target, copy.stat().st_size)
            _drop_what_is_wrong(target)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(new)
    finally:
        _remove(copy, part)


def _mend_first_page(copy: Path, fresh: Path) -> None:
    """Give the copy a first page that SQLite accepts.

    It holds the header and where each table begins, which is the same in every journal of one version.
    """
    with sqlite3.connect(fresh) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    try:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("SELECT count(*) FROM replies WHERE rowid = 0")
            return
    except sqlite3.DatabaseError:
        pass
    with fresh.open("rb") as file:
        page = bytearray(file.read(PAGE))
    page[28:32] = (copy.stat().st_size // PAGE).to_bytes(4, "big")
    page[92:96] = page[24:28]  # else SQLite does not believe the size
    with copy.open("rb+") as file:
        file.write(page)


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, size: int) -> None:
    for table in _ROW_TABLES:
        columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
        keyed = columns[0] == "id"
        names = ", ".join(columns if keyed else ["rowid", *columns])
        marks = ", ".join("?" * (len(columns) if keyed else len(columns) + 1))
        with transaction(target):
            for row in _readable(source, table, names, size):
                if table != "texts" or _is(row[1], row[2]):
                    _put(target, f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
    columns = ", ".join(row[1] for row in target.execute("PRAGMA table_info(batch_items)"))
    marks = ", ".join("?" * len(columns.split(", ")))
    with transaction(target):
        for (batch,) in target.execute("SELECT id FROM batches").fetchall():
            try:
                for row in source.execute(f"SELECT {columns} FROM batch_items WHERE batch = ?", (batch,)):
                    _put(target, f"INSERT OR IGNORE INTO batch_items ({columns}) VALUES ({marks})", row)
            except sqlite3.DatabaseError:
                continue  # some of its items cannot be read; they are asked again


def _put(target: sqlite3.Connection, statement: str, row: tuple[Any, ...]) -> None:
    try:
        target.execute(statement, row)
    except (sqlite3.IntegrityError, sqlite3.InterfaceError):
        return  # a row that is no row: a value missing where there must be one


def _readable(source: sqlite3.Connection, table: str, names: str, size: int) -> Iterator[tuple[Any, ...]]:
    """Rows of a table that can be read, by number; unreadable stretches are narrowed down to single rows."""
    statement = f"SELECT {names} FROM {table} NOT INDEXED WHERE rowid >= ? AND rowid < ?"
    try:
        last = source.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0
    except sqlite3.DatabaseError:
        last = size // _SMALLEST_ROW
    failed = 0
    todo = [(start, min(start + _RANGE, last + 1)) for start in range(last // _RANGE * _RANGE, -1, -_RANGE)]
    while todo and failed < _GIVE_UP:
        start, end = todo.pop()
        try:
            rows = source.execute(statement, (start, end)).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            failed += 1
            if end - start > 1:
                middle = (start + end) // 2
                todo += [(middle, end), (start, middle)]
            continue
        yield from rows


def _drop_what_is_wrong(target: sqlite3.Connection) -> None:
    with transaction(target):
        target.execute("DELETE FROM replies WHERE text NOT IN (SELECT id FROM texts)")
        for column in ("settings", "system", "user"):
            target.execute(f"UPDATE replies SET {column} = NULL WHERE {column} NOT IN (SELECT id FROM texts)")
            target.execute(f"DELETE FROM batch_items WHERE {column} NOT IN (SELECT id FROM texts)")
        target.executemany("DELETE FROM replies WHERE key = ?", [(key,) for key in _bad_keys(target)])
        # What was paid does not become less because a row is lost.
        target.execute(
            "INSERT INTO spending SELECT run, sum(price) FROM ("
            " SELECT run, price FROM replies WHERE imported = 0 UNION ALL SELECT run, price FROM failures"
            ") WHERE price > 0 GROUP BY run"
            " ON CONFLICT DO UPDATE SET dollars = max(dollars, excluded.dollars)"
        )


def _swapped(path: Path, new: Path, problems: list[str]) -> Recovered:
    """Put the new file in the place of the old one, in an order in which a kill loses neither."""
    old = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    if path.exists():
        os.link(path, old)
    if _beside(path, "-wal").exists():
        os.link(_beside(path, "-wal"), _beside(old, "-wal"))
    # SQLite would take the old log for one of the new file.
    for suffix in ("-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)
    new.replace(path)
    with reading(path) as connection:
        replies = _count(connection, "SELECT count(*) FROM replies WHERE stop_reason <> 'error'")
        incomplete = _count(
            connection, "SELECT count(*) FROM replies WHERE system IS NULL OR user IS NULL OR settings IS NULL"
        )
    return Recovered(problems, old, replies, incomplete)


def _count(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]


def _remove(*paths: Path) -> None:
    for path in paths:
        for suffix in ("", "-wal", "-shm"):
            _beside(path, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Raise BusyError where another process has the file open. Needs no readable file, as SQLite's own locks do."""
    with path.open("rb+") if path.exists() else nullcontext() as file:
        if file is not None and sys.platform != "win32":
            from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf

            try:
                lockf(file, LOCK_EX | LOCK_NB, _LOCK_BYTES[1], _LOCK_BYTES[0])
            except OSError as error:
                raise BusyError(f"another process has the journal {path} open; wait for it or stop it first") from error
            lockf(file, LOCK_UN, _LOCK_BYTES[1], _LOCK_BYTES[0])
        yield
