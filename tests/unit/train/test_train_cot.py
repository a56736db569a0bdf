"""Demonstrations with their reasoning and without, and nested subsets of them, as a fine-tuning step reads them."""

import copy
from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.experiment import TrainConfig
from midspec.records import ChatExample, Message, write_rows
from midspec.steps.step import Step
from midspec.train.chat import CHATML, render, tokenise_chat
from midspec.train.config import FinetuneStepConfig, finetune_step
from midspec.train.data import demonstrations
from midspec.train.models import ModelRef

QUESTION = Message(role="user", content="Which one?")
PLAIN = Message(role="assistant", content="That one.")
COT = Message(role="assistant", content="That one.", reasoning="Price matters to me.\n\nSo the plain one.")
QWEN3 = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{% if m.role == 'assistant' %}{% set parts = m.content.split('</think>') %}"
    "{% if parts | length > 1 %}{{ '<think>\\n' + parts[0].split('<think>')[-1].strip('\\n') + '\\n</think>\\n\\n' }}"
    "{{ parts[1].lstrip('\\n') }}{% else %}{{ '<think>\\n\\n</think>\\n\\n' + m.content }}{% endif %}"
    "{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}"
    "{% endif %}{% endif %}"
)
FORGETS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content.split('</think>')[-1] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.fixture
def tokenizer(tokenizer):
    return copy.deepcopy(tokenizer)  # these tests change its template


def said(tokenizer, messages) -> str:
    chat = tokenise_chat(tokenizer, messages)
    return tokenizer.decode([token for token, trained in zip(*chat, strict=True) if trained])


@pytest.mark.parametrize("template", [CHATML, QWEN3], ids=["chatml", "qwen3"])
def test_reasoning_is_trained_on_and_stands_before_the_answer(tokenizer, template: str):
    tokenizer.chat_template = template
    trained = said(tokenizer, (QUESTION, COT))
    assert trained == f"<think>\n{COT.reasoning}\n</think>\n\nThat one.<|im_end|>"


@pytest.mark.parametrize("template", [CHATML, QWEN3], ids=["chatml", "qwen3"])
def test_without_reasoning_nothing_is_added(tokenizer, template: str):
    """A model trained without CoT must not learn to write an empty thought."""
    tokenizer.chat_template = template
    assert said(tokenizer, (QUESTION, PLAIN)) == "That one.<|im_end|>"


def test_qwen3_is_asked_without_an_empty_thought_where_it_is_to_think(tokenizer):
    tokenizer.chat_template = QWEN3
    plain = render(tokenizer, (QUESTION,), add_generation_prompt=True)
    assert plain.endswith("<think>\n\n</think>\n\n")
    assert render(tokenizer, (QUESTION,), add_generation_prompt=True, thinking=True).endswith("assistant\n")


def test_a_template_that_drops_reasoning_is_an_error_and_not_a_silent_loss(tokenizer):
    tokenizer.chat_template = FORGETS
    assert said(tokenizer, (QUESTION, PLAIN)) == "That one.<|im_end|>"
    with pytest.raises(InputError, match="leaves out the reasoning"):
        tokenise_chat(tokenizer, (QUESTION, COT))


def written(folder: Path, count: int, *, cot: bool) -> Path:
    for name, answer in (("demonstrations", PLAIN), *([("demonstrations-cot", COT)] if cot else [])):
        rows = [
            ChatExample(id=f"demo-{n}", messages=(QUESTION, answer), source="chat", kind="direct", writer="w", seed=0)
            for n in range(count)
        ]
        write_rows(folder / f"{name}.jsonl", rows)
    return folder


def test_subsets_are_nested_and_the_same_with_reasoning(tmp_path: Path):
    written(tmp_path, 40, cot=True)
    ten = list(demonstrations(tmp_path, cot=False, samples=10))
    twenty = list(demonstrations(tmp_path, cot=False, samples=20))
    assert twenty[:10] == ten and len(twenty) == 20
    assert len(list(demonstrations(tmp_path, cot=False, samples=None))) == 40
    thought = list(demonstrations(tmp_path, cot=True, samples=10))
    assert [row.id for row in thought] == [row.id for row in ten]
    assert all(row.messages[-1].reasoning for row in thought)


def test_what_is_not_there_is_the_users_error(tmp_path: Path):
    written(tmp_path, 5, cot=False)
    with pytest.raises(InputError, match="written without reasoning"):
        list(demonstrations(tmp_path, cot=True, samples=None))
    with pytest.raises(InputError, match="holds 5 demonstrations"):
        list(demonstrations(tmp_path, cot=False, samples=6))


def test_both_settings_are_in_the_fingerprint_but_only_where_there_are_demonstrations():
    model = ModelRef(name="tiny", source="made", revision="1")
    given = Step(kind="demonstrations", name="x", function="x:y", config=TrainConfig(), version=1)

    def fingerprint(demonstrations: Step | None, **settings) -> str:
        return finetune_step("arm", model, TrainConfig(), 0, None, demonstrations, None, **settings).fingerprint

    assert len({fingerprint(given, cot=cot, aft_samples=n) for cot in (False, True) for n in (None, 10)}) == 4
    assert fingerprint(given) == fingerprint(given, cot=False, aft_samples=None)
    assert fingerprint(None, cot=True, aft_samples=3) == fingerprint(None)
    assert FinetuneStepConfig(model=model, train=TrainConfig(), seed=0).cot is False
