"""The life of a batch job: noted, created, found again if need be, watched, read, each reply kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

from midspec.llm.batch_jobs import ALL, NOT_DONE, Found, Group, Item, Outcome, Provider, refused, status_of, transient
from midspec.llm.batch_replies import reply_from
from midspec.llm.batch_rows import Job, job_of, keys_of, known_jobs, open_jobs, request_of
from midspec.llm.journal import Entry, Journal, Request
from midspec.llm.journal_rows import now
from midspec.llm.prices import PriceTable, price_of

T = TypeVar("T")

_AT_ONCE = 200
"""Replies of a job that are saved in one go."""
_CREATIONS = 5
_DOWNLOADS = 8
_LEAST = 5
"""Size below which no further halving is tried (ours)."""
_ENDED = (400, 404, 409)
"""Statuses of a cancellation that comes too late."""
_FAILED = (500, 503, 529)
"""Statuses that come from the provider itself, and not from something between that may have lost its answer."""


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Times in seconds."""

    size: int = 5000
    """Most requests in a job. (Anthropic allows 100,000, OpenAI 50,000)"""
    megabytes: int = 90
    """Most of a job's text. (Anthropic allows 256, OpenAI 200)"""
    wait: float = 10.0
    """How long the first request of a job waits for more."""
    tick: float = 5.0
    """First pause between two looks at a job; each is half as long again as the one before."""
    slowest: float = 120.0
    """Longest of these pauses."""
    settle: float = 120.0
    """How long after an unanswered creation a job may still turn up in the provider's list."""


