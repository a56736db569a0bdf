"""The user's model cache: folders that are complete or absent, checked by hash, made once by one process.

Layout under `cache_root()`:

    models/<name>-<revision>/   a base model as `from_pretrained` reads it, with origin.json
    folders/<revision>.json     where on this machine a local model folder of that content lies
    hashes/<path hash>.json     SHA-256 of large files outside the cache, valid while size and time stay the same
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout
from pydantic import ValidationError

from midspec.errors import StoreError
from midspec.experiment import Config
from midspec.steps.progress import Progress

log = logging.getLogger(__name__)

ORIGIN = "origin.json"


class FileMark(Config):
    """What a file must look like."""

    bytes: int
    sha256: str


class Origin(Config):
    """Where a cached model came from and what its files must look like."""

    name: str
    source: str
    revision: str
    """As in `ModelRef`."""
    licence: str
    made_with: dict[str, str]
    """Versions of the packages that converted or made it."""
    files: dict[str, FileMark]


def cache_root() -> Path:
    """`$MIDSPEC_CACHE`, or the user's cache folder of this system."""
    return Path(os.environ.get("MIDSPEC_CACHE") or platformdirs.user_cache_dir("midspec"))


def model_folder(name: str, revision: str) -> Path:
    """Where the cached files of a wheel or made model lie, whether they are there or not."""
    return cache_root() / "models" / f"{name}-{revision[:12]}"


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """SHA-256 of a file outside the cache; large ones are read again only when size or time changed."""
    stat = path.stat()
    if stat.st_size < 16 * 2**20:
        return sha256(path)
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    memo = cache_root() / "hashes" / f"{key}.json"
    state = [stat.st_size, stat.st_mtime_ns]
    try:
        known = json.loads(memo.read_text())
        if known["state"] == state:
            return known["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # Absent or damaged: the hash is simply taken again.
    digest = sha256(path)
    write_json(memo, {"path": str(path.resolve()), "state": state, "sha256": digest})
    return digest


def write_json(path: Path, content: object) -> None:
    """Write JSON through a temporary file and a rename; creates the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        json.dump(content, file, indent=2)
    Path(file.name).replace(path)


def read_origin(folder: Path) -> Origin | None:
    """The origin of a cached model; None where there is none or it is unreadable."""
    try:
        return Origin.model_validate_json((folder / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return None


def damage(folder: Path) -> str | None:
    """What is wrong with a cached model, naming the file; None when every byte is as it was written."""
    origin = read_origin(folder)
    if origin is None:
        return f"{folder / ORIGIN} is missing or unreadable"
    for name, mark in origin.files.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if (size := path.stat().st_size) != mark.bytes:
            return f"{path} has {size:,} bytes, expected {mark.bytes:,} (cut off, or a full disk?)"
        if sha256(path) != mark.sha256:
            return f"{path} has another SHA-256 than when it was written"
    return None


def safetensors_damage(path: Path) -> str | None:
    """Whether a safetensors file is as long as its own header says; None when it is. Reads the header only."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length <= size else None
        if header is None:
            raise ValueError("header longer than the file")
        end = max((tensor["data_offsets"][1] for key, tensor in header.items() if key != "__metadata__"), default=0)
    except (OSError, ValueError, struct.error, KeyError, TypeError) as error:
        return f"{path} is not a readable safetensors file ({error})"
    expected = 8 + length + end
    return None if size == expected else f"{path} has {size:,} bytes, expected {expected:,} (an interrupted download?)"


def build_once(
    folder: Path, make: Callable[[Path], Origin], progress: Progress, also_wanted: Callable[[Path], bool] | None = None
) -> Path:
    """Return `folder`, made by `make(temporary folder)` if it is absent or damaged.

    Two processes make it once: the second waits for the first. A killed one leaves nothing that looks complete.
    `make` returns the origin without `files`, which are filled in here. Raises StoreError where the cache cannot be
    written.
    """
    if folder.is_dir() and damage(folder) is None and (also_wanted is None or also_wanted(folder)):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(folder.name + ".lock"), progress):
            prefix = f".{folder.name}."
            for stale in folder.parent.glob(f"{prefix}*"):
                shutil.rmtree(stale, ignore_errors=True)
            if folder.is_dir():
                problem = damage(folder)
                if problem is None:
                    return folder
                log.warning("cached model is damaged: %s; making it again", problem)
                progress.note("cached model is damaged, making it again")
            temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))
            try:
                origin = make(temporary)
                files = {
                    path.name: FileMark(bytes=path.stat().st_size, sha256=sha256(path))
                    for path in sorted(temporary.iterdir())
                }
                marked = origin.model_copy(update={"files": files})
                (temporary / ORIGIN).write_text(marked.model_dump_json(indent=2), encoding="utf-8")
                temporary.chmod(0o755)
                for path in temporary.iterdir():
                    path.chmod(0o644)
                if folder.is_dir():
                    shutil.rmtree(folder)
                temporary.replace(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        if error.filename is None or not Path(str(error.filename)).is_relative_to(cache_root()):
            raise
        raise StoreError(
            f"model cache {cache_root()} cannot be written: {error.strerror or error}; free some space, or set "
            "MIDSPEC_CACHE to a folder that can be written"
        ) from error
    return folder


class _locked:  # noqa: N801
    """Hold a file lock; say so while another process holds it."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._lock = FileLock(path)
        self._progress = progress

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0.5)
        except Timeout:
            self._progress.note("waiting for another process that is making the same model")
            self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
