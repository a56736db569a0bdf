"""Steps made from a user's own files, identified by content, so that commands outside a recipe use the same store."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from midspec.errors import InputError
from midspec.records import Row
from midspec.steps.step import Context, Step

VERSION = 1


class ImportConfig(Row):
    """What was imported: the name it gets in the step folder and the hash of its content."""

    target: str
    sha256: str


def import_step(kind: str, name: str, source: Path, target: str) -> Step:
    """A step that copies the file or folder `source` to `target` in its own folder.

    Raises InputError where `source` does not exist or cannot be read.
    """
    return Step(
        kind=kind,
        name=name,
        function="midspec.steps.imported:run",
        config=ImportConfig(target=target, sha256=_content_hash(source)),
        version=VERSION,
        source=source,
    )


def run(context: Context) -> dict[str, Any]:
    """Copy the source into the step's folder."""
    assert context.source is not None
    target = context.folder / context.config.target
    if context.source.is_dir():
        shutil.copytree(context.source, target)
    else:
        shutil.copyfile(context.source, target)
    return {"source": context.source.name}


def _content_hash(source: Path) -> str:
    files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
    digest = hashlib.sha256()
    try:
        for file in files:
            relative = file.relative_to(source).as_posix() if source.is_dir() else ""
            digest.update(f"{relative}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as content:
                while chunk := content.read(1 << 20):
                    digest.update(chunk)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}; expected a file or folder that exists") from error
    return digest.hexdigest()
