"""Collect the batch jobs that earlier processes left behind, outside any run."""

from __future__ import annotations

from typing import NamedTuple

import anthropic
import openai

from midspec.errors import InputError
from midspec.llm.batch import BatchSender, BatchSettings
from midspec.llm.batch_jobs import connect, status_of
from midspec.llm.batch_rows import open_jobs
from midspec.llm.journal import Journal
from midspec.llm.prices import PriceTable

PATIENCE = 20.0
"""Seconds for jobs that have ended to be seen as such, where nobody wants to wait for the others."""


class LeftOver(NamedTuple):
    """Jobs at one provider's address."""

    provider: str
    url: str
    collected: int
    open: int
    note: str


async def collect_left_over(
    journal: Journal,
    table: PriceTable,
    *,
    wait: bool = False,
    cancel: bool = False,
    settings: BatchSettings | None = None,
) -> list[LeftOver]:
    """Put the replies of all jobs that have ended into the journal; with `wait`, of all jobs.

    Raises BusyError while a run sends batch jobs. A provider without a key, or that does not answer, is told in its
    note; its jobs stay for another time.
    """
    found: list[LeftOver] = []
    for provider, url in sorted({(job.provider, job.url) for job in open_jobs(journal)}):
        before = len(open_jobs(journal, provider, url))
        note = ""
        try:
            async with BatchSender(
                journal, connect(provider, url), table, settings=settings or BatchSettings(tick=2.0)
            ) as sender:
                if cancel:
                    await sender.cancel()
                await sender.collected(None if wait or cancel else PATIENCE)
                note = _refused(sender.refusal) if sender.refusal else ""
        except InputError as error:
            note = str(error)
        except (anthropic.APIError, openai.APIError) as error:
            status = status_of(error)
            note = _refused(status) if status else "The provider does not answer; try again later."
        left = len(open_jobs(journal, provider, url))
        if left and not note:
            note = "They have not ended, or cannot be read yet; `--wait` waits for them."
        found.append(LeftOver(provider, url, before - left, left, note))
    return found


def _refused(status: int) -> str:
    return f"The provider refuses: status {status}. Check its key, then try again."
