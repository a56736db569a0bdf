"""The rows of one source, to be taken by number, so that a draw from a million rows reads only those it takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from midspec.errors import InputError, MissingDependencyError, ModelUnavailableError
from midspec.instruct.sources import INSTALL, UNRESOLVED, InstructRef, packaged_file


class Rows(Protocol):
    """Rows by number."""

    def __len__(self) -> int: ...

    def row(self, number: int) -> dict[str, Any]:
        """One row's fields. Raises InputError, naming the place, where it is none."""
        ...

    def place(self, number: int) -> str:
        """Where a row stands, for messages."""
        ...


def open_rows(ref: InstructRef, imported: Path | None) -> Rows:
    """The rows of `ref`; `imported` is the folder of the step that brought a user's file.

    Raises InputError, MissingDependencyError without the package that reads the format, ModelUnavailableError where the
    Hub cannot be reached.
    """
    if ref.source == "hub":
        return _Hub(ref)
    if ref.source == "packaged":
        return open_file(packaged_file(), _called(ref))
    assert imported is not None
    (file,) = imported.glob("rows.*")
    return open_file(file, _called(ref))


def open_file(path: Path, what: str) -> Rows:
    """The rows of a Parquet or JSONL file, by its ending; `what` it is called in messages.

    Raises InputError for a file that is neither, MissingDependencyError without the package that reads Parquet.
    """
    return _Parquet(path, what) if path.suffix == ".parquet" else _Lines(path, what)


def _called(ref: InstructRef) -> str:
    return f"instruct data {ref.name!r}"


class _Lines:
    def __init__(self, path: Path, what: str) -> None:
        self._what = what
        try:
            with path.open(encoding="utf-8") as file:
                self._lines = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
        except UnicodeDecodeError as error:
            raise InputError(f"{what} is not UTF-8 text; expected JSONL") from error

    def __len__(self) -> int:
        return len(self._lines)

    def place(self, number: int) -> str:
        return f"{self._what}, line {self._lines[number][0]}"

    def row(self, number: int) -> dict[str, Any]:
        try:
            row = json.loads(self._lines[number][1])
        except ValueError as error:
            raise InputError(f"{self.place(number)}: not JSON ({error}); expected one object per line") from error
        if not isinstance(row, dict):
            raise InputError(f"{self.place(number)}: a {type(row).__name__} and no object; expected one row per line")
        return row


class _Parquet:
    def __init__(self, path: Path, what: str) -> None:
        self._what = what
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise MissingDependencyError(f"{what} is Parquet and needs pyarrow: {INSTALL}") from error
        try:
            self._table: Any = parquet.read_table(path)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"{what} is no readable Parquet file: {error}") from error

    def __len__(self) -> int:
        return self._table.num_rows

    def place(self, number: int) -> str:
        return f"{self._what}, row {number + 1}"

    def row(self, number: int) -> dict[str, Any]:
        return self._table.slice(number, 1).to_pylist()[0]


class _Hub:
    def __init__(self, ref: InstructRef) -> None:
        self._what = _called(ref)
        if ref.revision == UNRESOLVED:
            raise ModelUnavailableError(
                f"instruct data {ref.name!r}: its commit is not known; connect to the Hub and rerun"
            )
        try:
            import datasets
        except ImportError as error:
            raise MissingDependencyError(
                f"instruct data {ref.name!r} comes from the Hub and needs datasets: {INSTALL}"
            ) from error
        try:
            self._table: Any = datasets.load_dataset(ref.name, ref.subset, split=ref.split, revision=ref.revision)
        except Exception as error:  # datasets, Hub and HTTP errors have no common root
            subset = f", subset {ref.subset!r}" if ref.subset else ""
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelUnavailableError(
                f"instruct data {ref.name!r} (split {ref.split!r}{subset}) cannot be loaded: {said}; check the network "
                "and the names of split and subset, or give a local JSONL or Parquet file"
            ) from error

    def __len__(self) -> int:
        return len(self._table)

    def place(self, number: int) -> str:
        return f"{self._what}, row {number + 1}"

    def row(self, number: int) -> dict[str, Any]:
        return dict(self._table[number])


def count_words(contents: Sequence[str]) -> int:
    """Words of a conversation."""
    return sum(len(content.split()) for content in contents)
