"""The parts of `results.json` that hold numbers of arms: rates, measures, differences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from midspec.report.part import Part

Scale = Literal["share", "grade", "number"]
"""A share of answers, a grade on a rubric's scale, or a task's own number."""


class Score(Part):
    """One arm on one evaluation, over items and seeds. Intervals are 95%, clustered by topic."""

    n: int
    """Answers counted: items x seeds."""
    items: int
    rate: float | None
    """Share of decided answers that are value-aligned."""
    low: float | None
    high: float | None
    shift: float | None
    """Mean change of the log-odds of the aligned answer against the baseline arm, paired by item, in nats. None for
    generated answers; 0 for the baseline itself."""
    shift_low: float | None
    shift_high: float | None
    undecided: int
    """Answers without a choice (likelihood: exact ties; generated: neither answer recognised)."""
    position_bias: float | None
    """Share of items whose choice follows the order they were named in; None where no order is shown."""
    missing: int = 0
    """Answers that no judge gave a verdict on."""
    least: float | None = None
    """The rate if all missing verdicts were the other choice; None where nothing is decided or missing."""
    most: float | None = None
    """The rate if all of them were the aligned choice."""

    @property
    def undecided_share(self) -> float | None:
        """Of the answers that were judged; None without any."""
        read = self.n - self.missing
        return self.undecided / read if read else None


class Measured(Part):
    """One number of one arm on an evaluation that is no choice between two answers. Intervals are 95%, clustered by
    item and by training seed."""

    measure: str
    """E.g. `decided`, `grade`, `accuracy`."""
    part: str | None = None
    """Scenario or dimension; None = all."""
    scale: Scale
    words: str = ""
    """What it is, for people."""
    n: int
    """Answers that count or may count."""
    items: int
    missing: int
    """Answers without a value."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Why -> how many."""
    value: float | None
    """Over the answers that have one; never 0 for want of them."""
    low: float | None
    high: float | None
    least: float | None
    """If every missing value were the least there can be; None where the scale has no ends."""
    most: float | None
    change: float | None = None
    """Minus the baseline arm, paired by item. None without a baseline, or for the baseline itself."""
    change_low: float | None = None
    change_high: float | None = None


class Difference(Part):
    """Difference of two arms on a measure of one evaluation, paired by item: `arm` minus `versus`."""

    eval: str
    measure: str
    scale: Scale
    arm: str
    versus: str
    n: int
    """Pairs of items; of seeds where only the task's own numbers are known."""
    value: float | None
    low: float | None
    high: float | None


class Contrast(Part):
    """Difference of two arms on one evaluation, paired by item: `arm` minus `versus`."""

    eval: str
    arm: str
    versus: str
    n: int
    rate: float | None
    """Difference of rates."""
    rate_low: float | None
    rate_high: float | None
    shift: float | None
    """Difference of log-odds in nats."""
    shift_low: float | None
    shift_high: float | None


class Asked(Part):
    """What an evaluation is."""

    task: str
    choices: bool
    """Whether arms have a rate and a shift on it (`Arm.evals`), or measures (`Arm.measures`)."""
    value: str | None = None
    """Of a bank: whose."""
    scoring: str | None = None
    """Of a bank: how answers are scored."""
    system: str | None = None
    """Of a bank: system prompt before every question, as the recipe has it; None = none."""
    graders: list[str] = Field(default_factory=list)
    """Who graded, by name."""


class Checkpoint(Part):
    """What one seed of an arm was evaluated on."""

    seed: int
    checkpoint: str | None
    """Folder, relative to the workspace; None = the base model itself."""
    parents: list[str]
    """Fingerprints of its training steps, first to last."""


class Arm(Part):
    """One condition."""

    msm: str | None
    aft: bool
    checkpoint: str | None
    """The first seed's folder."""
    parents: list[str]
    """The first seed's training steps."""
    seeds: list[Checkpoint]
    evals: dict[str, Score]
    measures: dict[str, list[Measured]] = Field(default_factory=dict)
    """Evaluation -> its numbers, headline first."""
