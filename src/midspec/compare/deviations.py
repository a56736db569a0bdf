"""In what a run was made otherwise than a reference, and what that does to a comparison. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from midspec.compare.facts import Facts
from midspec.compare.reference import Setting, meant

NOT_KNOWN = "not recorded"


class Deviation(NamedTuple):
    """One thing that is not as in the reference, or that the reference does not say."""

    key: str
    words: str
    ours: str
    theirs: str
    unstated: bool
    """The reference does not say: what differs may be nothing."""
    voids: bool
    """Numbers cannot be compared."""
    levels_only: bool
    why: str
    source: str


def deviations(settings: Sequence[Setting], recipe: str, facts: Facts) -> list[Deviation]:
    """Of one arm on one evaluation, in the order of the settings. `recipe`: name of the run."""
    found: list[Deviation] = []
    for setting in settings:
        named = "*" in setting.recipes or meant(recipe, setting.recipes)
        if named and _asked(setting, facts) and (one := _deviation(setting, facts)) is not None:
            found.append(one)
    return found


def _asked(setting: Setting, facts: Facts) -> bool:
    """Whether the setting has a meaning here: its condition holds, and the stage it is about took place."""
    return all(_is(facts.get(key), wanted) for key, wanted in setting.when.items()) and (
        setting.key in facts or any(key.startswith(setting.key.partition(".")[0] + ".") for key in facts)
    )


def _deviation(setting: Setting, facts: Facts) -> Deviation | None:
    known = setting.key in facts
    ours = facts.get(setting.key)
    if setting.unstated:
        if known and setting.value is not None and _equal(ours, setting.value, setting.within):
            return None
        theirs = "not stated" if setting.value is None else f"not stated; others use {shown(setting.value)}"
        return _told(setting, shown(ours) if known else NOT_KNOWN, theirs, voids=False)
    if not known:
        return _told(setting, NOT_KNOWN, _expected(setting), voids=False)
    if _fits(setting, ours):
        return None
    target = setting.least if setting.least is not None else _first_number(setting.value)
    small = (
        setting.voids_under is not None
        and target is not None
        and isinstance(ours, int | float)
        and ours < setting.voids_under * target
    )
    return _told(setting, shown(ours), _expected(setting), voids=setting.voids or small)


def _told(setting: Setting, ours: str, theirs: str, *, voids: bool) -> Deviation:
    return Deviation(
        setting.key,
        setting.words,
        ours,
        theirs,
        setting.unstated,
        voids,
        setting.levels_only,
        setting.why,
        setting.source,
    )


def _fits(setting: Setting, ours: Any) -> bool:
    if setting.least is not None or setting.most is not None:
        if not isinstance(ours, int | float) or isinstance(ours, bool):
            return False
        least, most = setting.least, setting.most
        return (least is None or ours >= least) and (most is None or ours <= most)
    wanted = setting.value if isinstance(setting.value, list) else [setting.value]
    return any(_equal(ours, one, setting.within) for one in wanted)


def _equal(ours: Any, wanted: Any, within: float) -> bool:
    if isinstance(wanted, bool) or isinstance(ours, bool):
        return ours is wanted
    if isinstance(ours, int | float) and isinstance(wanted, int | float):
        return abs(ours - wanted) <= max(within, 1e-9) * abs(wanted)
    if isinstance(ours, str) and isinstance(wanted, str):
        if wanted.startswith("!"):  # anything but
            return not fnmatchcase(ours, wanted[1:])
        return fnmatchcase(ours, wanted)
    return ours == wanted


def _is(ours: Any, wanted: Any) -> bool:
    return any(_equal(ours, one, 0.0) for one in (wanted if isinstance(wanted, list) else [wanted]))


def _expected(setting: Setting) -> str:
    if setting.shown is not None:
        return setting.shown
    if setting.least is not None and setting.most is not None:
        return f"{shown(setting.least)} to {shown(setting.most)}"
    if setting.least is not None or setting.most is not None:
        return f"at least {shown(setting.least)}" if setting.least is not None else f"at most {shown(setting.most)}"
    about = "about " if setting.within else ""
    return about + shown(setting.value)


def _first_number(value: Any) -> float | None:
    one = value[0] if isinstance(value, list) and value else value
    return float(one) if isinstance(one, int | float) and not isinstance(one, bool) else None


def shown(value: Any) -> str:
    """A setting's value in words."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.6g}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return " or ".join(shown(one) for one in value)
        case Mapping():
            return ", ".join(f"{key} {shown(one)}" for key, one in value.items())
        case _:
            return str(value)
