"""Each fault as the SDK of the client shows it, and fixed by seed, request and occurrence."""

import re
import time
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.provider import KEY, Faults, ProviderServer, Script
from tests.provider.faults import DECLINES, KINDS, REPLY_FAULTS, spoil
from tests.provider.sdk import CLAUDE, GPT, Clients

TAGGED = "<scratchpad>\nthink\n</scratchpad>\n<document>\nA boat came in.\n</document>"
JSON = '<json>\n{"ideas": ["one", "two"], "verdict": "INCLUDE"}\n</json>'


@pytest.mark.parametrize(
    ("kind", "claude", "gpt"),
    [
        ("rate_limit", anthropic.RateLimitError, openai.RateLimitError),
        ("overloaded", anthropic._exceptions.OverloadedError, openai.InternalServerError),
        ("server_error", anthropic.InternalServerError, openai.InternalServerError),
        ("cut", anthropic.APIConnectionError, openai.APIConnectionError),
        ("hang", anthropic.APITimeoutError, openai.APITimeoutError),
    ],
)
def test_faults_that_are_exceptions(clients: Clients, kind: str, claude: type[Exception], gpt: type[Exception]) -> None:
    clients.server.change(faults={kind: 1.0})
    with pytest.raises(claude):
        clients.claude(timeout=0.4)
    with pytest.raises(gpt):
        clients.gpt(timeout=0.4)
    time.sleep(0.1)
    entries = clients.server.ledger.entries()[-2:]
    assert [e.fault for e in entries] == [kind, kind]
    assert not any(e.good for e in entries)
    assert all((e.status == 499) == (kind == "hang") for e in entries)


def test_faults_in_the_middle_of_a_stream(clients: Clients) -> None:
    def claude() -> Any:
        messages: Any = [{"role": "user", "content": "Go"}]
        with clients.anthropic.messages.stream(model=CLAUDE, max_tokens=99, messages=messages) as stream:
            return stream.get_final_message()

    def gpt() -> list[Any]:
        messages: Any = [{"role": "user", "content": "Go"}]
        return list(clients.openai.chat.completions.create(model=GPT, messages=messages, stream=True))

    clients.server.change(faults={"cut": 1.0})
    with pytest.raises(httpx2.RemoteProtocolError):
        claude()
    with pytest.raises(openai.APIConnectionError):
        gpt()
    clients.server.change(faults={"stream_error": 1.0})
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        claude()
    with pytest.raises(openai.APIError, match="overloaded"):
        gpt()
    # The trap: no exception at all, half a text, and no stop reason.
    clients.server.change(faults={"cut_silent": 1.0})
    message = claude()
    assert message.content[0].text and message.stop_reason is None
    assert [c.choices[0].finish_reason for c in gpt() if c.choices][-1] is None


def test_replies_that_must_not_be_used(clients: Clients) -> None:
    with ProviderServer(Script(otherwise=TAGGED), faults={"max_tokens": 1.0}) as server:
        both = Clients(server)
        message = both.claude()
        assert message.stop_reason == "max_tokens"
        assert TAGGED.startswith(message.content[0].text) and len(message.content[0].text) < len(TAGGED)
        assert both.gpt().choices[0].finish_reason == "length"
        server.change(faults={"refusal": 1.0})
        message = both.claude()
        assert (message.stop_reason, message.stop_details and message.stop_details.type) == ("refusal", "refusal")
        assert both.gpt().choices[0].finish_reason == "content_filter"
        server.change(faults={"empty": 1.0})
        assert both.claude().content == []
        assert both.gpt().choices[0].message.content == ""
        server.change(faults={"missing_tag": 1.0})
        assert both.gpt().choices[0].message.content == TAGGED.removesuffix("</document>")
        # A kind that finds nothing to spoil leaves the reply good, and says so.
        server.change(faults={"garbage": 1.0})
        assert both.gpt().choices[0].message.content == TAGGED
        assert server.ledger.entries()[-1].good
        assert [e.good for e in server.ledger.entries()] == [False] * 7 + [True]


