"""A language model as a writer: every reply from the journal or into it, nothing paid for twice, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from midspec.errors import MidspecError, WriterError
from midspec.experiment import WriterConfig
from midspec.llm.failures import LIMITING, LONGEST_WAIT, Failure, Storm, fatal_error
from midspec.llm.fan_out import BATCH_WINDOW
from midspec.llm.journal import Entry, Journal, Request, request_key
from midspec.llm.meter import Hold, Meter, WorstCase
from midspec.llm.prices import Price
from midspec.llm.prompt import Ask, Reply
from midspec.llm.provider import SAMPLING, FailureError, Provider, unsent
from midspec.llm.slots import Slot, Slots
from midspec.llm.warm import Warmth

TRIES = 12
"""Attempts at one request that the provider took on and did not answer, before it is given up. So many that an outage
is known as one before a request runs out of them. (ours)"""
REFUSALS = 200
"""Times that one request is turned away for a limit before it is given up (ours)."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


class _StoppedError(Exception):
    """The step is being left: nothing more is sent."""


class _RetoldError(Exception):
    """The provider refused a setting that can be left out: the request becomes another one."""


@dataclass(frozen=True)
class _Job:
    """One request on its way to a reply."""

    ask: Ask
    request: Request
    without: frozenset[str]
    """Settings it is sent without; its key says so."""
    turn: int


@dataclass(frozen=True)
class Account:
    """On whose behalf a model is asked."""

    run: str
    step: str
    """Fingerprint."""


