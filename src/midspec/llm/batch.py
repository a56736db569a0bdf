"""Batch mode: requests travel in the provider's batch jobs, at half the price, and no job is ever lost.

Inspect AI and the SDKs make and read requests as always. Their HTTP transport is ours: it puts a request into the next
job instead of sending it, and answers when that job has ended. What a job holds is in the journal before the job is
created, its id right after, each of its replies as soon as it can be had. Whatever moment a process dies at, the next
one finds the job, collects it, and asks for nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx2
from filelock import FileLock, Timeout

from midspec.errors import BusyError
from midspec.llm.batch_jobs import (
    ALL,
    LONGEST,
    NOT_DONE,
    Found,
    Group,
    Item,
    Outcome,
    Provider,
    refused,
    status_of,
    transient,
)
from midspec.llm.batch_replies import body_of, reply_from
from midspec.llm.batch_rows import Job, job_of, keys_of, known_jobs, open_jobs, request_of
from midspec.llm.journal import Entry, Journal, Request
from midspec.llm.prices import PriceTable, price_of

T = TypeVar("T")

PATHS = ("messages", "chat/completions", "responses")
"""Ends of the addresses of single requests that can go into a job."""
_AT_ONCE = 200
"""Replies of a job that are saved in one go."""
_CREATIONS = 5
_DOWNLOADS = 8
_FINISH = 10.0
"""Seconds in which a download that has begun may end when the run does."""
_asked: ContextVar[Request | None] = ContextVar("batch_request", default=None)


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

    The reply is in the journal, at the batch price, when `generate` returns; saving it again does no harm. Requests
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
        self._table = table
        self._settings = settings or BatchSettings()
        self._only_collect = only_collect
        self.deadline = deadline
        """Of a request that is sent alone, in seconds."""
        self._lock = FileLock(journal.path.with_name(journal.path.name + ".batch.lock"))
        self._waiting: dict[str, asyncio.Future[Outcome | None]] = {}
        self._heard: set[str] = set()
        """Keys in `_waiting` that somebody waits for."""
        self._left_over: set[str] = set()
        """Keys of jobs of an earlier process."""
        self._downloads = 0
        self._pending: defaultdict[tuple[Group, str], _Pending] = defaultdict(_Pending)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[httpx2.AsyncHTTPTransport] = []
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
                self._start(self._take_up(job))
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
        if self._downloads and self._fatal is None:
            await self.collected(_FINISH)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            await transport.aclose()
        await self._provider.close()
        self._lock.release()

    @property
    def waiting(self) -> int:
        """Requests in jobs, or about to be."""
        return len(self._waiting)

    def model_args(self) -> dict[str, Any]:
        """What Inspect AI's provider must be given so that its requests travel in jobs."""
        direct = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None))
        self._transports.append(direct)
        client = httpx2.AsyncClient(transport=_Transport(self, direct), timeout=LONGEST)
        return {"http_client": client, **self._provider.model_args()}

    @contextmanager
    def asking(self, request: Request) -> Generator[None]:
        """Say which request of the journal the next call of the SDK is. Raises what broke the batch mode as it is: the
        SDK would call a full disk a lost connection."""
        token = _asked.set(request)
        try:
            yield
        except Exception:
            if self._fatal is not None:
                raise self._fatal from None
            raise
        finally:
            _asked.reset(token)

    async def collected(self, seconds: float | None = None) -> None:
        """Return when no job is left, or, if `seconds` is given, those that had not ended after so long.

        Raises what went wrong with one.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while self._tasks and (end is None or self._downloads or time.monotonic() < end):
            await asyncio.wait(self._tasks, timeout=None if end is None else max(0.05, end - time.monotonic()))
        if self._fatal is not None:
            raise self._fatal

    async def cancel(self) -> None:
        """Ask the provider to end the jobs that are known to it. What they have done is paid for and collected."""
        for job in open_jobs(self._journal, self._provider.name, self._provider.url):
            if job.job is not None:
                name = job.job
                await _patiently(lambda name=name: self._provider.cancel(name), self._settings, _CREATIONS)

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
        if len(pending.asked) >= settings.size:
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
        self._start(self._run(kind[0], pending.asked))

    async def _run(self, group: Group, asked: list[tuple[Request, dict[str, Any]]]) -> None:
        """One job from beginning to end."""
        token = uuid4().hex
        requests = [request for request, _ in asked]
        items = [Item(f"{token}-{number}", body) for number, (_, body) in enumerate(asked)]
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

    async def _create(self, token: str, group: Group, items: list[Item]) -> str:
        """The provider's id of the new job. Raises the SDK's error where there is certainly none."""
        provider = self._provider
        file = await _patiently(lambda: provider.upload(token, group, items), self._settings, _CREATIONS)
        if file is not None:
            await self._journal.write(lambda rows: rows.update_batch(token, file=file))
        for attempt in count(1):
            try:
                return await provider.create(token, group, items, file)
            except Exception as error:
                status = status_of(error)
                if not transient(error) or (status is not None and status < 500):
                    raise
                # The job may be there although the answer is not, surely not if the server said that it failed.
                settle = 0.0 if status is not None else self._settings.settle
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
            if found is None and (datetime.now(UTC) - sent).total_seconds() >= settle:
                return None
            await asyncio.sleep(_pause(attempt, self._settings))
        raise AssertionError

    async def _take_up(self, job: Job) -> None:
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
            for key in keys_of(self._journal, job):  # a revoked key, say: the job stays open for a better one
                self._tell(key, answer)
            return
        self._downloads += 1
        try:
            await self._read(job, name)
        finally:
            self._downloads -= 1

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
                    for key in keys_of(self._journal, job):
                        self._tell(key, Outcome(NOT_DONE, {"error": {"message": "the job's results cannot be read"}}))
                    return
                await asyncio.sleep(_pause(attempt, self._settings))
        await self._give_back(job, "collected")

    async def _download(self, job: Job, name: str, done: set[str]) -> None:
        some: list[tuple[str, Outcome]] = []
        try:
            async for custom_id, outcome in self._provider.results(name):
                if custom_id == ALL:
                    for key in keys_of(self._journal, job):
                        self._tell(key, outcome)
                elif custom_id not in done:
                    some.append((custom_id, outcome))
                if len(some) >= _AT_ONCE:
                    await self._keep_all(job, some, done)
                    some = []
        finally:
            await self._keep_all(job, some, done)

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

    async def _give_back(self, job: Job, state: str) -> None:
        """Close a job; requests of it without an outcome are free to be asked again."""
        keys = keys_of(self._journal, job)
        await self._journal.write(lambda rows: rows.close_batch(job.token, state))
        for key in keys:
            self._tell(key, None)

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


class _Transport(httpx2.AsyncBaseTransport):
    """Takes the place of the network under an SDK."""

    def __init__(self, sender: BatchSender, direct: httpx2.AsyncHTTPTransport) -> None:
        self._sender = sender
        self._direct = direct

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = _asked.get()
        path = next((path for path in PATHS if request.url.path.endswith("/" + path)), None)
        if asked is None or path is None or request.method != "POST":
            return await self._alone(request)
        content = await request.aread()
        body = json.loads(content)
        if not _holds(body, asked.user):  # Inspect AI tries out what a model can do before it asks
            return await self._alone(request)
        assert not body.get("stream"), "batch mode needs streaming=False in the arguments of the model"
        group = Group(path, request.headers.get("anthropic-beta", ""))
        outcome = await self._sender.send(asked, group, body, len(content))
        if outcome is None:
            return await self._alone(request)
        return httpx2.Response(outcome.status, json=outcome.body, headers=list(outcome.headers))

    async def _alone(self, request: httpx2.Request) -> httpx2.Response:
        """Over the network, whole, in time: the SDK's own limit is that of a job."""
        try:
            async with asyncio.timeout(self._sender.deadline):
                response = await self._direct.handle_async_request(request)
                content = b"".join([part async for part in response.aiter_raw()])
                await response.aclose()
        except TimeoutError as error:
            raise httpx2.ReadTimeout("no reply within the deadline", request=request) from error
        return httpx2.Response(response.status_code, headers=response.headers, content=content)


def _holds(value: Any, text: str) -> bool:
    """Whether `text` is somewhere in the JSON `value`."""
    if isinstance(value, dict):
        return any(_holds(inner, text) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, text) for inner in value)
    return isinstance(value, str) and text in value


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
