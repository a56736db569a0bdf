"""Numbers as the report writes them: percent with one decimal, points and nats with a sign, a true minus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

MISSING = "–"
"""Stands for a value that does not exist."""


def _fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    text = f"{value:+.{decimals}f}" if signed and value != 0 else f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float | None) -> str:
    """`0.4831` as `48.3`; the unit stands in the heading."""
    return MISSING if share is None else _fixed(100 * share, 1)


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, signed."""
    return MISSING if difference is None else _fixed(100 * difference, 1, signed=True)


def nats(shift: float | None) -> str:
    """A change of log-odds, signed."""
    return MISSING if shift is None else _fixed(shift, 2, signed=True)


def percent_interval(low: float | None, high: float | None) -> str:
    """`[44.1, 52.5]`, or nothing where there is none."""
    return "" if low is None or high is None else f"[{percent(low)}, {percent(high)}]"


def points_interval(low: float | None, high: float | None) -> str:
    """`[+8.1, +16.5]`, or nothing where there is none."""
    return "" if low is None or high is None else f"[{points(low)}, {points(high)}]"


def nats_interval(low: float | None, high: float | None) -> str:
    """`[+0.22, +0.40]`, or nothing where there is none."""
    return "" if low is None or high is None else f"[{nats(low)}, {nats(high)}]"


def amount(value: float | None, scale: str, *, signed: bool = False) -> str:
    """A measure's value: a share in percent (a difference in points), grades and nats with two decimals, else three."""
    if value is None:
        return MISSING
    if scale == "share":
        return points(value) if signed else percent(value)
    return _fixed(value, 2 if scale in ("grade", "nats") else 3, signed=signed)


def amount_interval(low: float | None, high: float | None, scale: str, *, signed: bool = False) -> str:
    """`[12.1, 20.0]`, or nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"[{amount(low, scale, signed=signed)}, {amount(high, scale, signed=signed)}]"


def bounds(least: float | None, most: float | None, scale: str) -> str:
    """`12.0 to 15.5`: between what a value lies, whatever is missing; nothing where the scale has no ends."""
    return "" if least is None or most is None else f"{amount(least, scale)} to {amount(most, scale)}"


def unit(scale: str, *, difference: bool = False) -> str:
    """What stands behind a number of this scale."""
    if scale == "share":
        return "points" if difference else "%"
    if scale == "nats":
        return "nats"
    return "of 1-10" if scale == "grade" and not difference else ""


def count(number: float | None) -> str:
    """Thousands set apart by a comma."""
    return MISSING if number is None else f"{number:,.0f}"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def dollars(amount: float | None) -> str:
    """Cents shown, and fractions of a cent not rounded to nothing."""
    if amount is None:
        return MISSING
    return f"${amount:,.4f}" if 0 < amount < 0.01 else f"${amount:,.2f}"


def size(characters: int) -> str:
    """`640 kB`, `3.2 MB`."""
    return f"{characters / 1000:,.0f} kB" if characters < 1_000_000 else f"{characters / 1_000_000:,.1f} MB"


def moment(iso: str) -> str:
    """An ISO 8601 time to the minute, in UTC; any other text as it is."""
    try:
        return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return iso


def plain(value: Any) -> str:
    """A value of free form (`results.model`, `results.machine`, ...) in one line."""
    match value:
        case None:
            return MISSING
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case int() | float():
            return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
        case _:
            return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def shorten(text: str, length: int) -> str:
    """At most `length` characters. The middle goes, because the ends of arm names tell them apart."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"
