"""A list on disk: as long as the disk is large, with eight bytes of memory for an entry."""

from __future__ import annotations

import os
import pickle
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Generic, TypeVar

EntryT = TypeVar("EntryT")


class Shelf(Generic[EntryT]):
    """Entries in a file without a name: nothing of it is left once it is dropped, or its process has died.

    An entry is read when it is asked for. The file is not mapped: pages of it would count as memory of the process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: on whose disk the file lies; None = that of the system's temporary files."""
        self._file: IO[bytes] = TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as this does)
        self._starts = array("q")

    def append(self, entry: EntryT) -> int:
        """Add an entry at the end; returns its index."""
        self._starts.append(self._file.seek(0, os.SEEK_END))
        # Nobody else can write to a file without a name, so that what is loaded again is what was dumped.
        pickle.dump(entry, self._file, pickle.HIGHEST_PROTOCOL)
        return len(self._starts) - 1

    def arranged(self, order: Iterable[int]) -> Shelf[EntryT]:
        """The entries with these indices, in this order; they stay where they are in the file."""
        result: Shelf[EntryT] = Shelf.__new__(Shelf)
        result._file = self._file
        result._starts = array("q", (self._starts[index] for index in order))
        return result

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> EntryT:
        self._file.seek(self._starts[index])
        return pickle.load(self._file)

    def __iter__(self) -> Iterator[EntryT]:
        return (self[index] for index in range(len(self)))
