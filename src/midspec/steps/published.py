"""Finished steps in one file, without weights and logs: results that somebody else can build a report on.

A step is known by its fingerprint, so a published result is used exactly where the same step would have been made. It
is good as a result, never as an input: what needs its weights makes the step again.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from midspec.errors import InputError, StoreError
from midspec.steps.record import StepRecord

PACKAGED = Path(__file__).parent.parent / "data" / "published"
_LEFT_OUT = ("checkpoint", "logs")
"""Folders of a step that are not published: weights, and Inspect's logs, which repeat the rows."""
_FOLDER = re.compile(r"([a-z-]+)/([\w.+-]+)-([0-9a-f]{16})")
_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive, so that the same results make the same bytes."""


class Published:
    """One archive, unpacked below `cache` as far as it is asked for."""

    def __init__(self, name: str | Path, cache: Path) -> None:
        """`name`: a file, or a packaged archive's name. Raises InputError where it is no such archive."""
        self.path = find_archive(name)
        self._cache = cache
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"published results {str(name)!r} cannot be read: {error}; make them anew") from error
        self._members: dict[str, list[str]] = {}
        for member in names:
            folder, _, file = member.partition("/")[2].partition("/")
            found = _FOLDER.fullmatch(f"{member.partition('/')[0]}/{folder}")
            if found is None or not file or ".." in file.split("/"):
                raise InputError(f"published results {str(name)!r} hold {member!r}, which is no file of a step")
            self._members.setdefault(found[3], []).append(member)

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._members

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of all steps in it."""
        return frozenset(self._members)

    def folder(self, fingerprint: str) -> Path | None:
        """The published part of the step's folder, unpacked; None where it is not in the archive."""
        members = self._members.get(fingerprint)
        if members is None:
            return None
        kind, name = members[0].split("/")[:2]
        folder = self._cache / kind / name
        if not folder.is_dir():
            self._unpack(members, folder)
        return folder

    def _unpack(self, members: list[str], folder: Path) -> None:
        """Whole or not at all; a second process that does the same at once is harmless."""
        work = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        with zipfile.ZipFile(self.path) as archive:
            for member in members:
                target = work / member.split("/", 2)[2]
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    target.write_bytes(archive.read(member))
                except (zipfile.BadZipFile, zlib.error) as error:
                    shutil.rmtree(work)
                    raise StoreError(f"{self.path} is damaged at {member}: {error}; get it again") from error
        try:
            work.rename(folder)
        except OSError:
            shutil.rmtree(work)
            if not folder.is_dir():
                raise


def find_archive(name: str | Path) -> Path:
    """The file itself, or the packaged archive of that name. Raises InputError where there is neither."""
    if Path(name).is_file():
        return Path(name)
    packaged = PACKAGED / f"{name}.zip"
    if packaged.is_file():
        return packaged
    known = ", ".join(sorted(file.stem for file in PACKAGED.glob("*.zip"))) or "none"
    raise InputError(f"published results {str(name)!r} are not there; expected a file or one of the packaged: {known}")


def publish(folders: Iterable[Path], path: Path) -> int:
    """Write the finished steps in `folders` into one archive, whole or not at all. Returns how many.

    Raises StoreError where a folder has no record or `path` cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for folder in sorted(set(folders)):
                record = _record(folder)
                for file in ["record.json", *record.files]:
                    if file.split("/")[0] in _LEFT_OUT:
                        continue
                    entry = zipfile.ZipInfo(f"{record.kind}/{folder.name}/{file}", _TIME)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, (folder / file).read_bytes())
                count += 1
        temporary.replace(path)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _record(folder: Path) -> StepRecord:
    try:
        return StepRecord.model_validate_json((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise StoreError(f"{folder} is no finished step: its record cannot be read") from error
