"""Batch jobs as the journal knows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from midspec.llm.journal import Journal, Request
from midspec.llm.journal_rows import unpacked


@dataclass(frozen=True)
class Job:
    """One batch job that is not collected yet."""

    row: int
    token: str
    """Ours, and the beginning of the custom id of each of its items."""
    time: datetime
    """When it was about to be created."""
    provider: str
    model: str
    url: str
    file: str | None
    """The provider's id of the uploaded requests, where it has such files."""
    job: str | None
    """The provider's id; None where the creating process died before it heard of it."""
    size: int
    """Requests."""


def open_jobs(journal: Journal, provider: str | None = None, url: str | None = None) -> list[Job]:
    """Jobs that were begun and not collected (of one provider at one address), oldest first."""
    rows: list[tuple[Any, ...]] = journal.read(
        "SELECT id, token, time, provider, model, url, file, job,"
        " (SELECT count(*) FROM batch_items WHERE batch = batches.id) FROM batches"
        " WHERE state IN ('creating', 'open') AND provider = coalesce(?, provider) AND url = coalesce(?, url)"
        " ORDER BY id",
        (provider, url),
    )
    return [Job(row[0], row[1], datetime.fromisoformat(row[2]), *row[3:]) for row in rows]


def job_of(journal: Journal, token: str) -> Job:
    """The open job with this token."""
    return next(job for job in open_jobs(journal) if job.token == token)


def known_jobs(journal: Journal) -> set[str]:
    """Provider's ids of all jobs that this journal ever created."""
    return {str(row[0]) for row in journal.read("SELECT job FROM batches WHERE job IS NOT NULL")}


def keys_of(journal: Journal, job: Job) -> list[str]:
    """Keys of its requests by number."""
    rows: list[tuple[Any, ...]] = journal.read(
        "SELECT key FROM batch_items WHERE batch = ? ORDER BY number", (job.row,)
    )
    return [row[0].hex() for row in rows]


def request_of(journal: Journal, job: Job, number: int) -> Request | None:
    """One of its requests; None where there is no such number."""
    rows: list[tuple[Any, ...]] = journal.read(
        "SELECT key, run, step, model, template, sample, s.text, u.text, c.text FROM batch_items i"
        " JOIN texts s ON s.id = i.system JOIN texts u ON u.id = i.user JOIN texts c ON c.id = i.settings"
        " WHERE batch = ? AND number = ?",
        (job.row, number),
    )
    if not rows:
        return None
    key, run, step, model, template, sample, system, user, settings = rows[0]
    return Request(
        key=key.hex(),
        run=run,
        step=step,
        model=model,
        template=template,
        system=unpacked(system),
        user=unpacked(user),
        settings=json.loads(unpacked(settings)),
        sample=sample,
    )