class LanguageModel:
    """Answers asks through a provider, many at once. Made and used inside one event loop; `close` it."""

    def __init__(
        self,
        config: WriterConfig,
        provider: Provider,
        *,
        account: Account,
        journal: Journal,
        meter: Meter,
        price: Price | None,
        concurrency: int,
        deadline: float,
        say: Callable[[str], None],
        storm: Storm | None = None,
    ) -> None:
        """`deadline`: seconds for one attempt; `say` shows a line to the user; `price` None where it is not known."""
        self.name = config.model
        self._config = config
        self._provider = provider
        self._account = account
        self._journal = journal
        self._meter = meter
        self._price = price
        self._batched = provider.batching is not None and not provider.batching.only_collect
        self._deadline = None if provider.batching else deadline
        self._worst = WorstCase(price, config.max_tokens, batch=self._batched) if price else None
        self._say = say
        self._slots = Slots(BATCH_WINDOW if self._batched else concurrency)
        self._storm = storm or Storm(asyncio.get_running_loop().time)
        self._warmth = Warmth(price.cache_minimum if price and not self._batched else 0)
        self._jobs: dict[str, asyncio.Task[Reply]] = {}
        self._without = unsent(config)
        self._stopped: BaseException | None = None
        self._ended = asyncio.Event()
        if self._without:
            self._tell_of(self._without)

    async def write(self, ask: Ask) -> Reply:
        """The reply to `ask`: from the journal, or sent for and saved.

        Raises BudgetError and ProviderError where nothing more can be asked, WriterError where this one request cannot
        be had.
        """
        while True:
            without = self._without
            settings = self._settings(ask)
            key = request_key(self.name, settings, ask.system, ask.user, ask.sample)
            found = self._journal.find(key)
            if found is not None:
                return found
            job = self._jobs.get(key)
            first = job is None
            if job is None:
                asked = _Job(ask, self._request(ask, key, settings), without, self._slots.turn())
                job = asyncio.create_task(self._had(asked))
                self._jobs[key] = job
                job.add_done_callback(lambda job, key=key: self._over(job, key))
            try:
                # Whoever waits may be cancelled; what is on its way is paid for, and is saved.
                reply = await asyncio.shield(job)
            except _RetoldError:
                continue
            except _StoppedError:
                raise asyncio.CancelledError from None
            return reply if first else replace(reply, replayed=True)

    def reject(self, reply: Reply, reason: str) -> None:
        """Note in the journal why the reply could not be used."""
        if reply.key:
            self._journal.verdict(reply.key, reason)

    @property
    def in_flight(self) -> int:
        """Requests on their way."""
        return self._slots.in_flight

    def stop(self) -> None:
        """Send nothing more; what is on its way may come."""
        self._end(_StoppedError())

    async def close(self) -> None:
        """Wait for what is on its way, since it is paid for, save it, and close the connections.

        Batch jobs are not waited for: they go on at the provider, and the next process collects them.
        """
        self.stop()
        if self._batched:
            for job in list(self._jobs.values()):
                job.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        await self._provider.close()

    def _request(self, ask: Ask, key: str, settings: dict[str, Any]) -> Request:
        return Request(
            key=key,
            run=self._account.run,
            step=self._account.step,
            model=self.name,
            template=ask.template,
            system=ask.system,
            user=ask.user,
            settings=settings,
            sample=ask.sample,
        )

    def _over(self, job: asyncio.Task[Reply], key: str) -> None:
        self._jobs.pop(key, None)
        if not job.cancelled():
            job.exception()  # heard of, also where whoever asked has left

    def _settings(self, ask: Ask) -> dict[str, Any]:
        """What decides the reply besides the texts, as it is sent."""
        config = self._config
        settings: dict[str, Any] = {"max_tokens": config.max_tokens}
        for name in SAMPLING:
            if name not in self._without:
                settings[name] = getattr(config, name)
        if config.args:
            settings["args"] = config.args
        if config.structured and ask.schema is not None:
            settings["schema"] = _form(ask.schema)
        return settings

    async def _had(self, job: _Job) -> Reply:
        """The reply, after as many attempts as it takes."""
        before = self._storm.replies
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(_FIRST_WAIT, max=_LONGEST_WAIT),
            retry=retry_if_exception(lambda error: isinstance(error, FailureError) and self._stopped is None),
            before_sleep=lambda _: self._count_retry(),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return await retrying(self._taken_on, job)
        except FailureError as error:
            if self._stopped is not None:
                raise self._stopped from None
            if self._storm.replies == before:
                # Nobody was answered meanwhile: that says nothing about this request, and planning must not do without.
                outage = self._storm.error(self.name)
                self._end(outage)
                raise outage from None
            raise WriterError(
                f"{self.name}: no reply to {job.ask.template} in {TRIES} attempts; last: {error.failure.kind}. "
                "Run again to ask once more"
            ) from None
        except MidspecError as error:
            self._end(error)
            raise

    async def _taken_on(self, job: _Job) -> Reply:
        """One attempt that the provider takes on. Being turned away for a limit is none: it is waited out."""
        ask = job.ask
        for refusals in range(REFUSALS):
            await self._warmth.wait(ask.system)
            slot = await self._slots.take(ask.stage, job.turn)
            try:
                hold = await self._meter.hold(self._worst.dollars(ask) if self._worst else 0.0)
            except BaseException:
                self._slots.unused(slot)
                raise
            try:
                return await self._attempt(job, slot, hold)
            except FailureError as error:
                if error.failure.kind != "rate limit":
                    raise
                self._count_retry()
                if self._batched:  # a queue of jobs is full for as long as jobs take
                    await self._sleep(max(error.failure.wait or 0.0, min(LONGEST_WAIT, _LONGEST_WAIT * 2**refusals)))
                elif error.failure.wait is None:
                    await self._sleep(_FIRST_WAIT)
            finally:
                self._warmth.answered(ask.system)
        raise FailureError(Failure("rate limit"))

    async def _attempt(self, job: _Job, slot: Slot, hold: Hold) -> Reply:
        """Send once, save what comes. The place is free again as soon as the reply is there."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            if self._stopped is not None:
                raise self._stopped
            if job.without != self._without:
                raise _RetoldError  # while it waited, another request found out that a setting is refused
            async with asyncio.timeout(self._deadline):
                reply = await self._provider.send(job.ask, job.request, job.without)
        except (FailureError, TimeoutError) as error:
            failure = error.failure if isinstance(error, FailureError) else Failure("deadline")
            self._give_back(slot, failure)
            charged = self._price is not None and failure.sent and failure.kind in ("connection", "deadline", "cut")
            await self._meter.settle(hold, None if charged else 0.0)
            self._failed(job, failure, loop.time() - begun)
            raise FailureError(failure) from None
        except BaseException:
            self._slots.unused(slot)
            await self._meter.settle(hold, 0.0)
            raise
        self._slots.answered(slot)
        return await self._saved(job, reply, loop.time() - begun, hold)

    async def _saved(self, job: _Job, reply: Reply, seconds: float, hold: Hold) -> Reply:
        """The reply, once it is on disk. One that was cut is kept for the books and raises FailureError."""
        request, batching = job.request, self._provider.batching
        # What came out of a batch job was saved there, at its own price.
        in_job = batching is not None and (self._batched or self._journal.find(request.key) is not None)
        price = self._price.dollars(reply, batch=in_job) if self._price else None
        reply = replace(reply, key=request.key, dollars=price or 0.0)
        await self._meter.settle(hold, price or 0.0)
        if self._worst:
            self._worst.learn(job.ask, reply)
        if not in_job:
            await self._journal.save(Entry(**vars(request), reply=reply, seconds=seconds, price=price))
        self._meter.count(reply)
        if reply.stop_reason == "error":
            self._weather(Failure("cut"))
            raise FailureError(Failure("cut"))
        self._storm.good()
        return reply

    def _give_back(self, slot: Slot, failure: Failure) -> None:
        if failure.kind in LIMITING and not self._batched:  # a whole job's refusal says nothing about a pace
            self._slots.refused(slot, failure.wait)
        elif failure.status is not None:
            self._slots.answered(slot)
        else:
            self._slots.unused(slot)

    def _failed(self, job: _Job, failure: Failure, seconds: float) -> None:
        """Book a failed attempt; raises where the request cannot be sent again as it is."""
        request = job.request
        self._journal.failed(
            request.key,
            kind=failure.kind,
            seconds=seconds,
            template=request.template,
            status=failure.status,
            run=request.run,
            step=request.step,
            model=request.model,
        )
        if failure.kind == "setting" and getattr(self._config, failure.setting) is not None:
            if failure.setting not in self._without:
                self._without |= {failure.setting}
                self._tell_of({failure.setting})
            raise _RetoldError
        if failure.fatal:
            raise fatal_error(self.name, failure, request.template, request.system, request.user)
        self._weather(failure)

    def _weather(self, failure: Failure) -> None:
        if self._batched and failure.kind not in ("connection", "key"):
            return  # a job's outcomes come by the thousand, hours after the last reply: neither number nor time tells
        if self._storm.bad(failure):
            raise self._storm.error(self.name)

    def _end(self, error: BaseException) -> None:
        """Nothing more is sent: whoever waits gets `error`."""
        if self._stopped is None:
            self._stopped = error
            self._slots.close(error)
            self._ended.set()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than anything is sent at all."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    def _count_retry(self) -> None:
        self._meter.retries += 1

    def _tell_of(self, names: frozenset[str] | set[str]) -> None:
        told = " and ".join(f"{name} {getattr(self._config, name)}" for name in sorted(names))
        self._say(f"{self.name} takes no {told}: it is asked without, and the journal says so")


@lru_cache(maxsize=64)
def _form(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema()
