"""Inspect AI's own providers against the server: what midspec's client builds on."""

import asyncio
from typing import Any

import pytest
from inspect_ai._util.content import ContentText
from inspect_ai.model import BatchConfig, ChatMessageSystem, ChatMessageUser, GenerateConfig, Model, get_model

from tests.provider import KEY, ProviderServer, Script
from tests.provider.request import tokens

SPEC = "The harbour assistant is candid, because people decide better when they know. " * 80
NAMES = ["anthropic/claude-opus-4-6", "openai/gpt-4o"]


def model(server: ProviderServer, name: str, **config: Any) -> Model:
    url = server.url if name.startswith("anthropic") else server.openai_url
    return get_model(name, base_url=url, api_key=KEY, memoize=False, config=GenerateConfig(**config))


def messages(question: str) -> list[Any]:
    system = ChatMessageSystem(content=[ContentText(text=SPEC, cache_breakpoint=True)])
    return [system, ChatMessageUser(content=question)]


@pytest.mark.parametrize("name", NAMES)
def test_generate_with_cached_usage(name: str) -> None:
    async def ask() -> None:
        asked = model(server, name, max_tokens=100)
        await asked.generate(messages("one"))
        output = await asked.generate(messages("two"))
        assert (output.completion, output.stop_reason) == ("Hello", "stop")
        usage = output.usage
        assert usage
        cached = tokens(SPEC) if name.startswith("anthropic") else tokens(SPEC) // 128 * 128
        assert (usage.input_tokens_cache_read, usage.output_tokens) == (cached, 2)
        assert usage.input_tokens == tokens(SPEC) - cached + 1

    with ProviderServer(Script(otherwise="Hello")) as server:
        asyncio.run(ask())
        assert server.ledger.statuses() == {200: 2}


@pytest.mark.parametrize("name", NAMES)
def test_generate_in_a_batch(name: str) -> None:
    async def ask() -> list[str]:
        batch = BatchConfig(size=4, send_delay=0.1, tick=0.05)
        asked = model(server, name, max_tokens=100, batch=batch)
        outputs = await asyncio.gather(*(asked.generate(messages(f"number {i}")) for i in range(4)))
        return [output.completion for output in outputs]

    with ProviderServer(Script(otherwise=lambda r: r.user), batch_seconds=0.1) as server:
        assert asyncio.run(ask()) == [f"number {i}" for i in range(4)]
        assert len({entry.batch for entry in server.ledger.entries()} - {""}) == 1


def test_a_silently_cut_stream_has_no_known_stop_reason() -> None:
    """Inspect raises nothing: the client must not take `unknown` for an answer."""

    async def ask() -> str:
        return (await model(server, NAMES[0], max_tokens=9000).generate("Tell me a long story")).stop_reason

    with ProviderServer(faults={"cut_silent": 1.0}) as server:
        assert asyncio.run(ask()) == "unknown"