class JobWork:
    """What is done with jobs, for one provider and journal."""

    def __init__(
        self,
        journal: Journal,
        provider: Provider,
        table: PriceTable,
        settings: BatchSettings,
        tell: Callable[[str, Outcome | None], bool],
    ) -> None:
        """`tell` hears the outcome of each request by key, None where it has to be asked again, and says whether
        anybody waited for it."""
        self._journal = journal
        self._provider = provider
        self._table = table
        self._settings = settings
        self._tell = tell
        self.size = settings.size
        """Most requests in a job, as far as is known: less where the provider's queue does not hold so many."""
        self.refusal: int | None = None
        """Status with which the provider last refused to tell of a job, which stays open."""
        self._at_work: dict[str, str] = {}
        """Models of the jobs that the provider has, by token."""
        self.downloads = 0
        """Jobs that have ended and are being read."""

    async def run(self, group: Group, asked: list[tuple[Request, dict[str, Any]]]) -> None:
        """One job from beginning to end."""
        token = uuid4().hex
        requests = [request for request, _ in asked]
        items = [Item(f"{token}-{number}", body, request.key) for number, (request, body) in enumerate(asked)]
        name, url = self._provider.name, self._provider.url
        await self._journal.write(lambda rows: rows.open_batch(token, name, url, requests))
        try:
            job = await self._create(token, group, items)
        except Exception as error:
            answer = refused(error)
            if answer is None and not transient(error):
                raise
            await self._journal.write(lambda rows: rows.close_batch(token, "never created"))
            lost = Outcome(
                NOT_DONE, {"error": {"type": "api_error", "message": f"no batch job: {type(error).__name__}"}}
            )
            for request in requests:
                self._tell(request.key, answer or lost)
            return
        await self._journal.write(lambda rows: rows.update_batch(token, job=job, state="open"))
        del asked, items
        await self._collect(job_of(self._journal, token), job)

    async def cancel(self) -> None:
        """Ask the provider to end the open jobs that are known to it."""
        for job in open_jobs(self._journal, self._provider.name, self._provider.url):
            if job.job is not None:
                name = job.job
                await _patiently(lambda name=name: self._cancel(name), self._settings, _CREATIONS)

    async def _cancel(self, name: str) -> None:
        try:
            await self._provider.cancel(name)
        except Exception as error:
            if status_of(error) not in _ENDED:
                raise

    async def _create(self, token: str, group: Group, items: list[Item]) -> str:
        """The provider's id of the new job. Raises the SDK's error where there is certainly none."""
        provider = self._provider
        file = await _patiently(lambda: provider.upload(token, group, items), self._settings, _CREATIONS)
        for attempt in count(1):
            noted = {"time": now(), **({} if file is None else {"file": file})}
            await self._journal.write(lambda rows, noted=noted: rows.update_batch(token, **noted))
            try:
                return await provider.create(token, group, items, file)
            except Exception as error:
                status = status_of(error)
                if not transient(error) or (status is not None and status < 500):
                    raise
                # The job may be there although the answer is not; hardly so where the server itself says that it
                # failed, so that one look is enough.
                settle = 0.0 if status in _FAILED else self._settings.settle
                found = await self._find(job_of(self._journal, token), datetime.now(UTC), settle)
                if found is not None:
                    return found
                if attempt == _CREATIONS:
                    raise
                await asyncio.sleep(_pause(attempt, self._settings))
        raise AssertionError

    async def _find(self, job: Job, sent: datetime, settle: float) -> str | None:
        """The provider's id of a job whose creation, begun at `sent`, was not answered; None if there is none."""
        for attempt in count(1):
            known = known_jobs(self._journal)
            found: Found = await _patiently(
                lambda known=known: self._provider.find(job.token, job.file, job.time, job.size, known),
                self._settings,
            )
            if found is not None and found != "undecided":
                return found
            settled = (datetime.now(UTC) - sent).total_seconds() >= settle
            if settled and (found is None or not settle):
                return None
            await asyncio.sleep(_pause(attempt, self._settings))
        raise AssertionError

    async def take_up(self, job: Job) -> None:
        """Collect a job of an earlier process, if it was created at all."""
        found = job.job
        if found is None:
            found = await self._find(job, job.time, self._settings.settle)
            if found is None:
                await self._give_back(job, "never created")
                return
            name = found
            await self._journal.write(lambda rows: rows.update_batch(job.token, job=name, state="open"))
        await self._collect(job, found)

    async def _collect(self, job: Job, name: str) -> None:
        """Wait for a job's end and keep all of it."""
        self._at_work[job.token] = job.model
        try:
            await self._watch(job, name)
        finally:
            self._at_work.pop(job.token, None)

    async def _watch(self, job: Job, name: str) -> None:
        try:
            for attempt in count(1):
                if await _patiently(lambda: self._provider.ended(name), self._settings):
                    break
                await asyncio.sleep(_pause(attempt, self._settings))
        except Exception as error:
            if status_of(error) == 404:
                await self._give_back(job, "lost")
                return
            answer = refused(error)
            if answer is None:
                raise
            self.refusal = answer.status
            self._tell_rest(job, answer)  # a revoked key, say: the job stays open for a better one
            return
        self.downloads += 1
        try:
            await self._read(job, name)
        finally:
            self.downloads -= 1

    async def _read(self, job: Job, name: str) -> None:
        """Keep the results of a job that has ended, and close it."""
        done: set[str] = set()
        for attempt in count(1):
            try:
                await self._download(job, name, done)
                break
            except Exception as error:
                if not transient(error):
                    raise
                if attempt == _DOWNLOADS:
                    unread = Outcome(NOT_DONE, {"error": {"message": "the job's results cannot be read"}})
                    self._tell_rest(job, unread, done)
                    return
                await asyncio.sleep(_pause(attempt, self._settings))
        await self._give_back(job, "collected", done)

    async def _download(self, job: Job, name: str, done: set[str]) -> None:
        """`done`: custom ids whose outcome has been told, which grows."""
        some: list[tuple[str, Outcome]] = []
        try:
            async for custom_id, outcome in self._provider.results(name):
                if custom_id == ALL:
                    if outcome.status == 429:
                        self._shrink(job)
                    self._tell_rest(job, outcome, done)
                    done.update(f"{job.token}-{number}" for number in range(job.size))
                elif custom_id not in done:
                    some.append((custom_id, outcome))
                if len(some) >= _AT_ONCE:
                    await self._keep_all(job, some, done)
                    some = []
        finally:
            await self._keep_all(job, some, done)

    def _shrink(self, job: Job) -> None:
        """Make smaller jobs after one that the provider's queue had no room for, unless others fill that queue."""
        self._at_work.pop(job.token, None)
        if job.model not in self._at_work.values():
            self.size = min(self.size, max(_LEAST, job.size // 2))

    async def _keep_all(self, job: Job, some: list[tuple[str, Outcome]], done: set[str]) -> None:
        await asyncio.gather(*(self._keep(job, custom_id, outcome) for custom_id, outcome in some))
        done.update(custom_id for custom_id, _ in some)

    async def _keep(self, job: Job, custom_id: str, outcome: Outcome) -> None:
        """Put one reply on disk, then tell whoever waits for it. A bad one is one bad one."""
        token, _, number = custom_id.rpartition("-")
        request = request_of(self._journal, job, int(number)) if token == job.token and number.isdecimal() else None
        if request is None:
            return
        seconds = (datetime.now(UTC) - job.time).total_seconds()
        if outcome.status == 200:
            try:
                reply = await reply_from(outcome.body)
            except Exception as error:
                outcome = Outcome(NOT_DONE, {"error": {"message": f"an unreadable reply: {type(error).__name__}"}})
            else:
                price = price_of(request.model, reply, True, self._table, job.url)
                values = {f: getattr(request, f) for f in Request.__dataclass_fields__}
                await self._journal.save(Entry(**values, reply=reply, seconds=seconds, price=price, batch=job.token))
        if not self._tell(request.key, outcome) and outcome.status != 200:
            self._journal.failed(
                request.key,
                kind="in a batch job",
                seconds=seconds,
                status=outcome.status,
                template=request.template,
                run=request.run,
                step=request.step,
                model=request.model,
            )

    async def _give_back(self, job: Job, state: str, done: Container[str] = ()) -> None:
        """Close a job; requests of it without an outcome are free to be asked again."""
        keys = keys_of(self._journal, job)
        await self._journal.write(lambda rows: rows.close_batch(job.token, state))
        await self._provider.forget(job.job or job.token)
        self._tell_rest(job, None, done, keys)

    def _tell_rest(
        self, job: Job, outcome: Outcome | None, done: Container[str] = (), keys: Sequence[str] | None = None
    ) -> None:
        """Tell all whose outcome is not `done`: the others may be on their way again, in another job."""
        for number, key in enumerate(keys_of(self._journal, job) if keys is None else keys):
            if f"{job.token}-{number}" not in done:
                self._tell(key, outcome)


def _pause(attempt: int, settings: BatchSettings) -> float:
    return min(settings.slowest, settings.tick * 1.5 ** min(attempt - 1, 50)) * random.uniform(0.8, 1.0)


async def _patiently(call: Callable[[], Awaitable[T]], settings: BatchSettings, attempts: int | None = None) -> T:
    """The result of a call that may be made again, after every failure that may pass; for ever if need be."""
    for attempt in count(1):
        try:
            return await call()
        except Exception as error:
            if not transient(error) or attempt == attempts:
                raise
            await asyncio.sleep(_pause(attempt, settings))
    raise AssertionError
