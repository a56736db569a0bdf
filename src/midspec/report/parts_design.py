"""The parts of `results.json` that say how arms differ by design: matched or not, by data, by specs."""

from __future__ import annotations

from typing import Literal

from midspec.report.part import Part
from midspec.report.parts_arms import Scale


class Trained(Part):
    """How much an arm was trained, on average over its seeds."""

    stage: str
    """`midtraining`, `fine-tuning`, `further training`."""
    tokens: float
    updates: float
    replayed: float = 0.0
    """Those of the tokens that are general text mixed in."""


class Matched(Part):
    """Whether two compared arms were trained equally much."""

    arm: str
    versus: str
    matched: bool
    words: str
    """E.g. `matched in tokens and updates`."""


class ScalePoint(Part):
    """One arm on a curve."""

    arm: str
    amount: float
    """Demonstrations, or tokens of midtraining."""
    tokens: float
    """Of the whole stage that varies, on average over seeds; with the instruction mix, where there is one."""
    value: float | None
    low: float | None
    high: float | None
    fitted: float | None
    """Isotonic fit over the amounts; None where it is not known which way is better."""


class ScaleLine(Part):
    """Arms that differ in one amount only, that rising."""

    label: str
    """What they have in common."""
    msm: str | None
    points: list[ScalePoint]


class ScaleSaving(Part):
    """How many times less data one line needs for what the other has at its largest amount."""

    line: str
    reference: str
    outcome: Literal["times less", "at least", "not reached"] | None
    times: float | None
    low: float | None
    high: float | None
    sentence: str


class Scaling(Part):
    """Curves of one evaluation's headline, or of the shift of its choices, over one amount."""

    eval: str
    measure: str
    scale: Scale | Literal["nats"]
    over: Literal["demonstrations", "midtraining tokens"]
    better: Literal["higher", "lower"] | None
    lines: list[ScaleLine]
    savings: list[ScaleSaving]


class CellShare(Part):
    """One arm in one cell."""

    n: int
    read: int
    """Answers with a verdict."""
    value: float | None
    """Share of these; None without any."""


class CellMap(Part):
    """Shares of an agentic evaluation by cell and arm."""

    eval: str
    measure: str
    cells: list[str]
    scenarios: list[str]
    """Of each cell."""
    goals: list[str]
    """Of each cell."""
    arms: dict[str, list[CellShare]]
    """Arm -> one entry a cell."""


class SpecText(Part):
    """A spec as the run read it."""

    sha256: str
    text: str
    """Placeholders unfilled."""


class CheckSummary(Part):
    """One check of a corpus gate."""

    name: str
    verdict: str
    flagged: int
    of: int
    limit: str
    says: str
    examples: list[str]
    """A few, as `id: why`."""


class CorpusHealth(Part):
    """What the gate said of one corpus."""

    corpus: str
    verdict: str
    rows: int
    words: int
    checks: list[CheckSummary]
