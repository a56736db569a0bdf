"""The journal on disk: one SQLite file in WAL mode, its tables, and what its errors mean to a user."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from midspec.errors import StoreError
from midspec.steps.store import explained

NAME = "journal.sqlite"
"""Of the file, in its workspace."""
VERSION = 1
"""Of the tables below; raise it when they change."""
APPLICATION = 0x6D73706A
"""Marks the file as ours ("mspj")."""
BUSY_SECONDS = 60.0
"""How long one process waits while another writes."""
PAGE = 4096
"""Bytes; stated, since a damaged first page is made anew."""

_SCHEMA = """
CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, text NOT NULL);
CREATE TABLE replies (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, time TEXT NOT NULL,
    run TEXT NOT NULL, step TEXT NOT NULL, model TEXT NOT NULL, template TEXT NOT NULL,
    settings INTEGER, system INTEGER, user INTEGER, sample INTEGER NOT NULL,
    stop_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    price REAL, seconds REAL NOT NULL, batch TEXT NOT NULL, imported INTEGER NOT NULL, text INTEGER NOT NULL
);
CREATE UNIQUE INDEX replies_by_key ON replies (key) WHERE stop_reason <> 'error';
CREATE TABLE verdicts (key BLOB PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE failures (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, time TEXT NOT NULL,
    run TEXT NOT NULL, step TEXT NOT NULL, model TEXT NOT NULL, template TEXT NOT NULL,
    kind TEXT NOT NULL, seconds REAL NOT NULL, status INTEGER, price REAL
);
CREATE TABLE spending (run TEXT PRIMARY KEY, dollars REAL NOT NULL);
CREATE TABLE patience (step TEXT PRIMARY KEY, lost INTEGER NOT NULL);
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, time TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, url TEXT, file TEXT, job TEXT UNIQUE, state TEXT NOT NULL
);
CREATE TABLE batch_items (
    batch INTEGER NOT NULL, number INTEGER NOT NULL, key BLOB NOT NULL,
    run TEXT NOT NULL, step TEXT NOT NULL, model TEXT NOT NULL, template TEXT NOT NULL,
    settings INTEGER, system INTEGER, user INTEGER, sample INTEGER NOT NULL,
    PRIMARY KEY (batch, number)
) WITHOUT ROWID;
"""
# A reply with stop reason `error` was cut on its way: it is kept for the books, is never found again, and does not
# stand in the way of a better one to the same request. Hence the partial index.


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection that commits by itself; the file is made where there is none, readable by its owner only.

    Raises StoreError where it cannot be written, is damaged, or is not a journal of this version.
    """
    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        # It holds paid text and prompts. SQLite gives its side files the same mode. One that is there is not opened:
        # closing it would give up the locks that another connection of this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with explaining(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE}")
            _set_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
            with transaction(connection):
                if _version(connection) == (0, 0) and not _tables(connection):
                    for statement in _SCHEMA.split(";\n"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {VERSION}")
            _check_version(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that changes nothing. Raises StoreError where there is no journal, or one of another version."""
    if not path.exists():
        raise StoreError(f"there is no journal {path}; a run with a language model makes one. Is --workspace right?")
    with explaining(path):
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            _check_version(path, connection)
            yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Write all or nothing. The lock is taken at once: one that is upgraded later can fail half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _set_wal(connection: sqlite3.Connection) -> None:
    # Two processes that make the file at once get "locked" here without any waiting, whatever the timeout says.
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # Where WAL cannot be had (some network file systems), the mode stays what it is, as safe and slower.
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _version(connection: sqlite3.Connection) -> tuple[int, int]:
    return (
        connection.execute("PRAGMA application_id").fetchone()[0],
        connection.execute("PRAGMA user_version").fetchone()[0],
    )


def _tables(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    application, version = _version(connection)
    if application != APPLICATION:
        raise StoreError(f"{path} is not a journal of midspec; move it away, or use another --workspace")
    if version != VERSION:
        raise StoreError(
            f"{path} has journal format {version}, this version of midspec reads and writes {VERSION}. It was left as "
            f"it is: use the version of midspec that wrote it (its `midspec journal export` writes a file that any "
            "version imports), or another --workspace"
        )


@contextmanager
def explaining(path: Path) -> Generator[None]:
    """Turn an error of SQLite into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained_error(path, error) from error


def explained_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What an error of SQLite means for the journal at `path`."""
    # A connection with nothing committed never loses what is: SQLite rolls back to the last commit.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    advice = _ADVICE.get(code, "cannot be used; `midspec journal recover` checks it")
    return StoreError(f"journal {path} {advice} ({error}). Replies saved before this are kept")


def damaged(path: Path, what: str) -> StoreError:
    """The error for a file whose content is not what was written."""
    return StoreError(f"journal {path} {_ADVICE[sqlite3.SQLITE_CORRUPT]} ({what})")


_ADVICE = {
    sqlite3.SQLITE_FULL: "cannot grow: the disk or its quota is full; free some space and run again",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error; check disk and quota, then run again",
    sqlite3.SQLITE_READONLY: "cannot be written; make file and folder writable, or choose another with --workspace",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make file and folder writable, or choose another with --workspace",
    sqlite3.SQLITE_PERM: "cannot be opened; make file and folder writable, or choose another with --workspace",
    sqlite3.SQLITE_CORRUPT: "is damaged; run `midspec journal recover`, which saves all that can be read",
    sqlite3.SQLITE_NOTADB: "is damaged; run `midspec journal recover`, which saves all that can be read",
    sqlite3.SQLITE_BUSY: f"was held by another process for {BUSY_SECONDS:.0f} s; wait for that one, then run again",
    sqlite3.SQLITE_LOCKED: f"was held by another process for {BUSY_SECONDS:.0f} s; wait for that one, then run again",
}
