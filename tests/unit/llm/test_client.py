"""The client against a provider that misbehaves: every document comes, nothing is paid for twice, nothing is lost."""

import asyncio
import json
from dataclasses import replace

import pytest
from asking import (
    CLAUDE,
    GPT,
    MODELS,
    SYSTEM,
    Question,
    answer,
    ask_for,
    check_replies,
    context,
    expected,
    failures,
    journaled,
)
from pydantic import BaseModel, ConfigDict

from midspec.corpus.replies import SubdomainsReply
from midspec.errors import WriterError
from midspec.experiment import WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.prompt import Ask
from midspec.llm.provider import UNSTREAMED_TOKENS
from tests.provider import Faults, ProviderServer, Script
from tests.provider.faults import KINDS

STREAMED = {"max_tokens": UNSTREAMED_TOKENS + 1}


@pytest.mark.parametrize("model", MODELS)
def test_replies_come_from_the_server_once_and_from_the_journal_ever_after(tmp_path, model):
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server, model)
        texts, scribe, _ = ask_for(at, model)
        assert texts == expected(20)
        again, replayed, _ = ask_for(at, model)
        assert again == texts
        assert (scribe.tally.requests, scribe.tally.replayed) == (20, 0)
        assert (replayed.tally.requests, replayed.tally.replayed) == (20, 20)
        assert replayed.tally.dollars == pytest.approx(scribe.tally.dollars)
        assert replayed.tally.output_tokens == scribe.tally.output_tokens > 0
        assert server.ledger.statuses() == {200: 20}
        assert server.ledger.duplicates() == {}
        check_replies(tmp_path, server.ledger)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("model", "config"), [(CLAUDE, {}), (CLAUDE, STREAMED), (GPT, {})], ids=["claude", "stream", "gpt"]
)
def test_every_fault_is_survived(tmp_path, kind, model, config):
    """The peers of this client crash on one of them, keep what another spoiled, or wait half an hour for a third."""
    refused = kind in ("rate_limit", "overloaded", "stream_error")
    faults = Faults(probabilities={kind: 0.12 if refused else 0.3}, seed=3, hint_seconds=0.02, slow_start_seconds=0.1)
    with ProviderServer(Script(otherwise=answer), faults=faults) as server:
        at = context(tmp_path, server, model, deadline=0.5 if kind == "hang" else 20.0)
        texts, scribe, errors = ask_for(at, model, 30, config=config)
        assert (texts, errors) == (expected(30), [])
        assert server.ledger.duplicates() == {}
        check_replies(tmp_path, server.ledger)
        struck = server.ledger.faults()
        assert struck or kind in ("garbage", "wrong_verdict"), "the fault was never tried"
        before = len(server.ledger.entries())
        again, _, _ = ask_for(at, model, 30, config=config)
        assert again == texts
        assert len(server.ledger.entries()) == before, "a bad reply was paid for again"
        told = sum(scribe.tally.rejected.values()) + sum(failures(tmp_path).values())
        assert told >= sum(struck.values()) - struck["slow_start"] - struck["cut_silent"]


@pytest.mark.parametrize("model", MODELS)
def test_all_faults_at_once(tmp_path, model):
    faults = Faults.mixed(0.25, hint_seconds=0.02, slow_start_seconds=0.1)
    with ProviderServer(Script(otherwise=answer), faults=faults) as server:
        at = context(tmp_path, server, model, deadline=0.5, concurrency=20)
        texts, scribe, errors = ask_for(at, model, 200)
        assert (texts, errors) == (expected(200), [])
        assert server.ledger.duplicates() == {}
        check_replies(tmp_path, server.ledger)
        assert scribe.tally.dollars > 0


