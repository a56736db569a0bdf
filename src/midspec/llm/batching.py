"""Batch mode as the client uses it: opened with the first request, shared by writer and judge of one provider."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Any

from midspec.compute import ComputeConfig
from midspec.errors import InputError
from midspec.llm.batch import BatchSender
from midspec.llm.batch_jobs import connect, provider_of
from midspec.llm.batch_models import VLLM
from midspec.llm.batch_rows import open_jobs
from midspec.llm.journal import Journal, Request
from midspec.llm.prices import PriceTable


class Batching:
    """A BatchSender from its first request to the end of the desk."""

    def __init__(self, sender: BatchSender, *, only_collect: bool) -> None:
        """`only_collect`: requests go out one by one, but for those that lie in jobs of an earlier process."""
        self.only_collect = only_collect
        self._sender = sender
        self._opening: asyncio.Task[BatchSender] | None = None

    @property
    def waiting(self) -> int:
        """Requests in jobs, or about to be."""
        return self._sender.waiting

    def model_args(self) -> dict[str, Any]:
        """Arguments of Inspect AI's provider."""
        return self._sender.model_args()

    async def ready(self) -> None:
        """Take up the jobs of earlier processes, once. Raises BusyError while another process sends batch jobs."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._sender.__aenter__())
        await asyncio.shield(self._opening)

    def asking(self, request: Request) -> AbstractContextManager[None]:
        """See BatchSender."""
        return self._sender.asking(request)

    async def close(self) -> None:
        """Jobs at work go on at the provider; the next process collects them."""
        if self._opening is None:
            return
        await asyncio.wait([self._opening])
        if not self._opening.cancelled() and self._opening.exception() is None:
            await self._sender.__aexit__(None, None, None)


def batching(model: str, url: str | None, journal: Journal, prices: PriceTable, compute: ComputeConfig) -> Batching:
    """Batch mode for `model`. Raises InputError where its provider has none that midspec knows."""
    name = provider_of(model)
    if name == VLLM:
        from midspec.llm.batch_ray import PACE, at_workspace

        jobs = at_workspace(model, url, journal.path.parent, compute)
        return Batching(BatchSender(journal, jobs, prices, settings=PACE), only_collect=False)
    return Batching(BatchSender(journal, connect(name, url), prices), only_collect=False)


def left_over(model: str, url: str | None, journal: Journal, prices: PriceTable, deadline: float) -> Batching | None:
    """What collects the jobs that an earlier process left at the provider of `model`; None if there are none.

    `deadline`: seconds for a request that is sent alone meanwhile."""
    try:
        name = provider_of(model)
    except InputError:
        return None
    if not open_jobs(journal, name):
        return None
    sender = BatchSender(journal, connect(name, url), prices, only_collect=True, deadline=deadline)
    return Batching(sender, only_collect=True)
