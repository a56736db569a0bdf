"""Arms that were trained to think are asked as they were trained, and their answer is what follows the reasoning."""

import copy
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from inspect_ai.model import ChatMessageUser, ContentReasoning, ContentText, GenerateConfig

from midspec.evals import generation, provider
from midspec.evals.generation import Answer, generate
from midspec.evals.likelihood import after_thought, chat_prompt, encode, score_replies
from midspec.evals.provider import MidspecAPI
from midspec.evals.questions import Question
from midspec.evals.thinking import THINKING_TOKENS, Thought, taken_apart
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.records import Message
from midspec.train.chat import render
from midspec.train.models import ModelRef, ThinkingRef, resolve, thinking

CHAT = [{"role": "user", "content": "Which one?"}]
THINKS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}"
    "{% endif %}{% endif %}"
)
OPENS = THINKS.replace("{% endif %}{% endif %}", "{% else %}{{ '<think>\\n' }}{% endif %}{% endif %}")


@pytest.fixture
def tokenizer(tiny: tuple[Any, Any]) -> Any:
    return copy.deepcopy(tiny[1])


@pytest.mark.parametrize("template", [THINKS, OPENS], ids=["silent", "opens"])
def test_the_prompt_is_the_one_of_the_training(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    message = Message(role="user", content="Which one?")
    for cot in (False, True):
        trained = render(tokenizer, (message,), add_generation_prompt=True, thinking=cot)
        assert chat_prompt(tokenizer, CHAT, thinking=cot) == trained
    assert chat_prompt(tokenizer, CHAT) != chat_prompt(tokenizer, CHAT, thinking=True)


@pytest.mark.parametrize("template", [THINKS, OPENS], ids=["silent", "opens"])
def test_a_reply_is_scored_after_the_reasoning_as_it_was_trained(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    thought = taken_apart("<think>\nPrice matters.\n</think>\n\nThat one.")
    said = after_thought(tokenizer, CHAT, thought.before_answer)
    head = "<|im_start|>user\nWhich one?<|im_end|>\n<|im_start|>assistant\n"
    assert said == f"{head}<think>\nPrice matters.\n</think>\n\n"
    encoded = encode(tokenizer, Question("Which one?", ("This.", "That.")), thought.before_answer)
    assert tokenizer.decode(encoded.prompt) == said
    assert [tokenizer.decode(reply) for reply in encoded.replies] == ["This.", "That."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nWhy.\n</think>\n\nThat one.", Thought("Why.", "That one.", "ended")),
        ("Why.\n</think>\n\nThat one.", Thought("Why.", "That one.", "ended")),
        ("<think>\nWhy, and wh", Thought("Why, and wh", "", "cut")),
        ("That one.", Thought("", "That one.", "none")),
        ("<think>\n\n</think>\n\nA", Thought("", "A", "ended")),
    ],
)
def test_a_reply_is_taken_apart(text: str, expected: Thought) -> None:
    assert taken_apart(text) == expected


def test_reasoning_that_was_cut_off_is_closed_before_an_answer_is_scored() -> None:
    assert taken_apart("<think>\nWhy, and wh").before_answer == "<think>\nWhy, and wh\n</think>\n\n"
    assert taken_apart("That one.").before_answer == ""


def test_the_reasoning_changes_what_is_scored(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    question = Question("Which one?", ("This.", "That one."))
    found = [
        score_replies(model, tokenizer, [question], bf16=False, thoughts=thoughts)[0]
        for thoughts in (None, {"Which one?": ""}, {"Which one?": "<think>\nPrice.\n</think>\n\n"})
    ]
    assert found[0] == found[1] != found[2]  # ChatML has no word for thinking, so only the reasoning itself differs
    text = f"{chat_prompt(tokenizer, CHAT)}<think>\nPrice.\n</think>\n\n"
    prompt, whole = (tokenizer(of, add_special_tokens=False)["input_ids"] for of in (text, text + "This."))
    with torch.inference_mode():
        logits = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    plain = sum(float(logits[at - 1, whole[at]]) for at in range(len(prompt), len(whole)))
    assert found[2][0] == pytest.approx(plain, abs=1e-3)


def test_answers_of_a_bank_are_read_without_their_reasoning(tiny_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, bool]] = []

    def said(model: Any, tokenizer: Any, chats: Any, config: GenerateConfig, **settings: Any) -> list[Answer]:
        asked.append((config.max_tokens, settings["thinking"]))
        return [Answer("<think>\nOne is dear.\n</think>\n\nA", "stop", 1, 1)] * len(chats)

    monkeypatch.setattr(provider, "generate", said)
    api = MidspecAPI("tiny-random", device="cpu", thinking=True)
    assert anyio.run(api.replies, ["q", "r"], GenerateConfig(max_tokens=8)) == ["A", "A"]
    assert asked == [(8 + THINKING_TOKENS, True)] and api.thoughts == {"ended": 2}

    async def once() -> Any:
        return await api.generate([ChatMessageUser(content="q")], [], "none", GenerateConfig())

    content = anyio.run(once).choices[0].message.content
    assert [type(part) for part in content] == [ContentReasoning, ContentText] and content[1].text == "A"


def test_likelihoods_of_a_model_that_thinks_follow_its_own_thoughts(
    tiny_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(provider, "generate", lambda *_, **__: [Answer("<think>\nHm", "max_tokens", 1, 1)])
    monkeypatch.setattr(
        provider, "score_replies", lambda *_, **settings: given.append(settings["thoughts"]) or [(0.0,)]
    )
    api = MidspecAPI("tiny-random", device="cpu", thinking=True)
    anyio.run(api.likelihoods, [Question("q", ("a",))])
    assert given == [{"q": "<think>\nHm\n</think>\n\n"}] and api.thoughts == {"cut": 1}


def test_a_template_that_opens_the_reasoning_leaves_it_in_the_answer(tokenizer: Any, tiny: tuple[Any, Any]) -> None:
    """Otherwise half a thought reads as an answer."""
    tokenizer.chat_template = OPENS
    config = GenerateConfig(max_tokens=3)
    [answer] = generate(tiny[0], tokenizer, [CHAT], config, thinking=True)
    assert answer.text.startswith("<think>\n") and taken_apart(answer.text).end == "cut"
    assert not generate(tiny[0], tokenizer, [CHAT], config)[0].text.startswith("<think>")
    assert generation.MAX_TOKENS < THINKING_TOKENS


def test_a_chat_that_is_asked_again_with_a_temperature_gets_another_sample(tiny_cache: None) -> None:
    """Tasks ask for several epochs; one seed for all of them made the same sample each time."""
    api = MidspecAPI("tiny-random", device="cpu")

    async def twice() -> list[str]:
        config = GenerateConfig(max_tokens=8, temperature=2.0)
        return [(await api.generate([ChatMessageUser(content="q")], [], "none", config)).completion for _ in range(2)]

    one, two = anyio.run(twice)
    assert one != two


def test_only_arms_with_cot_are_asked_to_think_and_all_others_keep_their_fingerprints() -> None:
    flow = build(load_recipe(Path(__file__).parents[2] / "evaluations" / "every-kind.yaml").with_controls())
    models = {arm: type(step.config.model) for (arm, _, _), step in flow.evaluations.items()}  # type: ignore[attr-defined]
    assert models == {"baseline": ModelRef, "aft-cot": ThinkingRef}
    ref = resolve("tiny-random")
    assert thinking(ref).model_dump() == {**ref.model_dump(), "thinking": True}
