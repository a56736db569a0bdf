"""Arms: the conditions of an experiment. Products of factors, canonical names, controls, what is compared with what.

Pure functions on `ArmConfig`; what the names in an arm mean is the recipe's business (`midspec.experiment`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from math import prod
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from midspec.config import Config
from midspec.errors import InputError

MOST_ARMS = 1000
"""Arms of one recipe, controls included: more is a slip, not an experiment (ours)."""
MOST_PRODUCTS = 100_000
"""Combinations of one grid before equal ones become one."""

Control = Literal["baseline", "aft", "msm", "neutral", "paraphrase"]
CONTROLS: tuple[Control, ...] = ("baseline", "aft", "msm", "neutral", "paraphrase")

Count = Annotated[int, Field(ge=1)]


class ArmConfig(Config):
    """A condition: which midtraining, which demonstrations, on which model."""

    msm: str | None = None
    """Name of the corpus it is midtrained on, by default that of the spec of this name; None = no midtraining."""
    msm_tokens: Count | None = None
    """Midtrained on only so many tokens of that corpus; None = as `midtrain.tokens` says."""
    aft: bool | str = False
    """Whether it is fine-tuned on demonstrations; the name of the set where the recipe has several."""
    cot: bool = False
    """Whether the demonstrations keep the reasoning they were written with, and evaluations let it think before it
    answers. (paper: "AFT CoT")"""
    aft_samples: Count | None = None
    """Only so many demonstrations; smaller sets lie within larger ones. None = all. (paper, 4.2: 1,250 to 80k)"""
    after: str | None = None
    """Name of the further training that comes after all else; None = none."""
    model: str | None = None
    """Name of one of the recipe's `models`; None = its `model`."""


BASELINE = ArmConfig()


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _distinct(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise ValueError("is an empty list; expected at least one value")
    if len({(type(one), one) for one in value}) < len(value):
        raise ValueError(f"{list(value)} names a value twice; expected each once")
    return value


class Factors(Config):
    """Values of each factor of an arm; a single value is short for a list of one."""

    model: tuple[str | None, ...] = (None,)
    msm: tuple[str | None, ...] = (None,)
    msm_tokens: tuple[Count | None, ...] = (None,)
    aft: tuple[bool | str, ...] = (False,)
    cot: tuple[bool, ...] = (False,)
    aft_samples: tuple[Count | None, ...] = (None,)
    after: tuple[str | None, ...] = (None,)

    _list = field_validator("*", mode="before")(_listed)

    @model_serializer(mode="wrap")
    def _as_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An entry of `except` that named every factor would match less when it is read again.
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}

    @field_validator("model", "msm", "msm_tokens", "aft", "cot", "aft_samples", "after")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return _distinct(value)


FACTORS = tuple(Factors.model_fields)
"""In the order in which arms of a grid are listed: the first changes slowest."""


