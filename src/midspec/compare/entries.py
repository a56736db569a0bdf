"""The numbers of a figure one by one, with their whole conditions; differences worked out where not given. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from midspec.compare.reference import Certainty, Figure, Scale, Value
from midspec.compare.verdict import Published, sampling

Kind = Literal["effect", "level"]
"""A difference of two arms, or what one arm has."""


class Entry(NamedTuple):
    """One published number with its whole condition: the figure's defaults filled in."""

    figure: Figure
    kind: Kind
    arm: tuple[str, ...]
    versus: tuple[str, ...] | None
    evals: tuple[str, ...]
    measure: str | None
    part: str | None
    model: str | None
    n: int | None
    certainty: Certainty
    source: str
    note: str
    published: Published

    @property
    def measured(self) -> tuple[object, ...]:
        """All of the condition but the arm."""
        return self.evals, self.measure, self.part, self.model


def entries(figure: Figure) -> list[Entry]:
    """Effects first, then levels; effects without a number of their own worked out from the levels."""
    levels = [_entry(figure, value, "level") for value in figure.values if _has_number(value)]
    effects: list[Entry] = []
    for value in figure.effects:
        if _has_number(value):
            effects.append(_entry(figure, value, "effect"))
        else:
            effects += _worked_out(figure, value, levels)
    return [*effects, *levels]


def _has_number(value: Value) -> bool:
    return value.value is not None or value.range is not None or value.direction is not None


def _entry(figure: Figure, value: Value, kind: Kind) -> Entry:
    def told(name: str, default: Any = None) -> Any:
        own = getattr(value, name)
        given = own if own is not None else getattr(figure, name)
        return default if given is None else given

    scale: Scale = told("scale", "share")
    n: int | None = told("n")
    half = sampling(value.value, n, scale) if value.value is not None and kind == "level" else 0.0
    below = above = half
    if value.value is not None and value.low is not None and value.high is not None:
        below, above = value.value - value.low, value.high - value.value
    digit: float = told("digit", 1.0 if scale == "times" else 0.0)
    return Entry(
        figure, kind, value.arm, value.versus, told("eval", ("*",)), told("measure"), told("part"),
        told("model"), n, told("certainty", "exact"), told("source", figure.title), value.note,
        Published(value.value, value.range, value.direction, scale, digit, below, above),
    )  # fmt: skip


def _worked_out(figure: Figure, effect: Value, levels: Sequence[Entry]) -> list[Entry]:
    """One for each condition (evaluation, measure, part, model) in which the figure has both arms."""
    wanted = _entry(figure, effect, "effect")
    found: list[Entry] = []
    for mine in levels:
        for theirs in levels:
            alike = mine.measured == theirs.measured
            fits = (effect.model is None or mine.model == effect.model) and (
                effect.eval is None or mine.evals == tuple(effect.eval)
            )
            if not (alike and fits and mine.arm == wanted.arm and theirs.arm == wanted.versus):
                continue
            if mine.published.value is None or theirs.published.value is None:
                continue
            found.append(
                mine._replace(kind="effect", versus=theirs.arm, note=effect.note, published=_minus(mine, theirs))
            )
    return found


def _minus(mine: Entry, theirs: Entry) -> Published:
    one, other = mine.published, theirs.published
    assert one.value is not None
    assert other.value is not None
    return Published(
        round(one.value - other.value, 9), None, None, one.scale, one.digit + other.digit,
        math.hypot(one.below, other.above), math.hypot(one.above, other.below),
    )  # fmt: skip
