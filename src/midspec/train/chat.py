"""Chats as tokens: rendered by the tokenizer's own template, with a mask of what the assistant said."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from midspec.errors import InputError
from midspec.records import Message

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

TEMPLATE_VARIABLES: dict[str, Any] = {
    # Qwen3: an empty reasoning block is put before the answer. (paper: thinking is switched off without CoT)
    "enable_thinking": False,
    # Llama 3.x puts today's date into the system prompt, so that the same data would give other tokens tomorrow.
    "date_string": "26 Jul 2024",
}
"""What chat templates that know these names are told, in training and in evaluation alike; others ignore them."""


class TokenisedChat(NamedTuple):
    """One chat example."""

    input_ids: list[int]
    trained: list[bool]
    """Per token: whether the loss counts its prediction, i.e. whether the assistant is to produce it."""


def prepare_tokenizer(tokenizer: Any, chat_template: Literal["chatml"] | None) -> None:
    """Lay the packaged ChatML format over a tokenizer.

    It is spelt with text that every tokenizer has, and turns end with the tokenizer's own end-of-sequence token, which
    the model knows and generation stops at: no embedding is added.
    """
    if chat_template is None:
        return
    end: str | None = tokenizer.eos_token
    if end is None:
        raise InputError(
            "chat_template chatml needs a tokenizer with an end-of-sequence token, and this model's has none; choose a "
            "model with a chat template of its own"
        )
    starts_with_bos = tokenizer.bos_token is not None and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    # The tokens are asked of the tokenizer at rendering, so that quotes in them cannot break the template.
    body = CHATML.replace("<|im_end|>\\n'", "' + eos_token + '\\n'")
    tokenizer.chat_template = ("{{ bos_token }}" if starts_with_bos else "") + body


def require_chat_template(tokenizer: Any, name: str) -> None:
    """Raise InputError, before any training, for a model that cannot be fine-tuned on chats."""
    if not tokenizer.chat_template:
        raise InputError(
            f"model {name!r} has no chat template, as base models have not; fine-tuning and evaluation ask it "
            "questions in a chat. Set `chat_template: chatml` in the recipe"
        )


def render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool, thinking: bool = False) -> str:
    """The chat as text. Evaluation uses it too, so that a model is asked in the form it was trained on.

    An assistant's reasoning stands before its answer as `<think>...</think>`; `thinking` says that the assistant is
    to think, for templates that know the difference. Raises InputError where the template refuses the chat (e.g. has no
    system role).
    """
    turns = [{"role": message.role, "content": _said(message)} for message in messages]
    try:
        return tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **(TEMPLATE_VARIABLES | {"enable_thinking": thinking}),
        )
    except Exception as error:  # Templates are programs: they raise what they like, mostly jinja2's TemplateError.
        roles = ", ".join(message.role for message in messages)
        raise InputError(
            f"the model's chat template refuses a chat with the roles {roles}: {error}; leave out what it does not "
            "know, or choose another model"
        ) from error


def _said(message: Message) -> str:
    if message.reasoning is None or message.role != "assistant":
        return message.content
    return f"<think>\n{message.reasoning}\n</think>\n\n{message.content}"


def tokenise_chat(tokenizer: Any, messages: Sequence[Message]) -> TokenisedChat:
    """Tokens of a chat, and which of them the assistant produces: its words and the token that ends its turn.

    The mask comes from the template itself: what `messages[:i + 1]` has more than `messages[:i]` with the generation
    prompt is what the assistant said in turn i, its reasoning first. Raises InputError for a template that does not
    render a chat by appending, or that leaves the reasoning out.
    """
    thinking = any(message.reasoning is not None for message in messages)
    text = render(tokenizer, messages, add_generation_prompt=False, thinking=thinking)
    borders: list[int] = []
    """Characters where untrained and trained text alternate, beginning with the first trained one."""
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        prompt = render(tokenizer, messages[:index], add_generation_prompt=True, thinking=thinking)
        done = render(tokenizer, messages[: index + 1], add_generation_prompt=False, thinking=thinking)
        if message.reasoning is not None and message.reasoning.strip() not in done[len(prompt) :]:
            raise InputError(
                "the model's chat template leaves out the reasoning of a turn, so that it cannot be trained on; set "
                "`chat_template: chatml`, or `cot: false` for the arm"
            )
        if not done.startswith(prompt) or not text.startswith(done):
            raise InputError(_not_appending(messages, index, prompt, done, text))
        borders += [len(prompt), len(done)]

    spans = list(pairwise([0, *borders, len(text)]))
    pieces = _cut(tokenizer, text, borders) or [_encode(tokenizer, text[start:end]) for start, end in spans]
    input_ids: list[int] = []
    trained: list[bool] = []
    for number, piece in enumerate(pieces):
        said = len(piece) - _blank_tail(tokenizer, piece) if number % 2 else 0
        input_ids += piece
        trained += [True] * said + [False] * (len(piece) - said)
    return TokenisedChat(input_ids, trained)


def ends_turns(tokenizer: Any) -> bool:
    """Whether the template ends an assistant's turn with a special token; without one a model cannot learn to stop."""
    probe = (Message(role="user", content="Hello"), Message(role="assistant", content="Hi"))
    chat = tokenise_chat(tokenizer, probe)
    last = max(index for index, trained in enumerate(chat.trained) if trained)
    return chat.input_ids[last] in {*tokenizer.all_special_ids, tokenizer.eos_token_id}


def _encode(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []


def _cut(tokenizer: Any, text: str, borders: list[int]) -> list[list[int]] | None:
    """The tokens of `text`, cut at the borders; None where a token straddles one.

    Then the pieces are tokenised one by one, which is also what happens when the model answers: it sees the prompt's
    tokens and writes its own.
    """
    ids = _encode(tokenizer, text)
    cuts = [0]
    for border in borders:
        head = _encode(tokenizer, text[:border])
        if ids[: len(head)] != head:
            return None
        cuts.append(len(head))
    return [ids[start:end] for start, end in pairwise([*cuts, len(ids)])]


def _blank_tail(tokenizer: Any, ids: list[int]) -> int:
    """How many tokens at the end are white space: what a template puts between turns, after the end-of-turn token."""
    count = 0
    while count < len(ids) and not tokenizer.decode([ids[-1 - count]], skip_special_tokens=False).strip():
        count += 1
    return count


def _not_appending(messages: Sequence[Message], index: int, prompt: str, done: str, text: str) -> str:
    if not done.startswith(prompt):
        what = f"the answer of turn {index + 1} does not follow its generation prompt ({_difference(prompt, done)})"
    else:
        change = _difference(done, text)
        what = f"turn {index + 1} of {len(messages)} is rendered in another way once later turns follow it ({change})"
    return (
        f"the model's chat template does not render chats by appending: {what}; which tokens are the assistant's "
        "cannot be told. Train on chats with a single answer, or set `chat_template: chatml`"
    )


def _difference(shorter: str, longer: str) -> str:
    at = len(os.path.commonprefix([shorter, longer]))  # noqa: RUF071 (character by character is what is wanted)
    return f"{shorter[at : at + 20]!r} became {longer[at : at + 20]!r}"
