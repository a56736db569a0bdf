"""Both protocols as the real SDKs read them: messages, streams, batches, prompt caches, models."""

import json
import time
from typing import Any

import anthropic
import pytest

from tests.provider import Price, ProviderServer, Script
from tests.provider.caching import PromptCache
from tests.provider.ledger import dollars
from tests.provider.request import Block, Request, tokens
from tests.provider.sdk import CLAUDE, GPT, Clients

SPEC = "The harbour assistant is candid, because people decide better when they know. " * 80


def test_messages_say_what_the_script_says(clients: Clients) -> None:
    with ProviderServer(Script(("colour", "blue"), ("echo", lambda r: r.user.upper()), otherwise="what?")) as server:
        both = Clients(server)
        assert [b.text for b in both.claude("Which colour?").content] == ["blue"]
        assert both.gpt("echo this").choices[0].message.content == "ECHO THIS"
        message = both.claude("?")
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens == tokens("what?")
        entries = server.ledger.entries()
        assert [(e.api, e.status, e.fault, e.stream) for e in entries] == [
            ("anthropic", 200, None, False),
            ("openai", 200, None, False),
            ("anthropic", 200, None, False),
        ]


def test_streams_add_up_to_the_message(clients: Clients) -> None:
    messages: Any = [{"role": "user", "content": "Tell me a story"}]
    clients.server.change(latency="0.2")
    start = time.perf_counter()
    with clients.anthropic.messages.stream(model=CLAUDE, max_tokens=999, messages=messages) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(texts) > 3
    assert time.perf_counter() - start > 0.18
    assert message.content[0].text == "".join(texts)
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", tokens("".join(texts)))

    chunks = list(
        clients.openai.chat.completions.create(
            model=GPT, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens == tokens(text)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def test_limits_of_length_and_stop_sequences(clients: Clients) -> None:
    message = clients.claude("Tell me a story", max_tokens=5)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)
    assert clients.gpt("Tell me a story", max_tokens=5).choices[0].finish_reason == "length"
    with ProviderServer(Script(otherwise="one END two")) as server:
        message = Clients(server).claude(stop_sequences=["END"])
        assert (message.content[0].text, message.stop_reason, message.stop_sequence) == (
            "one ",
            "stop_sequence",
            "END",
        )


def test_malformed_requests_are_refused_as_the_real_api_does(clients: Clients) -> None:
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        clients.claude(extra_body={"temperature": 1.0})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        clients.claude(max_tokens=0)
    with pytest.raises(anthropic.NotFoundError):
        clients.claude(model="claude-nonexistent")
    marked: Any = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    with pytest.raises(anthropic.BadRequestError, match="maximum of 4"):
        clients.claude(system=[marked] * 5)


def test_the_prompt_cache_is_keyed_by_prefix_and_charged(clients: Clients) -> None:
    system: Any = [{"type": "text", "text": SPEC, "cache_control": {"type": "ephemeral"}}]
    first, second = clients.claude("One", system=system).usage, clients.claude("Two", system=system).usage
    spec = tokens(SPEC)
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens, first.input_tokens) == (spec, 0, 1)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens, second.input_tokens) == (0, spec, 1)
    one, two = clients.server.ledger.entries()[-2:]
    assert one.dollars == pytest.approx((1.25 * spec + 1) * 5e-6 + one.output * 25e-6)
    assert two.dollars == pytest.approx((0.1 * spec + 1) * 5e-6 + two.output * 25e-6)
    other: Any = [{**system[0], "text": "!" + SPEC}]
    assert clients.claude("Two", system=other).usage.cache_read_input_tokens == 0
    short: Any = [{**system[0], "text": "short"}]
    assert clients.claude("Two", system=short).usage.cache_creation_input_tokens == 0

    messages: Any = [{"role": "system", "content": SPEC}]
    cached = []
    for prompt in ("One", "Two"):
        turns = [*messages, {"role": "user", "content": prompt}]
        usage = clients.openai.chat.completions.create(model=GPT, messages=turns).usage
        assert usage and usage.prompt_tokens == spec + 1 and usage.prompt_tokens_details
        cached.append(usage.prompt_tokens_details.cached_tokens)
    assert cached == [0, spec // 128 * 128]


def test_a_prefix_can_be_read_after_the_first_token_and_until_it_expires() -> None:
    clock = [0.0]
    cache = PromptCache(minimum=10, ttl=300, clock=lambda: clock[0])

    def use(question: str) -> tuple[int, int]:
        blocks = [Block("system", "s" * 400, 300.0), Block("user", question)]
        use = cache.use(Request(api="anthropic", model="m", blocks=blocks), first_token=2.0)
        return use.read, use.written

    assert use("a") == (0, 100)
    assert use("b") == (0, 100), "sent at the same moment: both pay for the write"
    clock[0] = 2.5
    assert use("c") == (100, 0)
    clock[0] = 290.0
    assert use("d") == (100, 0), "a read keeps the entry alive"
    clock[0] = 580.0
    assert use("e") == (100, 0)
    clock[0] = 900.0
    assert use("f") == (0, 100)


def test_an_earlier_breakpoint_is_found_looking_back() -> None:
    cache = PromptCache(minimum=10)
    system, turn = Block("system", "s" * 400), Block("user", "u" * 40, 300.0)
    first = Request(api="anthropic", model="m", blocks=[system, turn])
    assert cache.use(first, 0.0).written == 110
    grown = [system, Block("user", "u" * 40), Block("assistant", "a" * 40), Block("user", "v" * 40, 300.0)]
    assert cache.use(Request(api="anthropic", model="m", blocks=grown), 0.0)[1:3] == (110, 20)


def test_prices_of_batch_and_cache_multiply() -> None:
    from tests.provider.caching import CacheUse

    assert dollars(Price(10, 100), CacheUse(1, 10, 8, 5), 1, batch=True) == pytest.approx(
        (1 + 1 + 10 + 10) * 5e-6 + 50e-6
    )


def wait_for(look: Any, done: Any) -> Any:
    """Poll until `done(look())`."""
    end = time.monotonic() + 10
    while not done(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.05)
    return seen


def test_message_batches(clients: Clients) -> None:
    batches = clients.anthropic.messages.batches
    params: Any = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": "In a batch"}]}
    clients.server.change(faults={"refusal": 0.4}, batch_seconds=0.3)
    made = batches.create(
        requests=[{"custom_id": f"r{i}", "params": {**params, "max_tokens": 50 + i}} for i in range(9)]
    )
    assert (made.processing_status, made.results_url, made.request_counts.processing) == ("in_progress", None, 9)
    done = wait_for(lambda: batches.retrieve(made.id), lambda b: b.processing_status == "ended")
    assert done.request_counts.succeeded == 9
    results = {line.custom_id: line.result for line in batches.results(made.id)}
    assert set(results) == {f"r{i}" for i in range(9)}
    assert {r.message.stop_reason for r in results.values()} == {"max_tokens", "refusal"}
    assert made.id in [b.id for b in batches.list(limit=1)]
    entries = [e for e in clients.server.ledger.entries() if e.batch == made.id]
    assert [e.fault for e in entries].count(None) < 9
    assert entries[0].dollars == pytest.approx((entries[0].input * 5e-6 + entries[0].output * 25e-6) / 2)


def test_a_message_batch_ends_with_every_kind_of_result(clients: Clients) -> None:
    batches = clients.anthropic.messages.batches
    params: Any = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    clients.server.change(faults={"hang": 0.3, "server_error": 0.3}, batch_seconds=1.6)
    requests: Any = [{"custom_id": f"r{i}", "params": {**params, "max_tokens": 50 + i}} for i in range(40)]
    made = batches.create(requests=requests)
    time.sleep(0.6)
    assert batches.cancel(made.id).processing_status == "canceling"
    done = wait_for(lambda: batches.retrieve(made.id), lambda b: b.processing_status == "ended")
    kinds = {line.result.type for line in batches.results(made.id)}
    assert kinds == {"succeeded", "errored", "expired", "canceled"}
    counts = done.request_counts
    assert counts.succeeded + counts.errored + counts.expired + counts.canceled == 40


def test_openai_batches(clients: Clients) -> None:
    sdk = clients.openai
    body = {"model": GPT, "messages": [{"role": "user", "content": "In a batch"}]}
    lines = [
        {"custom_id": f"r{i}", "method": "POST", "url": "/v1/chat/completions", "body": {**body, "seed": i}}
        for i in range(20)
    ]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    clients.server.change(faults={"hang": 0.2, "server_error": 0.2})
    file = sdk.files.create(file=("in.jsonl", data), purpose="batch")
    assert file.bytes == len(data)
    made = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    done = wait_for(
        lambda: sdk.batches.retrieve(made.id), lambda b: b.status not in ("validating", "in_progress", "finalizing")
    )
    assert done.status == "expired"
    good = [json.loads(line) for line in sdk.files.content(done.output_file_id).text.splitlines()]
    bad = [json.loads(line) for line in sdk.files.content(done.error_file_id).text.splitlines()]
    assert len(good) + len(bad) == 20
    assert (done.request_counts.completed, done.request_counts.failed) == (len(good), len(bad))
    assert good[0]["response"]["body"]["choices"][0]["finish_reason"] == "stop"
    assert {(line["error"] or {}).get("code") for line in bad} == {None, "batch_expired"}
    assert made.id in [b.id for b in sdk.batches.list()]


def test_models_and_token_counts(clients: Clients) -> None:
    assert CLAUDE in [m.id for m in clients.anthropic.models.list()]
    assert GPT in [m.id for m in clients.openai.models.list()]
    counted = clients.anthropic.messages.count_tokens(model=CLAUDE, messages=[{"role": "user", "content": "x" * 40}])
    assert counted.input_tokens == 10