@pytest.mark.parametrize("roll", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", REPLY_FAULTS)
def test_spoiled_replies_fail_a_strict_parser(kind: str, roll: float) -> None:
    def document(text: str) -> str:
        found = re.findall(r"<document>(.+?)</document>", text, re.DOTALL)
        if len(found) != 1 or "scratchpad>" in found[0] or found[0].strip() in DECLINES:
            raise ValueError("not one document")
        return found[0]

    spoiled = spoil(kind, TAGGED, roll)
    if kind in ("garbage", "wrong_verdict"):
        assert spoiled == TAGGED
        assert spoil(kind, JSON, roll) != JSON
    else:
        document(TAGGED)
        with pytest.raises(ValueError, match="not one document"):
            document(spoiled)


@pytest.mark.parametrize(
    ("text", "spoiled"),
    [
        ("YES", "yesterday"),
        ("I weighed it.\n<verdict>NO</verdict>", "I weighed it.\n<verdict>note</verdict>"),
        ('{"verdict": "INCLUDE"}', '{"verdict": "NOT INCLUDE"}'),
        ("Verdict: pass", "Verdict: passable"),
        ("There is no reason to say yes or no to it.", "There is no reason to say yes or no to it."),
    ],
)
def test_wrong_verdicts(text: str, spoiled: str) -> None:
    assert spoil("wrong_verdict", text, 0.5) == spoiled


def test_an_error_in_the_script_is_a_500_with_its_own_mark(capfd: pytest.CaptureFixture[str]) -> None:
    with ProviderServer(Script(otherwise=lambda request: str(1 / 0))) as server:
        with pytest.raises(anthropic.InternalServerError):
            Clients(server).claude()
        assert [(e.status, e.fault) for e in server.ledger.entries()] == [(500, "script")]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_slow_start_is_late_and_good(clients: Clients) -> None:
    clients.server.change(faults=Faults(probabilities={"slow_start": 1.0}, slow_start_seconds=0.3))
    start = time.perf_counter()
    assert clients.claude().stop_reason == "end_turn"
    assert time.perf_counter() - start > 0.28
    assert clients.server.ledger.entries()[-1].good


def test_draws_are_fixed_and_as_frequent_as_asked() -> None:
    faults = Faults.mixed(0.5, seed=3)
    drawn = [faults.draw(f"{i:032x}", 0) for i in range(20000)]
    assert drawn == [Faults.mixed(0.5, seed=3).draw(f"{i:032x}", 0) for i in range(20000)]
    assert drawn != [faults.draw(f"{i:032x}", 1) for i in range(20000)]
    for kind in KINDS:
        assert drawn.count(kind) == pytest.approx(10000 / len(KINDS), rel=0.2)
    with pytest.raises(ValueError, match="unknown faults"):
        Faults(probabilities={"gremlins": 0.1})
    with pytest.raises(ValueError, match="at most 1"):
        Faults(probabilities={"cut": 0.6, "hang": 0.6})


def test_sdk_waits_as_long_as_the_hint_says(clients: Clients) -> None:
    # Refilled every 2 s; of its own the SDK would be back after half a second.
    patient = anthropic.Anthropic(base_url=clients.server.url, api_key=KEY, max_retries=1)
    clients.server.change(requests_per_minute=30, burst=1)
    clients.claude("first")
    patient.messages.create(model=CLAUDE, max_tokens=9, messages=[{"role": "user", "content": "second"}])
    _, refused, answered = clients.server.ledger.entries()[-3:]
    assert (refused.status, answered.status) == (429, 200)
    assert answered.arrived - refused.arrived > 1.0
    assert answered.occurrence == 0, "what the rate limit turns away counts as never asked"


def test_empty_purse_and_revoked_key(clients: Clients) -> None:
    clients.server.change(spend_limit=1e-9)
    clients.claude()
    with pytest.raises(anthropic.BadRequestError, match="credit balance is too low"):
        clients.claude()
    with pytest.raises(openai.RateLimitError, match="exceeded your current quota") as quota:
        clients.gpt()
    assert quota.value.code == "insufficient_quota"
    clients.server.change(spend_limit=0.0, spend_error="permission")
    with pytest.raises(anthropic.PermissionDeniedError):
        clients.claude()
    clients.server.change(spend_error="enforced")
    with pytest.raises(anthropic.RateLimitError) as enforced:
        clients.claude()
    assert enforced.value.error_code == "enforced_spend_limit_reached"
    clients.server.change(spend_limit=None, revoked=True)
    with pytest.raises(anthropic.AuthenticationError):
        clients.claude()
    with pytest.raises(openai.AuthenticationError):
        clients.gpt()
    assert KEY not in clients.server.ledger.path.read_text()


def test_faults_of_batch_endpoints(clients: Clients) -> None:
    params: Any = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    batches = clients.anthropic.messages.batches
    clients.server.change(faults={"batch_error": 1.0})
    with pytest.raises(anthropic.InternalServerError):
        batches.create(requests=[{"custom_id": "a", "params": params}])
    clients.server.change(faults={"batch_cut": 1.0}, batch_seconds=0.05)
    made = batches.create(requests=[{"custom_id": f"r{i}", "params": params} for i in range(9)])
    time.sleep(0.4)
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        list(batches.results(made.id))
