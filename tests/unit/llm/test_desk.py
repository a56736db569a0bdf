"""The desk opens what is needed, once, and nothing for the offline writer."""

import asyncio
import subprocess
import sys

import pytest
from asking import CLAUDE, GPT, MODELS, Question, answer, ask_for, context, documents, expected, journaled

from midspec.errors import InputError, MissingDependencyError, ProviderError, WriterError
from midspec.experiment import WriterConfig
from midspec.llm import batch
from midspec.llm.batch import BatchSettings
from midspec.llm.batch_rows import open_jobs
from midspec.llm.desk import Desk, check_writer
from midspec.llm.fan_out import BATCH_WINDOW, WINDOW, begun_at_once
from midspec.llm.journal import NAME, Journal
from tests.provider import ProviderServer, Script

OFFLINE = WriterConfig(model="offline")
QUICK = BatchSettings(wait=0.5, tick=0.05, slowest=0.1, settle=0.1)


def test_offline_needs_no_journal_and_no_inspect(tmp_path):
    async def main(at):
        async with Desk(at) as desk:
            assert desk.scribe(OFFLINE).writer.name == "offline"

    with ProviderServer() as server:
        asyncio.run(main(context(tmp_path, server)))
    assert list(tmp_path.iterdir()) == []


def test_writer_and_judge_share_journal_and_meter_and_a_client_where_they_are_the_same(tmp_path):
    async def main(at):
        async with Desk(at) as desk:
            writer = desk.scribe(WriterConfig(model=CLAUDE)).writer
            same = desk.scribe(WriterConfig(model=CLAUDE), "judge").writer
            other = desk.scribe(WriterConfig(model=CLAUDE, max_tokens=99), "judge").writer
            assert same is writer and other is not writer
            assert other._journal is writer._journal and other._meter is writer._meter

    with ProviderServer() as server:
        asyncio.run(main(context(tmp_path, server)))


def test_the_judge_is_asked_at_its_own_address(tmp_path):
    with ProviderServer(Script(otherwise=answer)) as one, ProviderServer(Script(otherwise=answer)) as two:
        at = context(tmp_path, one, judge_url=two.url)

        async def main():
            async with Desk(at) as desk:
                await desk.scribe(WriterConfig(model=CLAUDE), "judge").ask(Question(), {"user": "judge this"})

        asyncio.run(main())
        assert (len(one.ledger.entries()), len(two.ledger.entries())) == (0, 1)


def test_a_step_that_gave_up_asks_for_new_samples(tmp_path):
    """Otherwise the journal gives it the same bad replies for ever."""

    def stubborn(request):
        return answer(request) if request.sample == "36" else "no tag here"

    async def main(at, attempts):
        async with Desk(at) as desk:
            scribe = desk.scribe(WriterConfig(model=CLAUDE))
            return scribe.patience, await scribe.ask(Question(), {"user": "one"}, attempts=attempts * scribe.patience)

    with ProviderServer(Script(otherwise=stubborn)) as server:
        at = context(tmp_path, server)
        for _ in range(3):
            with pytest.raises(WriterError):
                asyncio.run(main(at, 12))
        assert asyncio.run(main(at, 12)) == (4, "Answer to one")
        assert server.ledger.duplicates() == {}
        assert len(server.ledger.entries()) == 37


def test_other_errors_cost_no_patience(tmp_path):
    with ProviderServer(revoked=True) as server, pytest.raises(ProviderError):
        ask_for(context(tmp_path, server), CLAUDE, 3)
    journal = Journal(tmp_path / NAME)
    assert journal.patience("step-1") == 0
    journal.close()


