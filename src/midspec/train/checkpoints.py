"""Resumable checkpoints of a running step: which is the last whole one, and which may go.

Transformers' Trainer writes `checkpoint-<update>/` file by file. A checkpoint counts once `complete.json` is in it,
which is written last and lists every file with its size; what a killed process left half-written has none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

FOLDER = "resume"
"""Inside the work folder; removed when the step is done."""

MARK = "complete.json"

_NAME = re.compile(r"^checkpoint-(\d+)$")


def numbered(root: Path) -> dict[int, Path]:
    """Update -> checkpoint folder, lowest first, by number: as names, checkpoint-99 would come after checkpoint-198."""
    found = {int(match[1]): path for path in root.glob("checkpoint-*") if (match := _NAME.match(path.name))}
    return dict(sorted(found.items()))


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def mark_complete(folder: Path) -> None:
    """Declare a checkpoint whole, after its files have reached the disk."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        sync(path)
    temporary = folder / f"{MARK}.tmp"
    with temporary.open("w") as file:
        json.dump({path.relative_to(folder).as_posix(): path.stat().st_size for path in files}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MARK)


def is_complete(folder: Path) -> bool:
    """Whether every file is there in its full size."""
    try:
        files: dict[str, int] = json.loads((folder / MARK).read_text())
        return all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError):
        return False


def latest(root: Path) -> tuple[int, Path] | None:
    """The last whole checkpoint and its update; those that are not whole are removed."""
    for folder in numbered(root).values():
        if not is_complete(folder):
            shutil.rmtree(folder)
    return max(numbered(root).items(), default=None)


def keep_last(root: Path, count: int) -> None:
    """Remove all whole checkpoints but the last `count`."""
    whole = [folder for folder in numbered(root).values() if is_complete(folder)]
    for folder in whole[: max(0, len(whole) - count)]:
        # The mark goes first: a half-removed checkpoint must not look whole.
        (folder / MARK).unlink()
        shutil.rmtree(folder)
