"""Quotes: verbatim, and where they stand. Only white space may differ. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from midspec.llm.prompt import BadReplyError
from midspec.records import Span

LEAST = 8
"""Letters and digits that a quote must have, to say something; or the whole text, if that is shorter. (ours)"""
MOST = 800
"""Characters of the longest quote: one that holds half the transcript points at nothing. (ours)"""
CONTEXT = 300
"""Characters shown to each side of a quote. (ours)"""


class Found(NamedTuple):
    """A quote in a text."""

    text: str
    """As it stands there: `transcript.text[span[0]:span[1]]`."""
    span: Span


def locate(quote: str, text: str) -> Found:
    """Where `quote` stands first in `text`, white space taken as equal.

    Raises BadReplyError, with the reason `quote not found` or `quote unfit` (too short or too long).
    """
    words = quote.split()
    size = sum(len(re.findall(r"\w", word)) for word in words)
    if size < min(LEAST, len(re.findall(r"\w", text))) or not size:
        raise BadReplyError("quote unfit", f"{quote[:80]!r} is too short to say anything")
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    if match is None:
        raise BadReplyError("quote not found", f"{quote[:80]!r} does not stand in the transcript")
    if match.end() - match.start() > MOST:
        raise BadReplyError("quote unfit", f"{quote[:80]!r}... is longer than {MOST} characters")
    return Found(match[0], match.span())


class InContext(NamedTuple):
    """A quote with what stands around it."""

    before: str
    quote: str
    after: str


def in_context(text: str, span: Span, width: int = CONTEXT) -> InContext:
    """Up to `width` characters to each side, from the beginning and to the end of a word."""
    start, end = span
    first = max(0, start - width)
    last = min(len(text), end + width)
    before, after = text[first:start], text[end:last]
    if first > 0:
        before = "..." + (before[cut.start() :] if (cut := re.search(r"\s", before)) else "")
    if last < len(text):
        after = (after[:cut] if (cut := max(after.rfind(" "), after.rfind("\n"))) >= 0 else "") + "..."
    return InContext(before, text[start:end], after)
