"""Whether a number of ours agrees with one of a reference, by a rule that is stated and cannot bend. Pure.

Tolerance. Sampling errors of both sides are independent and add in quadrature: half of our 95% interval on the side of
the reference, and half of the reference's, from its own interval or, for a share with known n, 1.96 standard errors.
What reading may be off is no sampling error and is added whole; twice for a difference of two read numbers.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from midspec.compare.numbers import Number
from midspec.compare.reference import Direction, Scale

Verdict = Literal["agrees", "differs", "undecided", "not comparable", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("agrees", "differs", "undecided", "not comparable", "not measured")

Z = 1.96
MATTERS: dict[Scale, float] = {"share": 0.05, "grade": 0.5, "number": math.inf, "times": math.log(1.5)}
"""Least difference worth a word. Five points: the paper's own ranges of "no gain" reach +.07, its gains begin at +.03;
half a grade of ten. (ours)"""
TOO_WIDE: dict[Scale, float] = {"share": 0.10, "grade": 1.0, "number": math.inf, "times": math.log(4)}
"""A tolerance beyond this agrees with an arm and its control alike: Fig. 2's effects are .16 to .25. (ours)"""


class Published(NamedTuple):
    """One number of a reference, figure's defaults filled in and differences worked out."""

    value: float | None
    range: tuple[float, float] | None
    direction: Direction | None
    scale: Scale
    digit: float
    """What reading may be off, in all."""
    below: float
    """Half of the reference's 95% interval, downwards; 0 where it is not known."""
    above: float


class Judged(NamedTuple):
    """What came of it."""

    verdict: Verdict
    difference: float | None
    """Ours minus the reference's; to the nearer end of a range, 0 within it. A factor for `times`."""
    tolerance: float | None
    """Largest difference, that way, that agrees. A factor for `times`."""
    reason: str


def judge(published: Published, ours: Number | None, *, effect: bool, void: str = "") -> Judged:
    """The verdict. `void`: why the two cannot be compared at all; difference and tolerance are told nevertheless."""
    if ours is None or ours.value is None:
        return Judged("not measured", None, None, "no value of ours" if ours is not None else "")
    found = _judged(published, ours, effect)
    return found._replace(verdict="not comparable", reason=void) if void else found


def _judged(published: Published, ours: Number, effect: bool) -> Judged:
    scale = published.scale
    if ours.scale != scale:
        return Judged("not comparable", None, None, f"ours is a {ours.scale}, the reference's a {scale}")
    if published.direction is not None:
        return _by_direction(published.direction, ours, scale)
    least, most = published.range or (published.value, published.value)
    if least is None or most is None:
        return Judged("not comparable", None, None, "the reference gives no number")
    value, low, high, least, most = _on(scale, ours.value, ours.low, ours.high, least, most)
    assert value is not None
    assert least is not None
    assert most is not None
    nearest = min(max(value, least), most)
    apart = round(value - nearest, 9) + 0.0  # numbers read from a figure have few digits; and no minus before a zero
    if low is None or high is None:
        return Judged("undecided", _off(scale, apart), None, "our number has no interval")
    digit = math.log(published.digit) if scale == "times" else published.digit
    mine, theirs = (high - value, published.below) if apart < 0 else (value - low, published.above)
    tolerance = math.hypot(mine, theirs) + digit
    told = Judged("agrees", _off(scale, apart), _off(scale, tolerance), "")
    if abs(apart) > tolerance:
        return told._replace(verdict="differs", reason="beyond the tolerance")
    zero = least - published.below - digit <= 0 <= most + published.above + digit
    if effect and not zero and low <= 0 <= high:
        return told._replace(verdict="undecided", reason="our interval holds no effect, too")
    limit = (MATTERS if effect and zero else TOO_WIDE)[scale]
    # A range is as wide as it is; only what our side adds makes it say less.
    if max(mine, value - low, high - value) > limit:
        return told._replace(verdict="undecided", reason="our interval is too wide to tell")
    return told


def _by_direction(direction: Direction, ours: Number, scale: Scale) -> Judged:
    value, low, high = _on(scale, ours.value, ours.low, ours.high)
    if low is None or high is None:
        return Judged("undecided", None, None, "our number has no interval")
    if direction == "none":
        edge = MATTERS[scale]
        if low > -edge and high < edge:
            return Judged("agrees", _off(scale, value), _off(scale, edge), "our whole interval is next to nothing")
        if low > edge or high < -edge:
            return Judged(
                "differs", _off(scale, value), _off(scale, edge), "our whole interval is beyond next to nothing"
            )
        return Judged("undecided", _off(scale, value), _off(scale, edge), "our interval is too wide to tell")
    sign = 1.0 if direction == "higher" else -1.0
    if min(sign * low, sign * high) > 0:
        return Judged("agrees", None, None, f"our whole interval is {direction}")
    if max(sign * low, sign * high) < 0:
        return Judged("differs", None, None, f"our whole interval is not {direction}, but the other way")
    return Judged("undecided", None, None, "our interval holds no effect, too")


def sampling(value: float, n: int | None, scale: Scale) -> float:
    """Half of the 95% interval of a share of `n` answers; 0 where n or the spread is not known."""
    return Z * math.sqrt(max(value * (1 - value), 0.0) / n) if n and scale == "share" else 0.0


def _on(scale: Scale, *numbers: float | None) -> tuple[float | None, ...]:
    """Factors are compared by their logarithms."""
    if scale != "times":
        return numbers
    return tuple(None if number is None else math.log(number) if number > 0 else -math.inf for number in numbers)


def _off(scale: Scale, number: float | None) -> float | None:
    if scale != "times" or number is None:
        return number
    return math.exp(number) if number < math.inf else math.inf