@pytest.mark.parametrize(
    ("kind", "config", "stop"),
    [
        ("max_tokens", {}, "max_tokens"),
        ("refusal", {}, "refusal"),
        ("cut_silent", STREAMED, "error"),
        ("empty", {}, "stop"),
    ],
)
def test_stop_reasons_are_read_strictly(tmp_path, kind, config, stop):
    with ProviderServer(Script(otherwise=answer), faults=Faults(probabilities={kind: 0.5}, seed=1)) as server:
        ask_for(context(tmp_path, server), CLAUDE, 10, config=config)
        bad = [text for reason, text in journaled(tmp_path) if reason == stop and "</document>" not in text]
        assert len(bad) == server.ledger.faults()[kind] > 0


def write(at, config: WriterConfig, *asks: Ask):
    async def main():
        async with Desk(at) as desk:
            writer = desk.scribe(config).writer
            return await asyncio.gather(*(writer.write(ask) for ask in asks), return_exceptions=True)

    return asyncio.run(main())


ONE = Ask("test/question", SYSTEM, "one", {}, 0)
CONFIG = WriterConfig(model=CLAUDE, max_tokens=1000)


def test_equal_requests_at_the_same_time_are_sent_once(tmp_path):
    with ProviderServer(Script(otherwise=answer), latency="0.2") as server:
        replies = write(context(tmp_path, server), CONFIG, *[ONE] * 5, replace(ONE, sample=1))
        assert len({reply.text for reply in replies}) == 1
        assert [reply.replayed for reply in replies] == [False, True, True, True, True, False]
        assert server.ledger.statuses() == {200: 2}
        assert server.ledger.duplicates() == {}, "the server cannot tell samples apart"


def test_who_asked_may_leave_and_the_reply_is_kept(tmp_path):
    async def main(at) -> None:
        async with Desk(at) as desk:
            task = asyncio.create_task(desk.scribe(CONFIG).writer.write(ONE))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    with ProviderServer(Script(otherwise=answer), latency="0.5") as server:
        at = context(tmp_path, server)
        asyncio.run(main(at))
        assert [text for _, text in journaled(tmp_path)] == ["<document>\nAnswer to one\n</document>"]
        assert write(at, CONFIG, ONE)[0].replayed
        assert server.ledger.statuses() == {200: 1}


def test_only_the_spec_is_cached_and_the_cache_is_filled_once(tmp_path):
    """Sent fifty at once into a cold cache, a long spec is written to it fifty times at 1.25 times the price."""
    spec = SYSTEM * 300
    with ProviderServer(Script(otherwise=answer), latency="0.05", cache_minimum=1024) as server:
        _, scribe, _ = ask_for(context(tmp_path, server, concurrency=20), CLAUDE, 40, system=spec)
        tally = scribe.tally
        assert tally.cache_write_tokens == pytest.approx(len(spec) / 4, rel=0.01)
        assert tally.cached_tokens == pytest.approx(39 * len(spec) / 4, rel=0.01)
        assert tally.input_tokens < 40 * 10
        assert tally.dollars == pytest.approx(server.ledger.dollars(), rel=1e-6)


def test_a_hanging_request_costs_its_deadline_and_no_more(tmp_path):
    with ProviderServer(Script(otherwise=answer), faults=Faults(probabilities={"hang": 0.2}, seed=2)) as server:
        begun = asyncio.new_event_loop().time()
        texts, _, _ = ask_for(context(tmp_path, server, deadline=0.4), CLAUDE, 30)
        assert texts == expected(30)
        assert failures(tmp_path) == {"deadline": server.ledger.faults()["hang"]}
        assert asyncio.new_event_loop().time() - begun < 15


def test_a_request_that_never_gets_through_is_given_up_and_the_others_are_not(tmp_path):
    async def stubborn(request):
        if request.user == "question 3":
            raise KeyError("this one always breaks the server")
        return answer(request)

    with ProviderServer(stubborn) as server:
        texts, _, errors = ask_for(context(tmp_path, server, concurrency=2), CLAUDE, 40)
        assert set(texts) == set(range(40)) - {3}
        assert len(errors) == 1 and isinstance(errors[0], WriterError)
        assert "12 attempts; last: server error" in str(errors[0])


