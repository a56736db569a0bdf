"""Texts kept on disk while a corpus is written, so that memory does not grow with it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self


class Place(NamedTuple):
    """Where a text lies in its spool."""

    offset: int
    length: int
    """Bytes."""


class Spool:
    """A file without a name: it is gone when it is closed, however that comes about."""

    def __init__(self, folder: Path) -> None:
        """Opens a file on the disk of `folder`."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by the context manager)
        self._end = 0

    def __enter__(self) -> Self:
        """The spool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Throw it away."""
        self._file.close()

    def add(self, text: str) -> Place:
        """Keep `text`."""
        data = text.encode()
        self._file.seek(self._end)
        self._file.write(data)
        place = Place(self._end, len(data))
        self._end += len(data)
        return place

    def read(self, place: Place) -> str:
        """The text kept at `place`."""
        self._file.seek(place.offset)
        return self._file.read(place.length).decode()
