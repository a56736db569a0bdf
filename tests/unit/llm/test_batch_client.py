"""The client in batch mode: what is to be waited out is, and what cannot be waited out ends the run."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from asking import CLAUDE, GPT, MODELS, Question, answer, ask_for, context, expected, failures, journaled

from midspec.errors import ProviderError
from midspec.experiment import WriterConfig
from midspec.llm import batch, client
from midspec.llm import failures as failing
from midspec.llm.batch import BatchSettings
from midspec.llm.batch_jobs import ALL, OpenAIBatches, Outcome
from midspec.llm.desk import Desk
from midspec.llm.fan_out import BATCH_WINDOW, WINDOW, begun_at_once
from midspec.llm.journal import NAME, Journal
from tests.provider import Faults, ProviderServer, Script

QUICK = BatchSettings(wait=0.3, tick=0.05, slowest=0.1, settle=0.1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of waiting are hundredths of seconds, and the patience with storms is as short."""
    monkeypatch.setattr(batch, "BatchSettings", lambda: QUICK)
    monkeypatch.setattr(client, "_LONGEST_WAIT", 0.02)
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(client, "Storm", lambda clock: failing.Storm(clock, attempts=20, seconds=0.1, at_first=0.1))


def test_a_full_queue_of_jobs_is_waited_out_with_smaller_jobs(tmp_path, monkeypatch):
    """OpenAI fails a whole job over its enqueued tokens: thousands of refusals in a moment, hours after any reply."""
    real, sizes = OpenAIBatches.results, []

    async def results(self: Any, job: str) -> AsyncGenerator[tuple[str, Outcome]]:
        lines = [line async for line in real(self, job)]
        sizes.append(len(lines))
        if len(lines) > 15:
            yield ALL, Outcome(429, {"error": {"message": "Enqueued token limit reached", "code": ""}})
            return
        for line in lines:
            yield line

    monkeypatch.setattr(OpenAIBatches, "results", results)
    with ProviderServer(Script(otherwise=answer), batch_seconds=0.05) as server:
        texts, _, _ = ask_for(context(tmp_path, server, GPT, batch=True), GPT, 40, window=BATCH_WINDOW)
    assert texts == expected(40)
    assert sizes[0] == 40 and 20 in sizes and max(sizes[-4:]) == 10
    assert failures(tmp_path)["rate limit"] >= 80


@pytest.mark.parametrize("model", MODELS)
def test_a_job_of_which_nearly_all_failed_is_no_storm(tmp_path, model):
    with ProviderServer(Script(otherwise=answer), batch_seconds=0.3, faults={"server_error": 1.0}) as server:
        at = context(tmp_path, server, model, batch=True)

        async def main() -> Any:
            asking = asyncio.create_task(asyncio.to_thread(ask_for, at, model, 40, window=BATCH_WINDOW))
            while len(server.ledger.entries()) < 40:
                await asyncio.sleep(0.02)
            server.change(faults=Faults())
            return await asking

        texts, _, _ = asyncio.run(main())
    assert texts == expected(40)
    assert failures(tmp_path)["server error"] >= 40


@pytest.mark.parametrize("model", MODELS)
def test_a_spending_limit_still_ends_the_run(tmp_path, model):
    with (
        ProviderServer(Script(otherwise=answer), spend_limit=0.0) as server,
        pytest.raises(ProviderError, match="credit is used up"),
    ):
        ask_for(context(tmp_path, server, model, batch=True), model, 40, window=BATCH_WINDOW)
    assert journaled(tmp_path) == []


def test_a_model_without_batch_mode_is_asked_directly_and_one_line_says_so(tmp_path, monkeypatch):
    """The judge of another service has batch jobs none the less."""
    monkeypatch.setenv("HARBOUR_API_KEY", "test-key")
    other = "openai-api/harbour/gpt-4o"
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server, batch=True, writer_url=server.openai_url)

        async def main() -> list[int]:
            windows = []
            async with Desk(at) as desk:
                writer = desk.scribe(WriterConfig(model=other, max_tokens=1000))
                windows.append(begun_at_once.get())
                assert await writer.ask(Question(), {"user": "directly"}) == "Answer to directly"
                judge = desk.scribe(WriterConfig(model=CLAUDE, max_tokens=1000), "judge")
                windows.append(begun_at_once.get())
                assert await judge.ask(Question(), {"user": "in a job"}) == "Answer to in a job"
            return [*windows, begun_at_once.get()]

        assert asyncio.run(main()) == [WINDOW, BATCH_WINDOW, WINDOW]
        assert [bool(entry.batch) for entry in server.ledger.entries()] == [False, True]
    assert [line for line in at.progress.lines if "batch" in line] == [
        f"  {other} has no batch mode: it is asked directly, at the full price"
    ]
    journal = Journal(tmp_path / NAME)
    assert sorted(row[0] != "" for row in journal.read("SELECT coalesce(batch, '') FROM replies")) == [False, True]
    journal.close()