def test_temperature_that_a_provider_takes_no_more_is_left_out_recorded_and_told_once(tmp_path):
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server)
        write(at, CONFIG, ONE, replace(ONE, sample=1))
        assert [line for line in at.progress.lines if "temperature" in line] == [
            "  anthropic/claude-opus-4-6 takes no temperature 1.0: it is asked without, and the journal says so"
        ]
        # As it was sent, so is it found: another temperature is the same request.
        assert write(at, CONFIG.model_copy(update={"temperature": 0.5}), ONE)[0].replayed
        assert not write(at, CONFIG.model_copy(update={"max_tokens": 900}), ONE)[0].replayed


def test_a_setting_that_is_refused_is_left_out_from_then_on(tmp_path, monkeypatch):
    from tests.provider import openai_api
    from tests.provider.engine import FailureError

    real = openai_api.parse

    def refuses(body, headers, ttl):
        if "temperature" in body:
            raise FailureError("invalid", "Unsupported value: 'temperature' does not support 0.7 with this model.")
        return real(body, headers, ttl)

    monkeypatch.setattr(openai_api, "parse", refuses)
    with ProviderServer(Script(otherwise=answer)) as server:
        at = context(tmp_path, server, GPT, concurrency=2)
        config = WriterConfig(model=GPT, max_tokens=1000, temperature=0.7, top_p=0.9)
        replies = write(at, config, *(replace(ONE, sample=sample) for sample in range(6)))
        assert all(reply.text.startswith("<document>") for reply in replies)
        assert [line for line in at.progress.lines if "takes no" in line] == [
            "  openai/gpt-4o takes no temperature 0.7: it is asked without, and the journal says so"
        ]
        assert server.ledger.statuses() == {200: 6}
        assert write(at, config, ONE)[0].replayed


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")
    plan: str
    document: str


@pytest.mark.parametrize("model", MODELS)
def test_a_schema_is_asked_for_where_the_recipe_says_so(tmp_path, model):
    seen = []

    def held(request):
        form = request.settings.get("response_format") or request.settings.get("output_format")
        seen.append(form)
        return '{"plan": "p", "document": "d"}' if form else answer(request)

    ask = replace(ONE, schema=Document)
    with ProviderServer(Script(otherwise=held)) as server:
        at = context(tmp_path, server, model)
        plain = WriterConfig(model=model, max_tokens=1000)
        assert write(at, plain, ask)[0].text.startswith("<document>")
        assert write(at, plain.model_copy(update={"structured": True}), ask)[0].text == '{"plan": "p", "document": "d"}'
    assert seen[0] is None
    assert '"document"' in str(seen[1]).replace("'", '"') and "plan" in str(seen[1])


@pytest.mark.parametrize("model", MODELS)
def test_a_schema_leaves_no_room_for_further_fields_at_any_depth(tmp_path, model):
    """OpenAI and Anthropic refuse an open object; a small model fills it until its reply is cut."""
    seen = []

    def held(request):
        seen.append(request.settings.get("response_format") or request.settings.get("output_format"))
        return '{"plan": "p", "document": "d"}'

    with ProviderServer(Script(otherwise=held)) as server:
        settings = WriterConfig(model=model, max_tokens=1000, structured=True)
        write(context(tmp_path, server, model), settings, replace(ONE, schema=SubdomainsReply))
    assert '"passage_number"' in json.dumps(seen[0])
    objects = [part for part in parts_of(seen[0]) if part.get("type") == "object"]
    assert [part.get("additionalProperties") for part in objects] == [False, False]


def parts_of(value):
    """All objects within a JSON value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else ()), *(part for entry in inside for part in parts_of(entry))]


def test_the_pace_holds_where_requests_are_limited(tmp_path):
    with ProviderServer(Script(otherwise=answer), requests_per_minute=1200) as server:
        texts, _, _ = ask_for(context(tmp_path, server, concurrency=50), CLAUDE, 200, window=1000)
        assert texts == expected(200)
        refused = server.ledger.statuses()[429]
        assert refused <= 60, f"{refused} refusals for 200 requests"


def test_a_question_has_its_stage_and_an_offline_double_none():
    assert Question(stage=3).ask({"user": "x"}).stage == 3