class GridConfig(Factors):
    """Arms as a product: one for every combination of the factors, but for those that are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    left_out: tuple[Factors, ...] = Field(default=(), alias="except")
    """Arms that are like one of these entries, which name some factors with one value or several."""


def _matches(arm: ArmConfig, some: Factors) -> bool:
    return all(getattr(arm, factor) in getattr(some, factor) for factor in some.model_fields_set)


def normal(arm: ArmConfig, sets: Mapping[str, int]) -> ArmConfig:
    """`arm` without what makes no difference to it, so that equal conditions are equal.

    `sets`: name of each AFT set -> its demonstrations. The only set is `true`, all of a set is no number. Raises
    ValueError for a set that is not there, and for `true` where there are several.
    """
    changes: dict[str, Any] = {}
    if arm.aft is True and len(sets) > 1:
        raise ValueError(f"has aft: true, but there are several sets; expected the name of one: {', '.join(sets)}")
    if isinstance(arm.aft, str):
        if arm.aft not in sets:
            raise ValueError(f"is fine-tuned on {arm.aft!r}, which is not in aft ({', '.join(sets)})")
        if len(sets) == 1:
            changes["aft"] = True
    if not arm.aft:
        changes |= {"cot": False, "aft_samples": None}
    elif arm.aft_samples == sets[arm.aft if isinstance(arm.aft, str) else next(iter(sets))]:
        changes["aft_samples"] = None
    if arm.msm is None:
        changes["msm_tokens"] = None
    return arm.model_copy(update=changes) if changes else arm


def arm_name(arm: ArmConfig) -> str:
    """The canonical name of a normal arm: `msm-values+aft-rules-cot`, `aft-5000.qwen3-32b`, `baseline`."""
    parts: list[str] = []
    if arm.msm is not None:
        parts.append(f"msm-{arm.msm}" + (f"-{arm.msm_tokens}" if arm.msm_tokens is not None else ""))
    if arm.aft:
        words = ["aft", arm.aft if isinstance(arm.aft, str) else "", "cot" if arm.cot else ""]
        words.append(str(arm.aft_samples) if arm.aft_samples is not None else "")
        parts.append("-".join(word for word in words if word))
    stem = "+".join(parts) or "baseline"
    return stem + (f"+then-{arm.after}" if arm.after else "") + (f".{arm.model}" if arm.model else "")


def expand(
    single: Mapping[str, ArmConfig], grids: Sequence[GridConfig], sets: Mapping[str, int]
) -> dict[str, ArmConfig]:
    """All arms by name: single ones first, then those of the grids that are not among them, each once.

    Raises ValueError where a name would stand for two arms, or an arm for two names, where an `except` matches nothing,
    a grid leaves nothing, or there are absurdly many.
    """
    arms: dict[str, ArmConfig] = {}
    for name, given in single.items():
        arm = _normal(f"arm {name!r}", given, sets)
        twin = next((other for other, config in arms.items() if config == arm), None)
        if twin is not None:
            raise ValueError(f"arms {twin!r} and {name!r} are the same condition; leave one of them out")
        arms[name] = arm
    known = set(arms.values())
    for number, grid in enumerate(grids):
        for arm in _of_grid(number, grid, sets):
            if arm in known:
                continue
            name = arm_name(arm)
            if name in arms:
                raise ValueError(
                    f"grid.{number} has an arm that is called {name!r} ({_words(arm)}), and that is the name of "
                    f"another ({_words(arms[name])}); rename what makes them alike, a corpus, a set or the other arm"
                )
            arms[name] = arm
            known.add(arm)
            _not_too_many(arms)
    return arms


def _not_too_many(arms: Collection[str]) -> None:
    if len(arms) > MOST_ARMS:
        raise ValueError(f"has more than {MOST_ARMS:,} arms; name fewer values, or leave some out with `except`")


def _of_grid(number: int, grid: GridConfig, sets: Mapping[str, int]) -> list[ArmConfig]:
    where = f"grid.{number}"
    size = prod(len(getattr(grid, factor)) for factor in FACTORS)
    if size > MOST_PRODUCTS:
        raise ValueError(f"{where} is a product of {size:,} combinations; name fewer values")
    combinations = product(*(getattr(grid, factor) for factor in FACTORS))
    normalised = [_normal(where, ArmConfig(**dict(zip(FACTORS, some, strict=True))), sets) for some in combinations]
    arms = list(dict.fromkeys(normalised))
    left_out = [_as_arms_say(some, sets) for some in grid.left_out]
    for place, some in enumerate(left_out):
        if not any(_matches(arm, some) for arm in arms):
            raise ValueError(
                f"{where}.except.{place} ({_said(grid.left_out[place])}) matches none of its arms; note that what "
                "makes no difference is dropped first (cot and aft_samples without aft, msm_tokens without msm)"
            )
    kept = [arm for arm in arms if not any(_matches(arm, some) for some in left_out)]
    if not kept:
        raise ValueError(f"{where} leaves no arm: its `except` entries match all {len(arms)}")
    return kept


def _normal(where: str, arm: ArmConfig, sets: Mapping[str, int]) -> ArmConfig:
    try:
        return normal(arm, sets)
    except ValueError as error:
        raise ValueError(f"{where} {error}") from error


def _as_arms_say(some: Factors, sets: Mapping[str, int]) -> Factors:
    """Where there is one set, its name means `true` here too."""
    if "aft" not in some.model_fields_set or len(sets) != 1:
        return some
    values = tuple(True if value == next(iter(sets)) else value for value in some.aft)
    return some.model_copy(update={"aft": values})


def _words(arm: ArmConfig) -> str:
    said = {key: value for key, value in arm.model_dump().items() if value != getattr(BASELINE, key)}
    return ", ".join(f"{key}: {value}" for key, value in said.items()) or "nothing"


def _said(some: Factors) -> str:
    return ", ".join(
        f"{factor}: {list(getattr(some, factor))}" for factor in FACTORS if factor in some.model_fields_set
    )


def controls(
    arms: Mapping[str, ArmConfig], wanted: Collection[Control], beside: Mapping[str, Mapping[str, str]]
) -> dict[str, ArmConfig]:
    """The controls of `arms` that `wanted` names, by canonical name.

    `baseline`: the instruct mix only, one for each model; `aft`: each arm with demonstrations and midtraining without
    the latter; `msm`: each midtraining alone; `neutral`, `paraphrase`: each arm with both on a corpus of that kind
    instead. `beside`: for these two, corpus -> the corpus that stands in for it; corpora that are controls themselves
    have none, and need no control. Raises InputError where two controls would have one name.
    """
    found: dict[ArmConfig, None] = {}
    if "baseline" in wanted:
        found |= {ArmConfig(model=model): None for model in dict.fromkeys(arm.model for arm in arms.values()) or [None]}
    if "aft" in wanted:
        found |= {_with(arm, msm=None, msm_tokens=None): None for arm in arms.values() if arm.aft}
    if "msm" in wanted:
        some = [arm for arm in arms.values() if arm.msm in beside["neutral"]]
        found |= {_with(arm, aft=False, cot=False, aft_samples=None, after=None): None for arm in some}
    for kind in ("neutral", "paraphrase"):
        if kind in wanted:
            stands_in = beside[kind]
            some = [arm for arm in arms.values() if arm.aft and arm.msm in stands_in]
            found |= {_with(arm, msm=stands_in[str(arm.msm)]): None for arm in some}
    named: dict[str, ArmConfig] = {}
    for arm in found:
        other = named.setdefault(arm_name(arm), arm)
        if other != arm:
            raise InputError(
                f"two controls are called {arm_name(arm)!r} ({_words(other)}; {_words(arm)}); rename what makes them "
                "alike, a corpus, a set or a model"
            )
    return named


def _with(arm: ArmConfig, **changes: Any) -> ArmConfig:
    return arm.model_copy(update=changes)


def baseline_of(arms: Mapping[str, ArmConfig], arm: str) -> str | None:
    """The arm with the instruct mix only on the same model; None where there is none."""
    wanted = ArmConfig(model=arms[arm].model)
    return next((name for name, config in arms.items() if config == wanted), None)


_MORE: Mapping[str, Any] = {
    "msm": lambda value: value is not None,
    "msm_tokens": lambda value: float("inf") if value is None else value,
    "aft": bool,
    "cot": bool,
    "aft_samples": lambda value: float("inf") if value is None else value,
    "after": lambda value: value is not None,
}
"""Factor -> how much of it a value is; factors that are not here (the model) do not differ between arms compared."""
_GO_ALONG: Mapping[str, Mapping[str, Any]] = {
    "msm": {"msm_tokens": None},
    "aft": {"cot": False, "aft_samples": None},
}
"""What an arm loses with a factor that is switched off."""


def compared(arms: Mapping[str, ArmConfig]) -> list[tuple[str, str]]:
    """(arm, versus) pairs: each arm against those of the same model that differ from it in one factor, and against the
    baseline.

    The arm that has the factor, or more of it, comes first; of two that have another corpus, set or further training,
    the one that is listed first.
    """
    place = {name: number for number, name in enumerate(arms)}
    name_of = {arm: name for name, arm in arms.items()}
    against: dict[str, set[str]] = {name: set() for name in arms}
    for factor, more in _MORE.items():
        groups: dict[ArmConfig, list[str]] = {}
        for name, arm in arms.items():
            if more(getattr(arm, factor)):
                groups.setdefault(_with(arm, **{factor: None}), []).append(name)
            without = _with(arm, **{factor: getattr(BASELINE, factor)}, **_GO_ALONG.get(factor, {}))
            if without != arm and without in name_of and factor not in ("msm_tokens", "aft_samples"):
                against[name].add(name_of[without])
        for alike in groups.values():
            for number, one in enumerate(alike):
                for other in alike[number + 1 :]:
                    first, second = one, other
                    if more(getattr(arms[other], factor)) > more(getattr(arms[one], factor)):
                        first, second = other, one
                    against[first].add(second)
    pairs: list[tuple[str, str]] = []
    for name, others in against.items():
        pairs += [(name, other) for other in sorted(others, key=place.__getitem__)]
        baseline = baseline_of(arms, name)
        if baseline is not None and baseline != name and baseline not in others:
            pairs.append((name, baseline))
    return pairs
