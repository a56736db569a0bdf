"""The form of a reference: published figures as data, with the conditions they were measured under.

The paper's own is in `data/paper/`; a user's file has the same form (`midspec compare RUN --template`). A number
that the source does not give is left out, a range stays a range, a direction without a number stays a direction.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Scale = Literal["share", "grade", "number", "times"]
"""A fraction from 0 to 1, a grade on a rubric's scale, any other number, or a factor."""
Direction = Literal["higher", "lower", "none"]
"""All that a source says of some effects: which way, or that there is none."""
Certainty = Literal["exact", "last digit", "approximate", "inferred"]
"""`last digit`: may be wrong by one; `approximate`: "about" in the source; `inferred`: part of the condition is."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One name alone is short for a list of one, as in `eval: agentic`."""


class Part(BaseModel):
    """Base: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(Part):
    """Under what a number was measured. What a value leaves open, its figure says."""

    eval: Names | None = None
    """Evaluations of ours that ask it, by name, `task/value` or task; `*` stands for anything. Each gets a row."""
    measure: str | None = None
    """`rate` of choices, the name of another measure (`decided`, `grade`), a kind of reasoning by its id (eval:
    reasoning), or `efficiency`: how many times less data `arm` needs than `versus`."""
    part: str | None = None
    """Scenario or dimension; None = all."""
    scale: Scale | None = None
    model: str | None = None
    """Base model; None = the source does not say, so every model of the run is meant."""
    n: int | None = Field(default=None, ge=1)
    """Answers behind the number, where known: the ground of its sampling error (shares only)."""
    digit: float | None = Field(default=None, ge=0)
    """How far reading may be off, in the number's own unit; for `times` a factor of 1 or more."""
    certainty: Certainty | None = None
    source: str | None = None
    """Figure, table or section."""


class Value(Condition):
    """One number of one arm, or with `versus` an effect: `arm` minus `versus`."""

    arm: Names
    """Names of our arms as recipes form them, the first that the run has counts. `{x}` stands for any corpus or set,
    the same in `versus`, and each that the run has gets a row."""
    versus: Names | None = None
    value: float | None = None
    range: tuple[float, float] | None = None
    """Where the source gives only between what several numbers lie."""
    direction: Direction | None = None
    """Where the source gives only which way (effects)."""
    low: float | None = None
    """95% interval of the source's own."""
    high: float | None = None
    note: str = ""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = [name for name in ("value", "range", "direction") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; expected one of value, range and direction")
        if self.direction is not None and self.versus is None:
            raise ValueError("direction is about a difference of two arms; give versus, too")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"range {list(self.range)} ends before it begins")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together; expected both or none")
        if self.low is not None and self.value is None:
            raise ValueError("low and high are the interval of a value; give the value")
        return self


class Figure(Condition):
    """One figure or table. Its fields are defaults of its values."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._+-]*$")
    title: str
    recipes: Names
    """Recipes of ours that repeat it; `*` = any."""
    values: tuple[Value, ...] = ()
    effects: tuple[Value, ...] = ()
    """Differences. One without value, range or direction is worked out from `values`, for each condition that has
    both arms."""

    @model_validator(mode="after")
    def _effects_have_two_arms(self) -> Self:
        for kind, values in (("values", self.values), ("effects", self.effects)):
            for at, value in enumerate(values):
                if (value.versus is None) == (kind == "effects"):
                    what = "needs versus" if kind == "effects" else "has versus; move it to effects"
                    raise ValueError(f"{kind}.{at} {what}")
        return self


class Setting(Part):
    """One thing that the source says, or does not say, about how its numbers were made."""

    key: str
    """What of a run it is compared with: a key of the recipe (`midtrain.rank`), or a fact of docs/conformance.md."""
    words: str
    """The same for people."""
    value: Any = None
    """Number, text (in which `*` stands for anything, and `!` before it for anything else) or truth value; a list: any
    of them."""
    shown: str | None = None
    """`value` for people, where it is a pattern."""
    least: float | None = None
    most: float | None = None
    """With `least`: anything between."""
    within: float = Field(default=0.0, ge=0)
    """Numbers count as equal up to this share of `value`; for what the source rounds."""
    unstated: bool = False
    """The source does not say. `value` is then what others use, if anything."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Other keys -> what they must be (text may hold `*`; a list: any of them) for this to be asked at all."""
    recipes: Names = ("*",)
    """Recipes of ours that it is about."""
    levels_only: bool = False
    """Moves both arms of a difference alike, so only levels suffer."""
    voids: bool = False
    """Another value makes numbers incomparable, not only less comparable."""
    voids_under: float | None = Field(default=None, gt=0, lt=1)
    """Less than this share of the source's number makes them incomparable."""
    why: str = ""
    """What it does to a comparison, with the ground for it."""
    source: str = ""


class Remark(Part):
    """What a reader must see beside some figures and no row can hold."""

    id: str
    kind: Literal["tension", "remark"] = "remark"
    """`tension`: the source contradicts itself."""
    text: str
    between: Names = ()
    """Of a tension: the two places that disagree, each with what it says."""
    figures: Names
    """Beside which figures it is shown; `*` = all."""
    arms: Names = ("*",)
    """Only beside rows of these arms."""
    model: str | None = None
    """Only beside rows of this model."""
    source: str = ""

    @model_validator(mode="after")
    def _tensions_are_between_two(self) -> Self:
        if self.kind == "tension" and len(self.between) < 2:
            raise ValueError(
                f"tension {self.id!r} has {len(self.between)} places in between; expected the two that disagree"
            )
        return self


class Reference(Part):
    """All figures of one source."""

    name: str
    title: str
    levels: str = ""
    """Why levels are less comparable than differences; empty = they are not."""
    settings: tuple[Setting, ...] = ()
    figures: tuple[Figure, ...] = Field(min_length=1)
    remarks: tuple[Remark, ...] = ()
    absent: tuple[str, ...] = ()
    """What one would look for and the source does not give."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        known = [figure.id for figure in self.figures]
        for name in known:
            if known.count(name) > 1:
                raise ValueError(
                    f"figure {name!r} is there {known.count(name)} times; expected an id of its own for each"
                )
        for at, remark in enumerate(self.remarks):
            for name in remark.figures:
                if name != "*" and name not in known:
                    raise ValueError(f"remarks.{at} names figure {name!r}; expected some of: {', '.join(known)}")
        return self

    def about(self, recipe: str) -> tuple[Figure, ...]:
        """The figures that a recipe of this name repeats; those of any recipe come last, and only beside others."""
        own = tuple(figure for figure in self.figures if meant(recipe, figure.recipes))
        return (*own, *(figure for figure in self.figures if figure.recipes == ("*",))) if own else ()


def meant(recipe: str, names: Names) -> bool:
    """Whether a run of this name is one of these recipes: the name itself, or with a profile's (`cheese-smoke`)."""
    return any(recipe == name or recipe.startswith(f"{name}-") for name in names if name != "*")
