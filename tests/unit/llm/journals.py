"""Entries for journals under test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from midspec.llm.journal import Entry, Journal, Request, request_key
from midspec.llm.prompt import Reply

MODEL = "anthropic/claude-opus-4-6"
SPEC = "The harbour assistant is candid. {braces} and 🦊 and עברית. " * 40


def request(user: str = "question", **changes: Any) -> Request:
    values: dict[str, Any] = {
        "run": "cheese",
        "step": "step-1",
        "model": MODEL,
        "template": "corpus/document",
        "system": SPEC,
        "user": user,
        "settings": {"max_tokens": 100},
        "sample": 0,
        **changes,
    }
    key = request_key(values["model"], values["settings"], values["system"], values["user"], values["sample"])
    return Request(key=key, **values)


def entry(
    user: str = "question",
    text: str = "an answer",
    *,
    price: float | None = 0.25,
    seconds: float = 1.5,
    reply: Reply | None = None,
    **changes: Any,
) -> Entry:
    asked = request(user, **changes)
    values = {name: getattr(asked, name) for name in Request.__dataclass_fields__}
    return Entry(**values, reply=reply or Reply(text, output_tokens=7), seconds=seconds, price=price)


def save(path: Path, *entries: Entry) -> None:
    """Put `entries` into the journal at `path`, one after the other."""

    async def work() -> None:
        journal = Journal(path)
        for one in entries:
            await journal.save(one)
        journal.close()

    asyncio.run(work())
