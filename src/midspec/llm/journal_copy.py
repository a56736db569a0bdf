"""A journal's requests and replies as a JSON Lines file, and back: enough to replay a run elsewhere without a key.

Line 1 says what the file is. Texts that many requests share (system texts) have lines of their own, before the replies
that name them by their SHA-256. All lines are sorted, so the same journal gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from midspec.errors import InputError
from midspec.llm.journal_file import explaining, open_journal, reading, transaction
from midspec.llm.journal_key import request_key, text_hash
from midspec.llm.journal_rows import Entry, Rows, packed, unpacked
from midspec.llm.prompt import Reply, StopReason
from midspec.steps.store import explained

FORMAT = 1
_TOGETHER = 500
"""Lines in one commit of an import, so that a run beside it is not held up."""
_WANTED = (
    " FROM replies WHERE stop_reason <> 'error' AND system IS NOT NULL AND user IS NOT NULL"
    " AND settings IS NOT NULL AND run = coalesce(?, run) AND template = coalesce(?, template)"
)


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid")
    midspec_journal: Literal[1]


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    content: str


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str = Field(pattern="^[0-9a-f]{64}$")
    time: str
    run: str
    step: str
    model: str
    template: str
    settings: dict[str, Any]
    system: str
    """SHA-256 of the text."""
    user: str
    sample: int
    reply: str
    stop_reason: StopReason
    input_tokens: int = Field(ge=0)
    cached_tokens: int = Field(ge=0)
    cache_write_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    price: float | None
    seconds: float
    verdict: str | None


@dataclass
class Imported:
    """What an import found."""

    new: int = 0
    known: int = 0
    """Replies that were there already, the same."""
    conflicting: list[str] = field(default_factory=list)
    """Keys of requests that have another reply here, which stays."""


def export_journal(path: Path, out: Path, run: str | None = None, template: str | None = None) -> int:
    """Write all finished replies (of one run, one template) to `out`, packed if it ends in `.gz`; returns how many.

    The file holds all prompts and replies as they are, and no key. Raises StoreError where either cannot be used.
    """
    with reading(path) as connection, _writing(out) as file:
        _put(file, {"midspec_journal": FORMAT})
        shared = connection.execute(
            f"SELECT hash, text FROM texts WHERE id IN (SELECT system{_WANTED}) ORDER BY hash", (run, template)
        )
        for digest, text in shared:
            _put(file, {"text": digest.hex(), "content": unpacked(text)})
        rows = connection.execute(
            "SELECT key, time, run, step, model, template, c.text, s.hash, u.text, sample, r.text, stop_reason,"
            " input_tokens, cached_tokens, cache_write_tokens, output_tokens, price, seconds, reason"
            f" FROM (SELECT *{_WANTED}) w JOIN texts c ON c.id = w.settings JOIN texts s ON s.id = w.system"
            " JOIN texts u ON u.id = w.user JOIN texts r ON r.id = w.text LEFT JOIN verdicts USING (key) ORDER BY key",
            (run, template),
        )
        count = 0
        for row in rows:
            value = dict(zip(_Reply.model_fields, row, strict=True))
            value["key"] = row[0].hex()
            value["settings"] = json.loads(unpacked(row[6]))
            value["system"] = row[7].hex()
            value["user"], value["reply"] = unpacked(row[8]), unpacked(row[10])
            _put(file, value)
            count += 1
    return count


def import_journal(path: Path, source: Path) -> Imported:
    """Take up the replies in `source`. What is in the journal stays, and nothing of it counts as spent here.

    Raises InputError at the first line that is not what it should be; what was read before it stays.
    """
    found = Imported()
    connection = open_journal(path)
    try:
        with explaining(path):
            rows, lines = Rows(connection), _lines(source)
            more: bool | InputError = True
            while more is True:
                with transaction(connection):
                    more = _take_some(rows, source, lines, found)
    finally:
        connection.close()
    if isinstance(more, InputError):
        raise more
    return found


def _take_some(
    rows: Rows, source: Path, lines: Iterator[tuple[int, _Text | _Reply]], found: Imported
) -> bool | InputError:
    """Whether there may be more lines, or what is wrong with the next one."""
    try:
        for _ in range(_TOGETHER):
            line = next(lines, None)
            if line is None:
                return False
            _take(rows, source, *line, found)
    except InputError as error:
        return error
    return True


def _take(rows: Rows, source: Path, number: int, value: _Text | _Reply, found: Imported) -> None:
    if isinstance(value, _Text):
        if text_hash(value.content).hex() != value.text:
            raise _bad(source, number, "the text is not the one that its hash names")
        rows.text(value.content)
        return
    row = rows.connection.execute("SELECT text FROM texts WHERE hash = ?", (bytes.fromhex(value.system),)).fetchone()
    if row is None:
        raise _bad(source, number, "the system text is in no line before it")
    system = unpacked(row[0])
    if request_key(value.model, value.settings, system, value.user, value.sample) != value.key:
        raise _bad(source, number, "the request is not the one that its key names")
    reply = Reply(
        text=value.reply,
        stop_reason=value.stop_reason,
        input_tokens=value.input_tokens,
        cached_tokens=value.cached_tokens,
        cache_write_tokens=value.cache_write_tokens,
        output_tokens=value.output_tokens,
    )
    entry = Entry(
        key=value.key,
        run=value.run,
        step=value.step,
        model=value.model,
        template=value.template,
        system=system,
        user=value.user,
        settings=value.settings,
        sample=value.sample,
        reply=reply,
        seconds=value.seconds,
        price=value.price,
    )
    if rows.reply(entry, time=value.time, imported=True):
        found.new += 1
        if value.verdict is not None:
            rows.verdict(value.key, value.verdict)
        return
    there = rows.connection.execute(
        "SELECT t.text, stop_reason FROM replies JOIN texts t ON t.id = replies.text"
        " WHERE key = ? AND stop_reason <> 'error'",
        (bytes.fromhex(value.key),),
    ).fetchone()
    if there == (packed(value.reply), value.stop_reason):
        found.known += 1
    else:
        found.conflicting.append(value.key)


def _lines(source: Path) -> Iterator[tuple[int, _Text | _Reply]]:
    number = 0
    try:
        with gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb") as file:
            for number, line in enumerate(file, 1):
                value = json.loads(line)
                if number == 1:
                    _Head.model_validate(value)
                    continue
                kind = _Text if isinstance(value, dict) and "content" in value else _Reply
                yield number, kind.model_validate(value)
    except FileNotFoundError as error:
        raise InputError(f"{source} does not exist; expected a file that `midspec journal export` wrote") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise _bad(source, number, f"{where}: {problem['msg']}") from error
    except (ValueError, EOFError, OSError) as error:
        raise _bad(source, number, f"it cannot be read ({type(error).__name__}: {error})") from error
    if number == 0:
        raise _bad(source, 0, "it is empty")


def _bad(source: Path, number: int, what: str) -> InputError:
    return InputError(
        f"{source}, line {number}: {what}; expected a whole file that `midspec journal export` of this version wrote. "
        "The lines before it were imported"
    )


def _put(file: IO[str], value: dict[str, Any]) -> None:
    # Escaped, so that half an emoji in a cut reply survives too.
    file.write(json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n")


@contextmanager
def _writing(out: Path) -> Generator[IO[str]]:
    """`out` open for text, under another name until it is whole. Gzip gets no name and no time: equal bytes."""
    part = out.with_name(out.name + ".part")
    with explained(out.parent):
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as raw:
                part.chmod(0o600)
                packer = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if out.suffix == ".gz" else raw
                with packer, io.TextIOWrapper(packer, encoding="ascii", newline="\n") as file:
                    yield file
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
