"""What the model says: a script of rules, and a default that reads from the prompt in which form to answer."""

from __future__ import annotations

import inspect
import json
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tests.provider.request import Request

Answerer = Callable[[Request], Awaitable[str]]
"""From a request to the model's text. Runs on the server's event loop: it must not block."""
Saying = str | Callable[[Request], str | Awaitable[str]]

_WORDS = re.findall(
    r"\w+",
    "the harbour office keeps a ledger of every boat that asks for shelter and why it was given because a reason "
    "written down is worth more than a rule learnt by heart and people who come later can see what was weighed",
)
_PAIR = re.compile(r"<([A-Za-z_][\w-]*)>(.*?)</\1>", re.DOTALL)
_TAIL = 1500
_COUNT = re.compile(r"exactly (\d+)|think of (\d+)", re.IGNORECASE)
_VERDICT = re.compile(r"\b([A-Z]{2,10})\b,? or \b([A-Z]{2,10})\b")


class Script:
    """Rules in order: the first whose key occurs in the prompt answers; no key fits: `otherwise`.

    A rule is (text or pattern to find in the prompt, saying). A saying is a string or a function of the request, plain
    or async.
    """

    def __init__(self, *rules: tuple[str | re.Pattern[str], Saying], otherwise: Saying | None = None) -> None:
        self.rules = rules
        self.otherwise = default_answer if otherwise is None else otherwise

    async def __call__(self, request: Request) -> str:
        prompt = request.text
        for key, saying in self.rules:
            if (key in prompt) if isinstance(key, str) else key.search(prompt):
                return await _said(saying, request)
        return await _said(self.otherwise, request)


async def _said(saying: Saying, request: Request) -> str:
    said = saying if isinstance(saying, str) else saying(request)
    return await said if inspect.isawaitable(said) else said


def prose(rng: random.Random, words: int) -> str:
    """Sentences without sense."""
    out: list[str] = []
    while len(out) < words:
        sentence = rng.choices(_WORDS, k=rng.randint(7, 16))
        out += [sentence[0].capitalize(), *sentence[1:-1], sentence[-1] + "."]
    return " ".join(out)


async def default_answer(request: Request) -> str:
    """Answers in the form that the end of the prompt shows: its tags, an example of JSON filled in, or a verdict word.

    Depends on the request and the occurrence only. Values are nonsense: a test that parses them plugs in its own.
    """
    rng = random.Random(f"{request.hash}/{request.occurrence}")
    tail = request.user[-_TAIL:]
    count = next((int(a or b) for a, b in _COUNT.findall(tail)), 3)
    parts: list[str] = []
    for tag, inner in _PAIR.findall(tail):
        if tag == "json" or inner.strip()[:1] in ("{", "["):
            try:
                body = json.dumps(_filled(json.loads(inner), rng, count))
            except json.JSONDecodeError:
                continue
        elif inner.strip() in ("", "...", "…"):
            body = prose(rng, 30 if tag == "scratchpad" else 200)
        else:
            continue
        parts.append(f"<{tag}>\n{body}\n</{tag}>")
    if parts:
        return "\n".join(parts)
    verdict = _VERDICT.search(tail)
    if verdict:
        return verdict[1]
    return prose(rng, rng.randint(40, 120))


def _filled(example: Any, rng: random.Random, count: int) -> Any:
    if isinstance(example, dict):
        return {key: _filled(value, rng, count) for key, value in example.items()}
    if isinstance(example, list):
        return [_filled(example[0], rng, count) for _ in range(count)] if example else []
    return prose(rng, 12) if isinstance(example, str) else example
