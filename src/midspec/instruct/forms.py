"""The forms in which data sets hold conversations, each read into messages. Pure functions, no I/O.

The data sets of the paper (section 2) and their columns: No Robots, Tulu 3 IF, NuminaMath-CoT and LongAlign `messages`;
SmolTalk's subsets (smol-constraints, smol-summarize, apigen-80k, self-oss-instruct) `messages`; Self-OSS-Instruct
itself `instruction`, `response`; APIGen itself `query`, `tools`, `answers`; LIMA `conversations`, turns in order; MMLU
`question`, `choices`, `answer`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from midspec.records import ChatExample, Message

Columns = Mapping[str, Any]
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_PAIRS = (
    ("instruction", "response"),
    ("instruction", "output"),
    ("problem", "solution"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("question", "answer"),
)
"""Columns with a question and its answer, in the order in which they are looked for."""
_TOOLS = "Answer with a JSON list of calls of these functions, which are given as JSON:"
FORMS = "messages, conversations, query + tools + answers, question + choices + answer, " + ", ".join(
    f"{question} + {answer}" for question, answer in _PAIRS
)


class FormError(ValueError):
    """A row that is no conversation which ends with an answer."""


def messages_of(row: Columns, seed: int = 0) -> tuple[Message, ...]:
    """The turns of a row; the last is an assistant's and says something.

    `seed` decides how a multiple-choice question is put. Raises FormError with the reason.
    """
    for there, read in _READERS:
        if there(row):
            turns = read(row, seed)
            break
    else:
        raise FormError(f"has {', '.join(sorted(map(str, row))) or 'no fields'}; expected one of: {FORMS}")
    if not turns or turns[-1].role != "assistant":
        raise FormError("does not end with an assistant turn")
    if not turns[-1].content.strip():
        raise FormError("ends with an empty answer")
    if not any(turn.role == "user" for turn in turns):
        raise FormError("has no user turn")
    return turns


def example_of(row: Columns) -> ChatExample | None:
    """The row itself where it is a ChatExample; None for one that holds a conversation alone.

    Raises FormError where it is to be one and is not.
    """
    if not all(key in row for key in ("writer", "messages", "source")):
        return None
    try:
        return ChatExample.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise FormError(f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}") from error


def _said(role: str, content: Any) -> Message:
    if not isinstance(content, str):
        raise FormError(f"the content of a {role} turn is {type(content).__name__} and no text")
    if role not in _ROLES:
        raise FormError(f"has a turn of the role {role!r}; expected system, user or assistant")
    return Message.model_validate({"role": _ROLES[role], "content": content})


def _messages(row: Columns, seed: int) -> tuple[Message, ...]:
    try:
        return tuple(_said(turn["role"], turn["content"]) for turn in row["messages"])
    except (TypeError, KeyError) as error:
        raise FormError('has "messages" that are not {"role", "content"} objects') from error


def _conversations(row: Columns, seed: int) -> tuple[Message, ...]:
    """LIMA: texts of user and assistant in turn; ShareGPT: `from`, `value`."""
    turns = row["conversations"]
    if not isinstance(turns, list):
        raise FormError('has "conversations" that are no list')
    if all(isinstance(turn, str) for turn in turns):
        # An odd last turn is a question that nobody answered.
        whole = turns[: len(turns) // 2 * 2]
        return tuple(_said("assistant" if number % 2 else "user", text) for number, text in enumerate(whole))
    try:
        return tuple(_said(turn["from"], turn["value"]) for turn in turns)
    except (TypeError, KeyError) as error:
        raise FormError('has "conversations" that are neither texts nor {"from", "value"} objects') from error


def _tool_calls(row: Columns, seed: int) -> tuple[Message, ...]:
    """APIGen: JSON lists of tools and of calls, as text."""
    return (
        _said(
            "system", f"You can call these functions, given as JSON:\n{row['tools']}\nAnswer with a JSON list of calls."
        ),
        _said("user", row["query"]),
        _said("assistant", row["answers"]),
    )


def _choices(row: Columns, seed: int) -> tuple[Message, ...]:
    """MMLU, put in one of several ways drawn with the seed, as the paper's "variants"."""
    question, choices, answer = row["question"], row["choices"], row["answer"]
    if not (isinstance(choices, list) and isinstance(answer, int) and 0 <= answer < len(choices)):
        raise FormError('has an "answer" that is no number of one of its "choices"')
    letters = "ABCDEFGHIJ"[: len(choices)]
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=True))
    whole = f"{letters[answer]}. {choices[answer]}"
    ways = (
        (f"{question}\n\n{listed}\n\nAnswer with the letter alone.", letters[answer]),
        (f"{question}\n{listed}\n\nWhich one is right?", whole),
        (
            f"Question: {question}\nOptions:\n{listed}\nGive the letter and the text.",
            f"{letters[answer]}. {choices[answer]}",
        ),
        (f"{question} Choose from: {'; '.join(map(str, choices))}.", str(choices[answer])),
    )
    asked, said = random.Random(f"{seed}/{question}").choice(ways)
    return _said("user", asked), _said("assistant", said)


def _pair(question: str, answer: str) -> Callable[[Columns, int], tuple[Message, ...]]:
    def read(row: Columns, seed: int) -> tuple[Message, ...]:
        more = row.get("input")
        asked = f"{row[question]}\n\n{more}" if isinstance(more, str) and more.strip() else row[question]
        return _said("user", asked), _said("assistant", row[answer])

    return read


def _has(*names: str) -> Callable[[Columns], bool]:
    return lambda row: all(row.get(name) is not None for name in names)


_READERS: tuple[tuple[Callable[[Columns], bool], Callable[[Columns, int], tuple[Message, ...]]], ...] = (
    (_has("messages"), _messages),
    (_has("conversations"), _conversations),
    (_has("query", "tools", "answers"), _tool_calls),
    (_has("question", "choices", "answer"), _choices),
    *((_has(question, answer), _pair(question, answer)) for question, answer in _PAIRS),
)
