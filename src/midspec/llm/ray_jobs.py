"""Batch jobs that are worked on by a Ray cluster, as files: a folder for each, which all its machines can reach.

`requests.jsonl` is there when the job is, as a whole. Files of replies come one by one, each as a whole too: what a
killed job has done is done.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from midspec.errors import StoreError
from midspec.steps.storage import opened

REQUESTS = "requests.jsonl"


class JobFiles:
    """Jobs under one folder, or one fsspec URL.

    Requests are `{"custom_id", "body", "seed"}`, replies `{"custom_id", "status", "body"}`; the custom id begins with
    the name of its job and a hyphen. All methods raise StoreError where files cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        """Raises InputError for a protocol that fsspec does not know, or whose package is not installed."""
        self.url = url
        self._files, self._root = opened(url, f"the storage {url!r} of batch jobs")

    def add(self, job: str, requests: Iterable[dict[str, Any]]) -> None:
        """Put down a new job."""
        self._write(f"{self._root}/{job}", REQUESTS, requests)

    def holds(self, job: str) -> bool:
        """Whether the job was put down as a whole."""
        return bool(self._tried(self._files.exists, f"{self._root}/{job}/{REQUESTS}"))

    def requests(self, job: str) -> list[dict[str, Any]]:
        """All of the job's requests, in order."""
        return list(self._read(f"{self._root}/{job}/{REQUESTS}"))

    def reply(self, replies: Sequence[dict[str, Any]]) -> None:
        """Put down replies, of one job or several: one more file for each job."""
        jobs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for reply in replies:
            jobs[reply["custom_id"].rpartition("-")[0]].append(reply)
        for job, some in jobs.items():
            self._write(f"{self._root}/{job}", f"replies-{uuid4().hex}.jsonl", some)

    def replies(self, job: str) -> Iterator[dict[str, Any]]:
        """All replies so far, one for each answered request: work that Ray did twice has its first result."""
        told: set[str] = set()
        for path in sorted(self._tried(self._files.glob, f"{self._root}/{job}/replies-*.jsonl")):
            for reply in self._read(path):
                if reply["custom_id"] not in told:
                    told.add(reply["custom_id"])
                    yield reply

    def remove(self, job: str) -> None:
        """Take the job away, if it is there."""
        if self._tried(self._files.exists, f"{self._root}/{job}"):
            self._tried(self._files.rm, f"{self._root}/{job}", recursive=True)

    def _write(self, folder: str, name: str, rows: Iterable[dict[str, Any]]) -> None:
        # A cut reply may end in half an emoji, which JSON's escapes hold and UTF-8 does not.
        content = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows).encode()
        self._tried(self._files.makedirs, folder, exist_ok=True)
        part = f"{folder}/.{name}.{os.getpid()}"
        self._tried(self._files.pipe_file, part, content)
        self._tried(self._files.mv, part, f"{folder}/{name}")

    def _read(self, path: str) -> Iterator[dict[str, Any]]:
        content: bytes = self._tried(self._files.cat_file, path)
        return (json.loads(line) for line in content.splitlines() if line)

    def _tried(self, call: Any, path: str, *more: Any, **options: Any) -> Any:
        try:
            return call(path, *more, **options)
        except Exception as error:  # each kind of storage has exceptions of its own
            raise StoreError(f"batch jobs in {self.url} cannot be read or written: {error}") from error


def place(workspace: Path, storage: str | None) -> str:
    """Where the jobs of a workspace lie: in it, or in the storage that the machines of a cluster share."""
    from midspec.records import short_hash

    here = workspace.resolve()
    return str(here / "jobs") if storage is None else f"{storage.rstrip('/')}/jobs/{short_hash(str(here), length=12)}"
