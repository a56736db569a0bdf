"""Batch jobs of both APIs and OpenAI's files: they live in the server's memory, and outlive every client."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.provider.engine import Engine, FailureError, Reply
from tests.provider.request import Request

DAY = 86400
SLICES = 10
"""Steps in which a job's requests are worked off, so that a job can be cancelled in the middle."""


@dataclass(slots=True)
class Outcome:
    """What became of one request of a job: a reply, a failure, or neither (`expired`, `canceled`)."""

    kind: str
    """`succeeded`, `errored`, `expired` or `canceled`."""
    reply: Reply | None = None
    failure: FailureError | None = None


@dataclass
class Job:
    """One batch."""

    id: str
    api: str
    asked: list[tuple[str, Request | FailureError]]
    """Custom id and request (or why it cannot be one), in the order given."""
    created: float
    input_file: str = ""
    endpoint: str = ""
    ended: float | None = None
    cancel_asked: float | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    output_file: str | None = None
    error_file: str | None = None

    @property
    def counts(self) -> Counter[str]:
        """Outcomes by kind, and `processing`."""
        counts = Counter(outcome.kind for outcome in self.outcomes.values())
        counts["processing"] = len(self.asked) - len(self.outcomes)
        return counts


class Jobs:
    """All batch jobs and files of one server."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, tuple[str, bytes, float]] = {}
        """Name, content and time by file id."""
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        api: str,
        prefix: str,
        asked: Sequence[tuple[str, Request | FailureError]],
        input_file: str = "",
        endpoint: str = "",
    ) -> Job:
        """A new job; its work begins at once."""
        job = Job(f"{prefix}{len(self.jobs):06d}", api, list(asked), time.time(), input_file, endpoint)
        self.jobs[job.id] = job
        task = asyncio.get_running_loop().create_task(self._work(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def add_file(self, name: str, content: bytes) -> str:
        """Keep a file; returns its id."""
        key = f"file-{len(self.files):06d}"
        self.files[key] = (name, content, time.time())
        return key

    async def _work(self, job: Job) -> None:
        size = -(-len(job.asked) // SLICES)
        slices = [job.asked[at : at + size] for at in range(0, len(job.asked), size)]
        for part in slices:
            await asyncio.sleep(self.engine.settings.batch_seconds / len(slices))
            for custom_id, request in part:
                job.outcomes[custom_id] = Outcome("canceled") if job.cancel_asked else await self._outcome(job, request)
        job.ended = time.time()

    async def _outcome(self, job: Job, request: Request | FailureError) -> Outcome:
        if isinstance(request, FailureError):
            return Outcome("errored", failure=request)
        engine, arrived = self.engine, time.time()
        request.batch, request.stream = job.id, False
        try:
            engine.check_account("batch")
        except FailureError as failure:
            return Outcome("errored", failure=failure)
        try:
            reply = await engine.reply(request)
        except FailureError as failure:
            engine.record(request, arrived, 500, None, failure.fault)
            return Outcome("errored", failure=failure)
        if reply.fault == "hang":
            engine.record(request, arrived, 408, reply, "hang")
            return Outcome("expired")
        if reply.failure is not None or reply.fault == "cut":
            engine.record(request, arrived, 500, None, reply.fault)
            return Outcome("errored", failure=FailureError("server_error"))
        engine.record(request, arrived, 200, reply, reply.fault)
        return Outcome("succeeded", reply)


def stamp(seconds: float | None) -> str | None:
    """RFC 3339."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
