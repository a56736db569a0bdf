"""Where finished steps live: `<workspace>/steps/<kind>/<name>-<fingerprint>/`.

A step is made in a work folder and renamed when its record is written, so a folder under its final name is complete.
What was interrupted is in `steps/.work/`: a resumable step goes on from there, any other begins again.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from midspec.errors import BusyError, StoreError
from midspec.steps.published import Published
from midspec.steps.record import StepRecord
from midspec.steps.step import Step, in_order

State = Literal["done", "published", "running", "interrupted", "to do"]


class Store:
    """The steps of one workspace."""

    def __init__(self, workspace: str | Path, published: str | None = None) -> None:
        """`workspace` need not exist yet; nothing is written before a step runs. `published`: archive of results."""
        self.workspace = Path(workspace)
        self.steps = self.workspace / "steps"
        self._published = Published(published, self.steps / ".published") if published else None

    def find(self, step: Step) -> Path | None:
        """Folder of the finished step, under whatever name it was first made; None where it is not done or damaged."""
        for folder in sorted((self.steps / step.kind).glob(f"*-{step.fingerprint}")):
            if self.damage(folder) is None:
                return folder
        return None

    def result(self, step: Step) -> Path | None:
        """Folder with the step's record and rows: made here, or published (then without weights); None for neither."""
        folder = self.find(step)
        if folder is None and self._published is not None:
            with explained(self.workspace):
                folder = self._published.folder(step.fingerprint)
        return folder

    def to_make(self, targets: Sequence[Step]) -> list[Step]:
        """What is to be made for the results of `targets`, inputs first. A result needs no inputs any more."""
        wanted = {step.fingerprint for step in targets}
        inputs: set[str] = set()
        making: list[Step] = []
        for step in reversed(in_order(list(targets))):
            lacks_input = step.fingerprint in inputs and self.find(step) is None
            if lacks_input or (step.fingerprint in wanted and self.result(step) is None):
                making.append(step)
                inputs.update(upstream.fingerprint for upstream in step.inputs.values())
        return making[::-1]

    def damage(self, folder: Path) -> str | None:
        """What is wrong with a finished folder, in words; None where all files of its record are there in full size."""
        try:
            record = self.record(folder)
        except StoreError as error:
            return str(error)
        for name, size in record.files.items():
            try:
                actual = (folder / name).stat().st_size
            except OSError:
                return f"{folder / name} is missing"
            if actual != size:
                return f"{folder / name} has {actual:,} bytes, its record says {size:,}"
        return None

    def record(self, folder: Path) -> StepRecord:
        """The record of a finished step. Raises StoreError where there is none, or one that cannot be read."""
        try:
            return StepRecord.model_validate_json((folder / "record.json").read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            raise StoreError(f"{folder / 'record.json'} cannot be read; delete {folder} and run again") from error

    def finished(self, kind: str | None = None) -> Iterator[tuple[Path, StepRecord]]:
        """All finished steps (of one kind) with their records, oldest first."""
        found: list[tuple[Path, StepRecord]] = []
        for file in self.steps.glob(f"{kind or '*'}/*/record.json"):
            if file.parent.parent.name.startswith("."):
                continue
            found.append((file.parent, self.record(file.parent)))
        yield from sorted(found, key=lambda entry: entry[1].started)

    def state(self, step: Step) -> State:
        """Whether the step is done, being done, left half-way, or not begun."""
        if self.find(step):
            return "done"
        otherwise: State = "published" if self._published and step.fingerprint in self._published else "to do"
        work = self._work(step)
        if not work.exists():
            return otherwise
        lock = FileLock(self._lock(step))
        try:
            with lock.acquire(blocking=False):
                return "interrupted" if step.resumable and any(work.iterdir()) else otherwise
        except Timeout:
            return "running"

    @contextmanager
    def claim(self, step: Step, *, wait: bool = False) -> Generator[Path]:
        """Hold the step: yields its work folder, emptied unless the step is resumable.

        The lock dies with its process. Raises BusyError (with `wait` false) while another process holds it.
        """
        with explained(self.workspace):
            self._lock(step).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock(step))
        try:
            with explained(self.workspace):
                lock.acquire(timeout=-1 if wait else 0)
        except Timeout as error:
            raise BusyError(
                f"step {step.kind}/{step.name} is being made by another process in {self.workspace}; "
                "wait for it, or use another --workspace"
            ) from error
        try:
            work = self._work(step)
            with explained(self.workspace):
                if work.exists() and not step.resumable:
                    shutil.rmtree(work)
                work.mkdir(parents=True, exist_ok=True)
            yield work
        finally:
            lock.release()

    def complete(self, step: Step, work: Path, record: StepRecord) -> Path:
        """Write the record into `work` and give it its final name. Returns the new folder."""
        folder = self.steps / step.kind / step.folder_name
        with explained(self.workspace):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():  # damaged, or it would have been found
                shutil.rmtree(folder)
            _write_durably(work / "record.json", record.model_dump_json(indent=1))
            work.rename(folder)
            _sync(folder.parent)
        return folder

    def discard(self, work: Path) -> None:
        """Remove the work folder of a step that failed and cannot be resumed."""
        shutil.rmtree(work, ignore_errors=True)

    def _work(self, step: Step) -> Path:
        return self.steps / ".work" / step.fingerprint

    def _lock(self, step: Step) -> Path:
        return self.steps / ".locks" / f"{step.fingerprint}.lock"


def files_of(folder: Path) -> dict[str, int]:
    """Relative path -> bytes of every file below `folder`."""
    return {
        file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()
    }


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON through a temporary file and a rename."""
    temporary = path.with_name(path.name + ".tmp")
    _write_durably(temporary, json.dumps(value, ensure_ascii=False, indent=1))
    temporary.replace(path)


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(workspace: Path) -> Generator[None]:
    """Turn an OSError of the disk into a StoreError that says what to do."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = f": {error.filename}" if error.filename else ""
        raise StoreError(f"workspace {str(workspace)!r}: {_DISK[error.errno]} ({error.strerror}{where})") from error


_DISK = {
    errno.ENOSPC: "the disk is full; free some space and run again, finished steps are kept",
    errno.EDQUOT: "the disk quota is used up; free some space and run again, finished steps are kept",
    errno.EROFS: "is on a read-only file system; choose another with --workspace",
    errno.EACCES: "cannot be written; choose another with --workspace, or change its permissions",
    errno.EPERM: "cannot be written; choose another with --workspace, or change its permissions",
    errno.ENOTDIR: "is not a folder; choose another with --workspace",
    errno.EEXIST: "is not a folder; choose another with --workspace",
}
