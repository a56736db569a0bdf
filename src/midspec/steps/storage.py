"""Finished steps in a shared place that no two machines mount: a bucket, a server, or a plain folder, through fsspec.

The record goes up last and comes down last, so what has a record is whole on both sides.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from midspec.errors import InputError, StoreError
from midspec.steps.record import StepRecord
from midspec.steps.step import Step
from midspec.steps.store import Store, explained

RECORD = "record.json"


def opened(url: str, called: str) -> tuple[Any, str]:
    """The fsspec file system of `url`, and the path in it. Raises InputError where it cannot be had, as `called`."""
    from fsspec.core import url_to_fs

    try:
        # Listings are not kept: other machines write while this one reads.
        return url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise InputError(f"{called} cannot be reached: {error}") from error


class Storage:
    """One shared place, e.g. `s3://bucket/midspec` or `/mnt/shared/midspec`."""

    def __init__(self, url: str) -> None:
        """Raises InputError for a protocol that fsspec does not know, or whose package is not installed."""
        self.url = url
        self._files, self._root = opened(url, f"storage {url!r}")

    def holds(self, step: Step) -> bool:
        """Whether the finished step is there."""
        return self._place(step) is not None

    def push(self, step: Step, store: Store) -> None:
        """Copy the finished step up, unless it is there. Raises StoreError where that fails."""
        folder = store.find(step)
        assert folder is not None, f"{step.kind}/{step.name} is not done"
        if self.holds(step):
            return
        target = f"{self._root}/{step.kind}/{folder.name}"
        try:
            for name in [*store.record(folder).files, RECORD]:
                self._files.makedirs(f"{target}/{name}".rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(folder / name), f"{target}/{name}")
        except Exception as error:  # each kind of storage has exceptions of its own
            raise StoreError(f"{step.kind} {step.name} cannot be copied to {self.url}: {error}") from error

    def pull(self, step: Step, store: Store) -> bool:
        """Copy the finished step into `store`, unless it is there; False where the storage has it not.

        Raises StoreError where that fails.
        """
        if store.find(step) is not None:
            return True
        place = self._place(step)
        if place is None:
            return False
        folder = store.steps / step.kind / place.rpartition("/")[2]
        work = folder.with_name(f".{folder.name}.{os.getpid()}")
        with explained(store.workspace):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                record = self._record(f"{place}/{RECORD}")
                for name in [*record.files, RECORD]:
                    (work / name).parent.mkdir(parents=True, exist_ok=True)
                    self._files.get_file(f"{place}/{name}", str(work / name))
            except OSError as error:
                shutil.rmtree(work)
                raise StoreError(f"{place} cannot be copied from {self.url}: {error}") from error
            if store.find(step) is None:
                shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been found
                work.rename(folder)
            else:  # another process of this machine was faster
                shutil.rmtree(work)
        return True

    def _place(self, step: Step) -> str | None:
        """Folder of the step in the storage, under whatever name it was first made; None without a record."""
        found: list[str] = self._files.glob(f"{self._root}/{step.kind}/*-{step.fingerprint}/{RECORD}")
        return str(found[0]).rpartition("/")[0] if found else None

    def _record(self, path: str) -> StepRecord:
        try:
            return StepRecord.model_validate_json(self._files.cat_file(path))
        except ValidationError as error:
            raise StoreError(f"{path} in {self.url} is no record of a step; remove its folder there") from error


def scratch(url: str, node: str) -> Path:
    """A workspace of this machine's own for steps whose results live in the storage `url`."""
    import tempfile

    from midspec.records import short_hash

    return Path(tempfile.gettempdir()) / f"midspec-{short_hash(url, node, length=12)}"
