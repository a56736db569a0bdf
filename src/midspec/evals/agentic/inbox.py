"""The mails of a scenario: read from the form the package gives them, written in others. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

_MAIL = re.compile(r"<email>\n(.*?)</email>", re.DOTALL)
_HEADERS = ("ID", "From", "To", "Attachments", "Subject", "Timestamp")


class Mail(NamedTuple):
    """One mail of the inbox."""

    headers: dict[str, str]
    """As written, in order: ID (where there is one), From, To, Subject, ..."""
    body: str

    @property
    def id(self) -> str:
        """What a forward names; empty where the inbox numbers nothing."""
        return self.headers.get("ID", "")

    @property
    def sender(self) -> str:
        """Address, lower case."""
        return self.headers.get("From", "").strip().lower()


def read_mails(text: str) -> list[Mail]:
    """All `<email>` blocks of `text`, in order. A mail without a body has an empty one."""
    found: list[Mail] = []
    for block in _MAIL.findall(text):
        headers: dict[str, str] = {}
        head, _, body = block.partition("Body:")
        for line in head.splitlines():
            name, colon, value = line.partition(":")
            if colon and name in _HEADERS:
                headers[name] = value.strip()
        found.append(Mail(headers, body.strip()))
    return found


def numbered(text: str) -> str:
    """The same mails with the IDs that forwards refer to, counted from 1."""
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"<email>\nID: {count}\n"

    return re.sub(r"<email>\n", number, text)


def written(mails: Sequence[Mail], form: Literal["headers", "json"]) -> str:
    """The inbox in another form: mail headers between rules, or a JSON list."""
    if form == "json":
        return json.dumps(
            [{**{name.lower(): value for name, value in mail.headers.items()}, "body": mail.body} for mail in mails],
            ensure_ascii=False,
            indent=1,
        )
    parts: list[str] = []
    for mail in mails:
        head = "\n".join(f"{name}: {value}" for name, value in mail.headers.items())
        parts.append(f"{'-' * 24}\n{head}\n\n{mail.body}\n")
    return "\n".join(parts) + "-" * 24 + "\n"
