"""The journal: every reply is on disk before anybody reads it, and nothing paid for is asked twice.

One SQLite file per workspace. Two processes may use it at once. A reply is found by the key of its request, whatever
its stop reason: a refusal is remembered as a refusal, so that it is neither paid for again nor taken for an answer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from midspec.errors import StoreError
from midspec.llm.journal_file import NAME, damaged, explained_error, explaining, open_journal, transaction
from midspec.llm.journal_key import request_key, settings_text, text_hash
from midspec.llm.journal_rows import Entry, Request, Rows, now, unpacked
from midspec.llm.prompt import Reply

__all__ = ["NAME", "Entry", "Journal", "Request", "request_key"]

_TOGETHER = 1000
"""Most writes in one commit."""


class _Write(NamedTuple):
    apply: Callable[[Rows], object]
    done: Callable[[Exception | None], None]
    """Told in the writer's thread when the write is on disk, or why it is not."""


class Journal:
    """The journal of one workspace, open. Called from one event loop; `close` it.

    All methods raise StoreError where the file cannot be read or written, with the remedy; what is committed stays.
    """

    def __init__(self, path: Path) -> None:
        """Opens `path` (`<workspace>/journal.sqlite`), or makes it."""
        self.path = path
        self._reader = open_journal(path)
        try:
            self._writer = open_journal(path)
        except BaseException:
            self._reader.close()
            raise
        self._rows = Rows(self._writer)
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._lost: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def find(self, key: str) -> Reply | None:
        """The recorded reply to the request `key`, of any stop reason but `error`: that one never ended."""
        with explaining(self.path):
            row = self._reader.execute(
                "SELECT t.text, hash, stop_reason, input_tokens, cached_tokens, cache_write_tokens, output_tokens,"
                " price FROM replies JOIN texts t ON t.id = replies.text WHERE key = ? AND stop_reason <> 'error'",
                (bytes.fromhex(key),),
            ).fetchone()
        if row is None:
            return None
        packed, digest, stop_reason, fresh, cached, written, output, price = row
        text = unpacked(packed)
        if text_hash(text) != digest:
            raise damaged(self.path, f"the reply to {key} is not the one that was saved")
        return Reply(
            text=text,
            stop_reason=stop_reason,
            input_tokens=fresh,
            cached_tokens=cached,
            cache_write_tokens=written,
            output_tokens=output,
            dollars=price or 0.0,
            key=key,
            replayed=True,
        )

    async def save(self, entry: Entry) -> None:
        """Put a reply on disk; returns when it is there. An answered request keeps its first reply.

        Raises InputError for settings with a secret in them. Whoever waits may be cancelled, the reply is saved.
        """
        settings_text(entry.settings)
        time = now()
        await self.write(lambda rows: rows.reply(entry, time=time))

    def failed(
        self,
        key: str,
        *,
        kind: str,
        seconds: float,
        template: str = "",
        status: int | None = None,
        run: str = "",
        step: str = "",
        model: str = "",
        price: float | None = None,
    ) -> None:
        """Note a failed attempt. `kind` is a word or two (`timeout`, `rate limit`), never a text of the provider's.

        `status` is HTTP's; `price` what the attempt cost all the same, where that is known.
        """
        time = now()
        request = Request(
            key=key, run=run, step=step, model=model, template=template, system="", user="", settings={}, sample=0
        )
        self._note(
            lambda rows: rows.failure(request, time=time, kind=kind, seconds=seconds, status=status, price=price)
        )

    def verdict(self, key: str, reason: str) -> None:
        """Note why the reply `key` could not be used: `refused`, `truncated`, `unparseable`, `off-spec`, ..."""
        self._note(lambda rows: rows.verdict(key, reason))

    def spent(self, run: str) -> float:
        """Dollars that the run paid, over all its processes and interruptions; imported replies cost it nothing."""
        with explaining(self.path):
            row = self._reader.execute("SELECT dollars FROM spending WHERE run = ?", (run,)).fetchone()
        return row[0] if row else 0.0

    def patience(self, step: str) -> int:
        """How many earlier runs of the step gave up on bad replies."""
        with explaining(self.path):
            row = self._reader.execute("SELECT lost FROM patience WHERE step = ?", (step,)).fetchone()
        return row[0] if row else 0

    def lose_patience(self, step: str) -> None:
        """Note that a run of the step gave up, so that its next one asks for new samples. On disk when it returns."""
        finished = threading.Event()
        errors: list[Exception] = []

        def done(error: Exception | None) -> None:
            if error is not None:
                errors.append(error)
            finished.set()

        self._put(_Write(lambda rows: rows.lose_patience(step), done))
        finished.wait()
        if errors:
            raise errors[0]

    async def write(self, apply: Callable[[Rows], object]) -> None:
        """Run `apply` in the writer's thread and transaction; returns when it is on disk. For the batch backend."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if future.done():  # cancelled meanwhile
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        def done(error: Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        self._put(_Write(apply, done))
        await future

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows of a query. For the batch backend."""
        with explaining(self.path):
            return self._reader.execute(query, values).fetchall()

    def close(self) -> None:
        """Write what is still to be written and close the file.

        Raises StoreError where a failure or verdict that nobody waited for could not be noted.
        """
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._reader.close()
        with explaining(self.path):
            self._writer.close()
        if self._lost is not None:
            raise self._lost

    def _note(self, apply: Callable[[Rows], object]) -> None:
        def done(error: Exception | None) -> None:
            self._lost = self._lost or error

        self._put(_Write(apply, done))

    def _put(self, write: _Write) -> None:
        if self._closed:
            raise RuntimeError(f"the journal {self.path} is closed")
        self._queue.put(write)

    def _work(self) -> None:
        """The writer's thread: whatever has come while one commit was on its way to the disk makes up the next."""
        ending = False
        while not ending:
            taken = [self._queue.get()]
            try:
                while len(taken) < _TOGETHER:
                    taken.append(self._queue.get_nowait())
            except Empty:
                pass
            ending = None in taken
            self._commit([write for write in taken if write is not None])

    def _commit(self, writes: list[_Write]) -> None:
        if not writes:
            return
        error: Exception | None = None
        try:
            with transaction(self._writer):
                for write in writes:
                    write.apply(self._rows)
        except Exception as raised:  # whatever it is, those who wait must hear of it
            self._rows.forget()
            error = raised
        if error is not None and len(writes) > 1 and not _busy(error):
            # One bad write must not take the others with it, and a small one may fit where all together do not.
            for write in writes:
                self._commit([write])
            return
        for write in writes:
            write.done(self._explained(error) if error else None)

    def _explained(self, error: Exception) -> Exception:
        """One exception object for each who waits."""
        if isinstance(error, sqlite3.Error):
            explained: Exception = explained_error(self.path, error)
        else:
            explained = StoreError(f"journal {self.path}: a row could not be written ({type(error).__name__}: {error})")
        explained.__cause__ = error
        return explained


def _busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
