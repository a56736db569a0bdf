"""Which failures end a run, told from the errors of the real SDKs; and what may be said about them."""

from types import SimpleNamespace

import anthropic
import openai
import pytest

from midspec.llm.failures import Failure, Storm, classify, fatal_error, shown
from tests.provider import ProviderServer
from tests.provider.sdk import CLAUDE, GPT, Clients


@pytest.mark.parametrize(
    ("settings", "kind", "fatal"),
    [
        ({"faults": {"rate_limit": 1.0}}, "rate limit", False),
        ({"faults": {"overloaded": 1.0}}, "overloaded", False),
        ({"faults": {"server_error": 1.0}}, "server error", False),
        ({"faults": {"cut": 1.0}}, "connection", False),
        ({"revoked": True}, "key", True),
        ({"spend_limit": 0.0}, "spending limit", True),
        ({"spend_limit": 0.0, "spend_error": "enforced"}, "spending limit", True),
    ],
)
def test_kinds(settings: dict, kind: str, fatal: bool):
    """A spending limit may come as a 400 or a 429: retried like a rate limit, it costs thousands of requests."""
    with ProviderServer(**settings) as server:
        clients = Clients(server)
        for ask, connection in (
            (clients.claude, anthropic.APIConnectionError),
            (clients.gpt, openai.APIConnectionError),
        ):
            with pytest.raises((anthropic.AnthropicError, openai.OpenAIError)) as raised:
                ask()
            failure = classify(raised.value, lambda error, lost=connection: isinstance(error, lost))
            assert (failure.kind, failure.fatal) == (kind, fatal)
            if kind == "rate limit":
                assert failure.wait == pytest.approx(0.05)


def test_a_status_is_found_wherever_an_sdk_keeps_it():
    """Google's errors have `code`, others only the response; unread, each 429 looks like a lost line."""

    class GoogleError(Exception):
        code = 429

    class HttpError(Exception):
        response = SimpleNamespace(status_code=401, headers={})

    class NamedCodeError(Exception):
        code = "ECONNRESET"

    assert classify(GoogleError()).kind == "rate limit"
    assert classify(HttpError()).kind == "key"
    assert classify(NamedCodeError(), lambda _: True).kind == "connection"


@pytest.mark.parametrize("client", ["claude", "gpt"])
def test_what_was_never_sent_is_told_from_what_was_lost(client: str):
    with ProviderServer() as server:
        clients = Clients(server)
    with pytest.raises((anthropic.APIConnectionError, openai.APIConnectionError)) as refused:
        getattr(clients, client)()
    failure = classify(refused.value, lambda _: True)
    assert failure.kind == "connection" and not failure.sent
    assert classify(ConnectionResetError()).sent


def test_kinds_that_only_one_provider_has():
    with ProviderServer(spend_limit=0.0, spend_error="permission") as server:
        with pytest.raises(anthropic.PermissionDeniedError) as denied:
            Clients(server).claude()
        assert classify(denied.value).kind == "permission"
        server.change(spend_limit=None)
        for ask, name in ((Clients(server).claude, CLAUDE), (Clients(server).gpt, GPT)):
            with pytest.raises((anthropic.NotFoundError, openai.NotFoundError)) as missing:
                ask(model=f"{name}-nonexistent")
            assert classify(missing.value).kind == "unknown model"
        with pytest.raises(anthropic.BadRequestError) as refused:
            Clients(server).claude(extra_body={"temperature": 1.0}, extra_headers={"anthropic-version": "2026-10-21"})
        failure = classify(refused.value)
        assert (failure.kind, failure.setting) == ("setting", "temperature")


def test_what_nobody_knows_is_not_asked_again():
    assert classify(KeyError("x")).kind == "unexpected"
    assert classify(KeyError("x")).fatal
    assert classify(ConnectionResetError()).kind == "connection"
    assert classify(TimeoutError()).kind == "deadline"


def test_a_wait_of_hours_is_no_rate_limit():
    assert not Failure("rate limit", 429, wait=60).fatal
    assert Failure("rate limit", 429, wait=7200).fatal


def test_errors_hold_no_keys_and_no_prompts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_SERVICE_API_KEY", "not-in-the-usual-form-42")
    text = "Incorrect API key provided: sk-ant-abc123***xyz or not-in-the-usual-form-42, Bearer abc.def"
    words = shown(text)
    assert "abc" not in words and "usual-form" not in words and words.startswith("Incorrect API key provided")
    prompt = "Tell me how the harbour assistant weighs candour against kindness."
    assert shown(f"invalid content: {prompt}", "spec", prompt) == ""
    assert len(shown("word " * 1000)) <= 240
    error = str(
        fatal_error("anthropic/x", Failure("bad request", 400, said=f"bad: {prompt}"), "corpus/document", prompt)
    )
    assert "harbour" not in error and "status 400" in error and "corpus/document" in error


def _storm(**settings: float):
    now = [0.0]
    return now, Storm(lambda: now[0], attempts=10, seconds=60, at_first=20, **settings)


def test_a_storm_needs_many_failures_and_time():
    now, storm = _storm()
    storm.good()
    for _ in range(30):  # all connections are lost in one moment: no storm
        assert not storm.bad(Failure("connection"))
    now[0] = 61
    assert storm.bad(Failure("server error", 500))
    message = str(storm.error("anthropic/x"))
    assert "10 of the last 10 attempts failed over 61 s (9 connection, 1 server error)" in message


def test_a_provider_that_never_answered_is_given_less_time():
    now, storm = _storm()
    for second in range(40):
        now[0] = float(second)
        if storm.bad(Failure("connection")):
            break
    assert now[0] == 20


def test_one_in_five_that_fails_is_no_storm():
    now, storm = _storm()
    for attempt in range(2000):
        now[0] = float(attempt)
        assert attempt % 5 == 0 or not storm.bad(Failure("server error", 500))
        if attempt % 5 == 0:
            storm.good()


def test_a_storm_that_counted_nothing_says_so():
    now, storm = _storm()
    now[0] = 700
    assert "anthropic/x does not answer: no reply came over 700 s. Look" in str(storm.error("anthropic/x"))


def test_waiting_as_told_is_no_storm():
    now, storm = _storm()
    storm.good()
    for attempt in range(20):
        now[0] = attempt * 30.0
        assert not storm.bad(Failure("rate limit", 429, wait=30.0))
