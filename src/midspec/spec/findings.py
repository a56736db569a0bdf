"""What lint says about a place in a spec."""

from __future__ import annotations

from typing import Literal

from midspec.records import Row, Span


class Finding(Row):
    """One thing to look at."""

    level: Literal["error", "warning", "note"]
    code: str
    message: str
    span: Span | None = None
