"""Sampled answers on disk: a journal while sampling goes on, a sorted file when it is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from midspec.records import Row, write_rows

JOURNAL = "sampled.jsonl"
"""While sampling: answers in the order they came."""
TRANSCRIPTS = "transcripts.jsonl"
"""When done: answers in the order of the cells."""

Key = tuple[str, int]
"""(cell id, sample)"""


class Stored(Row):
    """One sampled answer, before anybody judged it."""

    item: str
    """Cell id."""
    sample: int
    answer: str
    """Text of the answer, scratchpad included."""
    thinking: str = ""
    """What a provider gave apart from the answer."""
    stop_reason: str
    """Inspect's: `stop`, `max_tokens`, `content_filter`, ..."""
    input_tokens: int
    output_tokens: int

    @property
    def key(self) -> Key:
        """Which answer this is."""
        return self.item, self.sample


class Journal:
    """Answers of one run, on disk before anybody waits for the next. Several threads may `add`."""

    def __init__(self, path: Path | None) -> None:
        """Reads what an interrupted run left; a last line that was cut is dropped, and its answer sampled again.

        None: in memory only, where Inspect's own log is all the record there is.
        """
        self.path = path
        self.known: dict[Key, Stored] = {}
        self._lock = threading.Lock()
        if path is not None and path.exists():
            kept = _kept(path)
            self.known = {row.key: row for row in kept}
            write_rows(path, kept)

    def add(self, rows: Iterable[Stored]) -> None:
        """Append and flush to disk, all at once."""
        rows = list(rows)
        with self._lock:
            if self.path is not None:
                with self.path.open("a", encoding="utf-8", newline="\n") as file:
                    file.writelines(row.model_dump_json() + "\n" for row in rows)
                    file.flush()
                    os.fsync(file.fileno())
            self.known.update((row.key, row) for row in rows)


def _kept(path: Path) -> list[Stored]:
    kept: list[Stored] = []
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            try:
                kept.append(Stored.model_validate_json(line))
            except ValidationError:
                break
    return kept