def test_a_cap_needs_a_price(tmp_path):
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server, usd=5.0)
        with pytest.raises(InputError, match=r"the price of anthropic/nobodys-model is not known.*\$5.00"):
            ask_for(at, "anthropic/nobodys-model", 3)
        at = context(tmp_path, server)
        _, scribe, _ = ask_for(at, "anthropic/nobodys-model", 3)
        assert scribe.tally.dollars == 0
        assert any("not known: dollars are not counted" in line for line in at.progress.lines)
        (tmp_path / "prices.yaml").write_text("prices: [{models: [anthropic/nobodys-*], input: 1, output: 2}]\n")
        texts, scribe, _ = ask_for(context(tmp_path, server, usd=5.0), "anthropic/nobodys-model", 6)
        assert texts == expected(6)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("claude-opus-4-6", "names no provider"),
        ("nobody/some-model", "not recognized"),
        ("groq/llama", "pip install groq"),
        ("openai-api/harbour/model", "HARBOUR_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_asked_is_an_input_error_before_anything_is_made(model, match):
    with pytest.raises(InputError, match=match):
        check_writer(WriterConfig(model=model))


def test_a_missing_key_is_named(monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="ANTHROPIC_API_KEY"):
        check_writer(WriterConfig(model=CLAUDE))
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        check_writer(WriterConfig(model=GPT))
    check_writer(OFFLINE)


def test_a_secret_among_the_settings_is_refused():
    with pytest.raises(InputError, match="looks like a secret"):
        check_writer(WriterConfig(model=CLAUDE, args={"api_key": "sk-ant-1234567890"}))


def test_without_inspect_the_install_command_is_told(monkeypatch):
    monkeypatch.setattr("midspec.llm.desk.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install"):
        check_writer(WriterConfig(model=CLAUDE))
    check_writer(OFFLINE)


def test_importing_the_desk_loads_no_inspect():
    code = "import sys, midspec.llm.desk; sys.exit('inspect_ai' in sys.modules or 'sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("model", MODELS)
def test_in_batch_mode_requests_travel_in_jobs_at_half_the_price(tmp_path, model, monkeypatch):
    monkeypatch.setattr(batch, "BatchSettings", lambda: QUICK)
    with ProviderServer(Script(otherwise=answer), batch_seconds=0.3) as server:
        at = context(tmp_path, server, model, batch=True, concurrency=2)
        texts, scribe, _ = ask_for(at, model, 40, window=BATCH_WINDOW)
        assert texts == expected(40)
        assert len({entry.batch for entry in server.ledger.entries()}) == 1, "the requests did not share one job"
        assert server.ledger.entries()[0].batch
        assert len(journaled(tmp_path)) == 40
        journal = Journal(tmp_path / NAME)
        assert journal.spent("cheese") == pytest.approx(scribe.tally.dollars)
        journal.close()
        if model == CLAUDE:
            assert scribe.tally.dollars == pytest.approx(server.ledger.dollars())
        again, replayed, _ = ask_for(at, model, 40)
        assert again == texts and replayed.tally.replayed == 40
        assert begun_at_once.get() == WINDOW


def test_batch_jobs_of_an_earlier_run_are_collected_by_one_without_batch_mode(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "BatchSettings", lambda: QUICK)
    with ProviderServer(Script(otherwise=answer), batch_seconds=2.0) as server:

        async def interrupted(at) -> None:
            task = asyncio.create_task(documents(at, CLAUDE, 20))
            while not open_batches(tmp_path):
                await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait([task])

        at = context(tmp_path, server, batch=True)
        asyncio.run(interrupted(at))
        assert any("batch jobs, which go on" in line for line in at.progress.lines)
        texts, _, _ = ask_for(context(tmp_path, server), CLAUDE, 25)
        assert texts == expected(25)
        assert server.ledger.duplicates() == {}
        assert sum(bool(entry.batch) for entry in server.ledger.entries()) == 20


def open_batches(workspace) -> bool:
    if not (workspace / NAME).exists():
        return False
    journal = Journal(workspace / NAME)
    try:
        return any(job.job for job in open_jobs(journal))
    finally:
        journal.close()


def test_writer_and_judge_of_two_providers_have_their_batch_jobs_at_the_same_time(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "BatchSettings", lambda: QUICK)
    with ProviderServer(Script(otherwise=answer), batch_seconds=0.2) as server:
        at = context(tmp_path, server, batch=True, judge_url=server.openai_url)

        async def main():
            async with Desk(at) as desk:
                writer, judge = desk.scribe(WriterConfig(model=CLAUDE)), desk.scribe(WriterConfig(model=GPT), "judge")
                question = Question()
                return await asyncio.gather(
                    *(scribe.ask(question, {"user": str(n)}) for scribe in (writer, judge) for n in range(3))
                )

        assert asyncio.run(main()) == ["Answer to 0", "Answer to 1", "Answer to 2"] * 2
        assert len({entry.batch for entry in server.ledger.entries()}) == 2
