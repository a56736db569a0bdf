"""The model provider outside our own tasks."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model

from midspec.errors import InputError
from midspec.evals.generation import generate
from midspec.evals.provider import MidspecAPI
from midspec.evals.questions import Question

CHATS = [[{"role": "user", "content": "Hello" * n}] for n in (3, 1, 2)]


def test_generation_is_greedy_unless_asked_and_repeats(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    greedy = generate(model, tokenizer, CHATS, GenerateConfig(max_tokens=6))
    assert greedy == generate(model, tokenizer, CHATS, GenerateConfig(max_tokens=6, temperature=0.0, seed=5))
    sampled = [
        generate(model, tokenizer, CHATS, GenerateConfig(max_tokens=6, temperature=2.0, seed=seed))
        for seed in (1, 1, 2)
    ]
    assert sampled[0] == sampled[1]
    assert sampled[0] != sampled[2]


def test_a_batch_gives_what_each_chat_gives_alone(tiny: tuple[Any, Any]) -> None:
    """Left padding that is attended to changes answers of the shorter prompts only."""
    model, tokenizer = tiny
    config = GenerateConfig(max_tokens=6)
    together = generate(model, tokenizer, CHATS, config, bf16=False)
    assert together == [generate(model, tokenizer, [chat], config, bf16=False)[0] for chat in CHATS]


def test_a_cut_answer_says_so(tiny: tuple[Any, Any]) -> None:
    [answer] = generate(*tiny, CHATS[:1], GenerateConfig(max_tokens=2))
    assert answer.output_tokens <= 2
    assert answer.stop_reason == ("max_tokens" if answer.output_tokens == 2 else "stop")
    assert answer.input_tokens > 15


def test_ordinary_generate_works_with_any_chat(tiny_cache: None) -> None:
    model = get_model("midspec/tiny-random", memoize=False, device="cpu", config=GenerateConfig(max_tokens=4))
    output = anyio.run(model.generate, [ChatMessageSystem(content="Be brief."), ChatMessageUser(content="Hi")])
    assert output.usage is not None
    assert output.usage.output_tokens <= 4


def test_one_pass_serves_all_callers_and_a_failure_reaches_all(
    tiny_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample asks for the whole data set: scored each time, 400 samples would take 400 passes."""
    calls: list[int] = []

    def count(*_: Any, **__: Any) -> list[tuple[float, ...]]:
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("broken")
        return [(-1.0, -2.0)]

    monkeypatch.setattr("midspec.evals.provider.score_replies", count)

    async def many(api: MidspecAPI, prompt: str, results: list[Any]) -> None:
        async def one() -> None:
            try:
                results.append(await api.likelihoods([Question(prompt, ("a", "b"))]))
            except ValueError as error:
                results.append(str(error))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)

    api, results = MidspecAPI("tiny-random", device="cpu"), []
    anyio.run(many, api, "good", results)
    assert results == [[(-1.0, -2.0)]] * 5
    results.clear()
    anyio.run(many, api, "bad", results)
    assert results == ["broken"] * 5
    assert len(calls) == 2


def test_bad_arguments_are_named(tiny_cache: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="precision 'fp8'"):
        MidspecAPI("tiny-random", precision="fp8")
    with pytest.raises(InputError, match="no-such folder"):
        MidspecAPI("no-such folder/at all")
