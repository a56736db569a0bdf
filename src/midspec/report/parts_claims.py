"""Claims of a recipe as they came out: part of `results.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from midspec.report.part import Part


class EnoughDesign(Part):
    """So many training runs and at least so many topics or items would be enough."""

    seeds: int
    clusters: int | None
    """Topics, items or cells (`ClaimResult.unit`); None where no number up to 100,000 is enough."""


class SpreadSource(Part):
    """One source of the spread of the paired differences behind a claim."""

    name: str
    """`item`, `seed`, `item x seed`, `re-decode`, `re-judge`."""
    variance: float | None
    """Of one difference, in squared units of the measure; None where the data cannot show it."""
    share: float | None
    """Of all that can be shown."""
    note: str


class DataSaved(Part):
    """How many times fewer demonstrations the arm's curve needs for what the other reaches with its largest number."""

    arm_sizes: list[int]
    """Numbers of demonstrations that the arm's curve was measured at."""
    versus_sizes: list[int]
    outcome: Literal["times less", "at least", "not reached"] | None
    """None where there is no curve; then `sentence` says why."""
    times: float | None
    """For `at least` and `not reached` a bound; see docs/statistics.md."""
    low: float | None
    """95% interval, corrected for nothing."""
    high: float | None
    sentence: str


class ClaimResult(Part):
    """A claim with its verdict. Differences are `arm` minus `versus`, paired by item, sample and seed."""

    eval: str
    measure: str
    part: str | None = None
    scale: Literal["share", "grade", "number", "nats"]
    kind: Literal["higher", "lower", "equivalent", "efficiency"]
    direction: Literal["higher", "lower", "equivalent"]
    """What the interval is held against; that of an efficiency claim is its better end."""
    arm: str
    versus: str
    margin: float
    text: str
    """The claim in words."""
    verdict: Literal["supported", "contradicted", "undecided", "no data"]
    arm_value: float | None
    """Mean over the arm's answers that have a value."""
    versus_value: float | None
    value: float | None
    """Arm minus versus."""
    low: float | None
    """95% interval, corrected for nothing. Holds whatever missing judgements would have been, as the corrected one."""
    high: float | None
    corrected_low: float | None
    """Interval at `corrected_level`: the verdict is read from it."""
    corrected_high: float | None
    corrected_level: float | None
    p: float | None
    """Least error rate at which this claim alone would be decided, either way."""
    p_adjusted: float | None
    """The same over the family (Holm)."""
    family: int
    """Claims corrected together."""
    pairs: int
    clusters: int
    unit: Literal["topics", "items", "training runs"]
    """What clusters are: what answers may share."""
    seeds: tuple[int, int]
    """Training runs of arm and versus."""
    holds_for: Literal["training recipe", "these checkpoints"]
    missing: int
    """Judgements without a verdict, of both arms."""
    detectable: float | None
    """Least true difference that would have been shown with 80% power in this family."""
    wanted: float | None
    """Of an undecided claim: how far the measured difference is on the claimed side of the margin."""
    enough: list[EnoughDesign] = Field(default_factory=list)
    """What would show a true difference `wanted` from the margin with 80% power."""
    saturation: str
    """Warning that the scale left no room; empty where it did."""
    notes: list[str]
    """What must be known beside the verdict."""
    spread: list[SpreadSource] = Field(default_factory=list)
    """Empty with one training run."""
    data_saved: DataSaved | None = None
    """Of an efficiency claim."""
