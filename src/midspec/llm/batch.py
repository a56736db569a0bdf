"""Batch mode: requests travel in the provider's batch jobs, at half the price, and no job is ever lost.

Inspect AI and the SDKs make and read requests as always. Their HTTP transport is ours: it puts a request into the next
job instead of sending it, and answers when that job has ended. What a job holds is in the journal before the job is
created, its id right after, each of its replies as soon as it can be had. Whatever moment a process dies at, the next
one finds the job, collects it, and asks for nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2
from filelock import FileLock, Timeout

from midspec.errors import BusyError
from midspec.llm.batch_jobs import LONGEST, Group, Outcome, Provider
from midspec.llm.batch_replies import body_of
from midspec.llm.batch_rows import keys_of, open_jobs
from midspec.llm.batch_transport import Transport, asked
from midspec.llm.batch_work import BatchSettings, JobWork
from midspec.llm.journal import Journal, Request
from midspec.llm.journal_key import text_hash
from midspec.llm.prices import PriceTable

__all__ = ["BatchSender", "BatchSettings"]

_FINISH = 10.0
"""Seconds in which a download that has begun may end when the run does."""


@dataclass
class _Pending:
    """Requests that will make up a job."""

    asked: list[tuple[Request, dict[str, Any]]] = field(default_factory=list)
    characters: int = 0
    timer: asyncio.TimerHandle | None = None


class BatchSender:
    """`async with BatchSender(journal, connect("anthropic", url), table) as batch`, then

    `model = get_model(name, base_url=url, memoize=False, **batch.model_args())`, and for each request
    `with batch.asking(request): output = await model.generate(...)`.

    The reply is in the journal, at the batch price, when `generate` returns, and is not to be saved again. Requests
    whose job could not be created, or that failed in it, get the provider's status and error, as if sent alone. No
    deadline may be set on them: a job takes up to a day.
    """

    def __init__(
        self,
        journal: Journal,
        provider: Provider,
        table: PriceTable,
        *,
        settings: BatchSettings | None = None,
        only_collect: bool = False,
        deadline: float = 600.0,
    ) -> None:
        """`only_collect`: wait for requests that are in jobs of an earlier process, send all others alone and at once;
        `deadline`: seconds for one that is sent alone."""
        self._journal = journal
        self._provider = provider
        self._settings = settings or BatchSettings()
        self._only_collect = only_collect
        self._deadline = deadline
        self._work = JobWork(journal, provider, table, self._settings, self._tell)
        account = f"{provider.name}-{text_hash(provider.url).hex()[:8]}"
        self._lock = FileLock(journal.path.with_name(f"{journal.path.name}.{account}.lock"))
        self._waiting: dict[str, asyncio.Future[Outcome | None]] = {}
        self._heard: set[str] = set()
        """Keys in `_waiting` that somebody waits for."""
        self._left_over: set[str] = set()
        """Keys of jobs of an earlier process."""
        self._pending: defaultdict[tuple[Group, str], _Pending] = defaultdict(_Pending)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fatal: BaseException | None = None

    async def __aenter__(self) -> Self:
        """Takes up the jobs that an earlier process left.

        Raises BusyError while another process has jobs in this workspace: what it is about to create cannot be told
        from what a dead one may have created.
        """
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            if self._only_collect:
                return self
            raise BusyError(
                f"another process sends batch jobs for the journal {self._journal.path}; wait for it, or use another "
                "--workspace"
            ) from error
        try:
            for job in open_jobs(self._journal, self._provider.name, self._provider.url):
                for key in keys_of(self._journal, job):
                    self._wait_for(key)
                    self._left_over.add(key)
                self._start(self._work.take_up(job))
        except BaseException:
            self._lock.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop waiting. Jobs at work go on at the provider, and the next process collects them."""
        for pending in self._pending.values():
            if pending.timer:
                pending.timer.cancel()
        try:
            if self._work.downloads and self._fatal is None:
                await asyncio.wait(self._tasks, timeout=_FINISH)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._provider.close()
            self._lock.release()

    @property
    def waiting(self) -> int:
        """Requests in jobs, or about to be."""
        return len(self._waiting)

    @property
    def refusal(self) -> int | None:
        """Status with which the provider last refused to tell of a job that is still open; None where it did not."""
        return self._work.refusal

    def model_args(self) -> dict[str, Any]:
        """What Inspect AI's provider must be given so that its requests travel in jobs."""
        transport = Transport(self.send, self._deadline)
        return {
            "http_client": httpx2.AsyncClient(transport=transport, timeout=LONGEST),
            **self._provider.model_args(),
        }

    @contextmanager
    def asking(self, request: Request) -> Generator[None]:
        """Say which request of the journal the next call of the SDK is. Raises what broke the batch mode as it is: the
        SDK would call a full disk a lost connection."""
        token = asked.set(request)
        try:
            yield
        except Exception:
            if self._fatal is not None:
                raise self._fatal from None
            raise
        finally:
            asked.reset(token)

    async def collected(self, seconds: float | None = None) -> None:
        """Return when no job is left, or, if `seconds` is given, those that had not ended after so long.

        Raises what went wrong with one.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while self._tasks and (end is None or self._work.downloads or time.monotonic() < end):
            await asyncio.wait(self._tasks, timeout=None if end is None else max(0.05, end - time.monotonic()))
        if self._fatal is not None:
            raise self._fatal

    async def cancel(self) -> None:
        """Ask the provider to end the jobs that are known to it. What they have done is paid for and collected."""
        await self._work.cancel()

    async def send(self, request: Request, group: Group, body: dict[str, Any], characters: int) -> Outcome | None:
        """The outcome of a request; None where it is in no job and is to be sent alone."""
        while True:
            future = self._waiting.get(request.key)
            if future is None:
                # Collected since the caller looked into the journal?
                found = self._journal.find(request.key) if request.key in self._left_over else None
                if found is not None:
                    return Outcome(200, body_of(found, group.path, str(body.get("model"))))
                if self._only_collect:
                    return None
                future = self._add(request, group, body, characters)
            self._heard.add(request.key)
            # Whoever waits may be cancelled; the request is paid for and stays.
            outcome = await asyncio.shield(future)
            if outcome is not None:
                return outcome

    def _add(
        self, request: Request, group: Group, body: dict[str, Any], characters: int
    ) -> asyncio.Future[Outcome | None]:
        settings = self._settings
        kind = (group, str(body.get("model")))
        if self._pending[kind].characters + characters > settings.megabytes * 1_000_000:
            self._submit(kind)
        pending = self._pending[kind]
        pending.asked.append((request, body))
        pending.characters += characters
        future = self._wait_for(request.key)
        if len(pending.asked) >= self._work.size:
            self._submit(kind)
        elif pending.timer is None:
            pending.timer = asyncio.get_running_loop().call_later(settings.wait, self._submit, kind)
        return future

    def _submit(self, kind: tuple[Group, str]) -> None:
        pending = self._pending.pop(kind, None)
        if pending is None or not pending.asked:
            return
        if pending.timer:
            pending.timer.cancel()
        self._start(self._work.run(kind[0], pending.asked))

    def _wait_for(self, key: str) -> asyncio.Future[Outcome | None]:
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            # Nobody may be waiting when it fails.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def _tell(self, key: str, outcome: Outcome | None) -> bool:
        """Give the outcome to those who wait for it; whether there are any."""
        heard = key in self._heard
        self._heard.discard(key)
        future = self._waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_result(outcome)
        return heard

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        # A full disk, a bug: nothing more can be kept, so nothing more may be asked.
        self._fatal = self._fatal or task.exception()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RuntimeError("batch mode broke down"))
        self._waiting.clear()
