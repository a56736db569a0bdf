"""Names at the right ends of lines, moved apart where they would touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from midspec.report.format import shorten
from midspec.report.palette import SENTINELS
from midspec.report.svg import FONT_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPACE = 13.0
"""Pixels between two names."""
MOST_LABELS = 9
"""More lines than this are told apart by tooltip and table."""
WIDTH = 128.0
"""Room that names take, in pixels."""


class End(NamedTuple):
    """The end of a line and what it is called."""

    value: float
    name: str
    tone: str


def name_ends(axes: Axes, ends: Sequence[End], height: float) -> None:
    """Write the names right of the axes, which are `height` pixels high; its limits must be set."""
    low, high = axes.get_ylim()
    pixels = height / (high - low)
    order = sorted(range(len(ends)), key=lambda index: ends[index].value)
    places: dict[int, float] = {}
    floor = -4.0
    for index in order:
        floor = max((ends[index].value - low) * pixels, floor + SPACE)
        places[index] = floor
    # What was pushed past the top comes back down, the ones below making room.
    ceiling = height + 6.0
    for index in reversed(order):
        ceiling = min(places[index], ceiling)
        places[index] = ceiling
        ceiling -= SPACE
    for index, place in places.items():
        axes.annotate(
            shorten(ends[index].name, 23),
            xy=(1, low + place / pixels),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=FONT_SIZE - 1,
            color=SENTINELS[ends[index].tone],
        )
