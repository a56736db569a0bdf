"""Where a spec that was made from another one comes from: the record, and how text and record are written."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from midspec.errors import InputError, StoreError
from midspec.records import Row

SUFFIX = ".origin.json"
"""The record of `mine.md` is `mine.origin.json`: beside the text and not in it, since all of the text is taught."""


class Origin(Row):
    """What a variant was made from and how: the same parent, variant, options, seed and writer give it again."""

    variant: str
    """`rules-only`, `+values`, ..."""
    sha256: str
    """Of the variant's own text."""
    parent: str
    """Name of the spec it was made from."""
    parent_sha256: str
    """Of that spec's text."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What else decided the text: way, notes, other spec (by hash), names."""
    seed: int = 0
    writer: str = "program"
    """`program`, or the language model's name."""
    version: int
    """Of the code that made it."""


def origin_path(spec: Path) -> Path:
    """Where the record of the spec file at `spec` lies."""
    return spec.with_name(spec.stem + SUFFIX)


def read_origin(spec: str | Path) -> Origin | None:
    """The record of a spec file or packaged spec; None where it has none and so was written by hand.

    Raises InputError for a damaged record, and for one that is about another text: the file was changed since.
    """
    path = Path(spec)
    if not path.exists() and "/" not in str(spec):
        path = Path(str(files("midspec"))) / "data" / "specs" / f"{spec}.md"
    record = origin_path(path)
    if not record.is_file():
        return None
    try:
        origin = Origin.model_validate_json(record.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{record} is damaged; expected the record that `midspec spec vary` wrote: {error}") from error
    found = hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
    if found != origin.sha256:
        raise InputError(
            f"{path} was changed after it was made ({found[:12]}, its record says {origin.sha256[:12]}); make it "
            f"again with `midspec spec vary`, or remove {record} to call it a spec of your own"
        )
    return origin


def write_variant(text: str, origin: Origin, out: Path, *, force: bool = False) -> None:
    """Write the spec to `out` and its record beside it, each whole or not at all.

    The text comes last: a record whose text is missing or old is noticed by its hash, a text without a record would
    pass for one written by hand. Raises InputError where either is there already and `force` is not given.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder; expected a file name")
    if out.suffix not in (".md", ".txt", ".markdown"):
        raise InputError(f"--out {str(out)!r} does not end like a spec; expected .md, .markdown or .txt")
    there = [str(path) for path in (out, origin_path(out)) if path.exists()]
    if there and not force:
        raise InputError(f"{' and '.join(there)} exists; nothing is overwritten without --force")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _whole(origin_path(out), origin.model_dump_json(indent=1) + "\n")
        _whole(out, text)
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from error


def _whole(path: Path, text: str) -> None:
    """Write through a temporary file in the same folder, renamed when it is on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
