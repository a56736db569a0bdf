"""Rows of the journal: what goes in, what comes out. Everything here happens inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from midspec.llm.journal_key import settings_text, text_hash
from midspec.llm.prompt import Reply

_REMEMBERED = 256
DUPLICATE = "answered twice"
"""Failure kind of a second, different reply to a request that had one: paid, and not used."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as the journal knows it."""

    key: str
    """`request_key` of what follows."""
    run: str
    """Whose money it is: `Spending.run`."""
    step: str
    """Fingerprint of the step that asks, or a name."""
    model: str
    template: str
    system: str
    user: str
    settings: Mapping[str, Any]
    """All that decides the reply besides the texts. No secrets."""
    sample: int


@dataclass(frozen=True, kw_only=True)
class Entry(Request):
    """One finished reply with the request it answers."""

    reply: Reply
    """`key`, `dollars` and `replayed` of it are not read."""
    seconds: float
    """From sending to the end of the reply."""
    price: float | None
    """Dollars paid; None where the model's price is not known."""
    batch: str = ""
    """The provider's id of the batch job it came from."""


def now() -> str:
    """UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def packed(text: str) -> str | bytes:
    """As SQLite can hold it: half an emoji, as a cut reply may have, is no Unicode text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def unpacked(value: str | bytes) -> str:
    """The text that was packed."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


class Rows:
    """Writes over one connection. `forget` after a rollback."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._texts: OrderedDict[bytes, int] = OrderedDict()

    def forget(self) -> None:
        """Drop what is remembered of texts that a rollback may have taken away."""
        self._texts.clear()

    def text(self, text: str) -> int:
        """Row of the text, written where it is new."""
        digest = text_hash(text)
        found = self._texts.get(digest)
        if found is not None:
            self._texts.move_to_end(digest)
            return found
        row = self.connection.execute("SELECT id FROM texts WHERE hash = ?", (digest,)).fetchone()
        if row is not None:
            number: int = row[0]
        else:
            cursor = self.connection.execute("INSERT INTO texts (hash, text) VALUES (?, ?)", (digest, packed(text)))
            assert cursor.lastrowid is not None
            number = cursor.lastrowid
        self._texts[digest] = number
        if len(self._texts) > _REMEMBERED:
            self._texts.popitem(last=False)
        return number

    def reply(self, entry: Entry, *, time: str, imported: bool = False) -> bool:
        """Keep the reply unless its request has one already; whether it is new.

        Another reply to an answered request was paid for all the same, and is booked as a failure.
        """
        reply = entry.reply
        if reply.stop_reason == "error" and self._collected(entry):  # no index forbids two of these
            return False
        cursor = self.connection.execute(
            "INSERT INTO replies (key, time, run, step, model, template, settings, system, user, sample, stop_reason,"
            " input_tokens, cached_tokens, cache_write_tokens, output_tokens, price, seconds, batch, imported, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                bytes.fromhex(entry.key),
                time,
                *self._request(entry),
                reply.stop_reason,
                reply.input_tokens,
                reply.cached_tokens,
                reply.cache_write_tokens,
                reply.output_tokens,
                entry.price,
                entry.seconds,
                entry.batch,
                imported,
                self.text(reply.text),
            ),
        )
        if cursor.rowcount:
            if not imported:
                self.spend(entry.run, entry.price)
            return True
        if not imported and not self._collected(entry):
            self.failure(entry, time=time, kind=DUPLICATE, seconds=entry.seconds, price=entry.price)
        return False

    def _request(self, request: Request) -> tuple[Any, ...]:
        return (
            request.run,
            request.step,
            request.model,
            request.template,
            self.text(settings_text(request.settings)),
            self.text(request.system),
            self.text(request.user),
            request.sample,
        )

    def _collected(self, entry: Entry) -> bool:
        """Whether this reply is here already, from the same batch job: a process that dies collecting one leaves all of
        it to the next."""
        if not entry.batch:
            return False
        found = self.connection.execute(
            "SELECT 1 FROM replies WHERE key = ? AND batch = ? AND stop_reason"
            + (" = 'error'" if entry.reply.stop_reason == "error" else " <> 'error'"),
            (bytes.fromhex(entry.key), entry.batch),
        )
        return found.fetchone() is not None

    def spend(self, run: str, dollars: float | None) -> None:
        """Book dollars on a run."""
        if dollars:
            self.connection.execute(
                "INSERT INTO spending VALUES (?, ?) ON CONFLICT DO UPDATE SET dollars = dollars + excluded.dollars",
                (run, dollars),
            )

    def failure(
        self,
        request: Request,
        *,
        time: str,
        kind: str,
        seconds: float,
        status: int | None = None,
        price: float | None = None,
    ) -> None:
        """Note an attempt that gave no usable reply."""
        self.connection.execute(
            "INSERT INTO failures (key, time, run, step, model, template, kind, seconds, status, price)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                bytes.fromhex(request.key),
                time,
                request.run,
                request.step,
                request.model,
                request.template,
                kind[:60],  # a word or two; a message could quote a prompt or a key
                seconds,
                status,
                price,
            ),
        )
        self.spend(request.run, price)

    def verdict(self, key: str, reason: str) -> None:
        """Note why the reply to a request could not be used."""
        self.connection.execute(
            "INSERT INTO verdicts VALUES (?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
            (bytes.fromhex(key), reason),
        )

    def lose_patience(self, step: str) -> None:
        """Note that a run of the step gave up."""
        self.connection.execute("INSERT INTO patience VALUES (?, 1) ON CONFLICT DO UPDATE SET lost = lost + 1", (step,))

    def open_batch(self, token: str, provider: str, url: str, requests: Sequence[Request]) -> None:
        """Note a batch job before it is created, with all that is needed to keep its replies."""
        cursor = self.connection.execute(
            "INSERT INTO batches (token, time, provider, model, url, state) VALUES (?, ?, ?, ?, ?, 'creating')",
            (token, now(), provider, requests[0].model, url),
        )
        self.connection.executemany(
            "INSERT INTO batch_items (batch, number, key, run, step, model, template, settings, system, user, sample)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (cursor.lastrowid, number, bytes.fromhex(request.key), *self._request(request))
                for number, request in enumerate(requests)
            ),
        )

    def update_batch(self, token: str, **values: str) -> None:
        """New `time`, `file`, `job` or `state`."""
        assert set(values) <= {"time", "file", "job", "state"}
        columns = ", ".join(f"{name} = ?" for name in values)
        self.connection.execute(f"UPDATE batches SET {columns} WHERE token = ?", (*values.values(), token))

    def close_batch(self, token: str, state: str) -> None:
        """Nothing more is to be had from it: its items are forgotten, its replies are kept as such."""
        self.update_batch(token, state=state)
        self.connection.execute(
            "DELETE FROM batch_items WHERE batch = (SELECT id FROM batches WHERE token = ?)", (token,)
        )
