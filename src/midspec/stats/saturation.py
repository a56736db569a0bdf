"""Whether an evaluation could have shown an effect at all: rates at the floor or the ceiling cannot move further."""

from __future__ import annotations

from typing import Literal, NamedTuple

from midspec.errors import InputError

NEAR = 0.05
"""Within this share of the scale from its end counts as at the end."""


class Saturation(NamedTuple):
    """How much room is left."""

    at: Literal["floor", "ceiling"] | None
    room: float
    """Between the comparison arm and the end of the scale in the direction of the effect; 0 or more."""
    detectable: float | None
    """The least difference that the data could have shown."""
    warning: str
    """A sentence; empty where there is nothing to warn of."""


def saturation(
    arm: float,
    versus: float,
    *,
    towards: Literal["higher", "lower"],
    detectable: float | None = None,
    floor: float = 0.0,
    ceiling: float = 1.0,
) -> Saturation:
    """Warn where both arms are within 5% of the scale of one end, or the room left is less than what is detectable.

    `arm`, `versus`: rates (or means on a scale from `floor` to `ceiling`). `towards`: the direction of the effect that
    is looked for. `detectable`: see `stats.power.minimum_detectable`.
    """
    if not floor < ceiling or not all(floor <= value <= ceiling for value in (arm, versus)):
        raise InputError(f"values {arm} and {versus} on a scale from {floor} to {ceiling}; expected them within it")
    near = NEAR * (ceiling - floor)
    room = ceiling - versus if towards == "higher" else versus - floor
    at: Literal["floor", "ceiling"] | None = None
    if min(arm, versus) >= ceiling - near:
        at = "ceiling"
    elif max(arm, versus) <= floor + near:
        at = "floor"
    if at is not None:
        warning = (
            f"Both arms are at the {at} ({arm:.3g} and {versus:.3g} on a scale from {floor:g} to {ceiling:g}): this "
            "evaluation cannot tell them apart. Use a harder or an easier one."
        )
    elif detectable is not None and room < detectable:
        warning = (
            f"Only {room:.3g} is left between the comparison arm and the end of the scale, less than the "
            f"{detectable:.3g} that these data could detect: an effect could not have been shown."
        )
    else:
        warning = ""
    return Saturation(at, room, detectable, warning)
