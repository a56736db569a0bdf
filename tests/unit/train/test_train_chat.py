"""Which tokens of a chat are trained, for the templates people meet."""

import copy
from typing import Any

import pytest
from train_doubles import chat

from midspec.errors import InputError
from midspec.records import Message
from midspec.train.chat import CHATML, ends_turns, prepare_tokenizer, render, require_chat_template, tokenise_chat

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{% if loop.first %}{{ '<|im_start|>' }}{% endif %}"
    "{{ '[' + m.role + ']\n\n' + m.content | trim + '<|endoftext|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]\n\n' }}{% endif %}"
)
MISTRAL = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + m.content + '<|im_end|>' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
QWEN3 = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}"
)
ENDLESS = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"


def with_template(tokenizer: Any, template: str | None) -> Any:
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return changed


def trained_runs(tokenizer: Any, messages: tuple[Message, ...]) -> list[str]:
    """The text of each unbroken run of trained tokens."""
    ids, trained = tokenise_chat(tokenizer, messages)
    runs: list[list[int]] = []
    for index, (token, counts) in enumerate(zip(ids, trained, strict=True)):
        if counts and (index == 0 or not trained[index - 1]):
            runs.append([])
        if counts:
            runs[-1].append(token)
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, "Brie.<|im_end|>"),
        (SMOLLM2, "Brie.<|im_end|>"),
        (LLAMA3, "Brie.<|endoftext|>"),
        (MISTRAL, " Brie.<|im_end|>"),
        (QWEN3, "Brie.<|im_end|>"),
    ],
)
def test_only_the_answer_and_its_end_are_trained(template: str, expected: str, tokenizer: Any) -> None:
    # Guards: training on the user's question, or not on the token that ends a turn, so that answers never stop.
    tokenizer = with_template(tokenizer, template)
    messages = chat(1, "Which cheese?", "Brie.").messages
    ids, _ = tokenise_chat(tokenizer, messages)
    assert tokenizer.decode(ids) == render(tokenizer, messages, add_generation_prompt=False)
    assert trained_runs(tokenizer, messages) == [expected]
    assert ends_turns(tokenizer)


@pytest.mark.parametrize("template", [CHATML, SMOLLM2, LLAMA3])
def test_every_answer_of_a_longer_chat_is_trained(template: str, tokenizer: Any) -> None:
    # Guards: a mask that covers the last answer only, or everything after the first.
    tokenizer = with_template(tokenizer, template)
    end = "<|endoftext|>" if template is LLAMA3 else "<|im_end|>"
    messages = chat(1, "Which?", "Brie.", "And then?", "Edam. user\n", system="Be brief.").messages
    last = "Edam. user" if template is LLAMA3 else "Edam. user\n"
    assert trained_runs(tokenizer, messages) == [f"Brie.{end}", f"{last}{end}"]


def test_the_prompt_is_tokenised_as_when_the_model_is_asked(tokenizer: Any) -> None:
    # Guards: a model trained on a prompt whose last token differs from the one it sees at evaluation.
    messages = chat(1, "Which cheese?", "\n\nBrie.").messages
    ids, trained = tokenise_chat(tokenizer, messages)
    prompt = tokenizer(render(tokenizer, messages[:1], add_generation_prompt=True), add_special_tokens=False)
    assert ids[: trained.index(True)] == prompt["input_ids"]


def test_a_template_that_rewrites_earlier_turns_is_refused(tokenizer: Any) -> None:
    # Guards: masks shifted by a reasoning block that only the last turn has.
    tokenizer = with_template(tokenizer, QWEN3)
    with pytest.raises(InputError, match=r"turn 2 of 4 is rendered in another way.*single answer"):
        tokenise_chat(tokenizer, chat(1, "Which?", "Brie.", "And then?", "Edam.").messages)


def test_a_chat_that_the_template_refuses_names_its_roles(tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"roles system, user.*Only user and assistant"):
        tokenise_chat(with_template(tokenizer, MISTRAL), chat(1, "Which?", "Brie.", system="Be brief.").messages)


def test_a_template_without_an_end_of_turn_is_told(tokenizer: Any) -> None:
    assert not ends_turns(with_template(tokenizer, ENDLESS))


def test_a_base_model_needs_chatml_and_gets_it_without_new_tokens(tokenizer: Any) -> None:
    # Guards: chance scores of a base model found after training, and embeddings that were never trained before.
    base = with_template(tokenizer, None)
    base.eos_token = "<|endoftext|>"
    with pytest.raises(InputError, match="chat_template: chatml"):
        require_chat_template(base, "org/base")
    size = len(base)
    prepare_tokenizer(base, "chatml")
    require_chat_template(base, "org/base")
    messages = chat(1, "It's {{ odd }}?", "Brie.").messages
    assert trained_runs(base, messages) == ["Brie.<|endoftext|>"]
    assert len(base) == size
    assert "It's {{ odd }}?" in render(base, messages, add_generation_prompt=False)


def test_chatml_starts_with_the_token_that_the_tokenizer_starts_texts_with(tokenizer: Any) -> None:
    # Guards: a Llama asked without its begin-of-text token, which it has seen before every text.
    from tokenizers.processors import TemplateProcessing

    base = with_template(tokenizer, None)
    bos = base.bos_token_id
    base.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{base.bos_token} $A", special_tokens=[(base.bos_token, bos)]
    )
    prepare_tokenizer(base, "chatml")
    ids, _ = tokenise_chat(base, chat(1, "Which?", "Brie.").messages)
    assert ids[0] == bos and ids.count(bos) == 3, "one at the start, one for each turn's own marker"


def test_chatml_needs_an_end_of_sequence_token(tokenizer: Any) -> None:
    base = with_template(tokenizer, None)
    base.eos_token = None
    with pytest.raises(InputError, match="end-of-sequence"):
        prepare_tokenizer(base, "chatml")
