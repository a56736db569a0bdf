"""The form of `runs/<name>/results.json`: all that a report shows, and all that a script needs. See docs/results.md.

The parts have modules of their own; all of them can be imported from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from midspec.errors import InputError
from midspec.report.part import Part
from midspec.report.parts_arms import Arm, Asked, Checkpoint, Contrast, Difference, Measured, Scale, Score
from midspec.report.parts_claims import ClaimResult
from midspec.report.parts_design import (
    CellMap,
    CellShare,
    CheckSummary,
    CorpusHealth,
    Matched,
    ScaleLine,
    ScalePoint,
    ScaleSaving,
    Scaling,
    SpecText,
    Trained,
)
from midspec.report.parts_made import (
    Beforehand,
    CorpusSummary,
    Curve,
    Demonstrations,
    Gate,
    GateFinding,
    ReplaySummary,
    SectionCoverage,
    StepSummary,
)
from midspec.report.parts_reasoning import (
    Quoted,
    Reasoning,
    TextPiece,
    Theme,
    ThemeDifference,
    ThemeQuote,
    ThemeShare,
)

__all__ = [
    "VERSION",
    "Arm",
    "Asked",
    "Beforehand",
    "CellMap",
    "CellShare",
    "CheckSummary",
    "Checkpoint",
    "Contrast",
    "CorpusHealth",
    "CorpusSummary",
    "Curve",
    "Demonstrations",
    "Difference",
    "Gate",
    "GateFinding",
    "Matched",
    "Measured",
    "Part",
    "Quoted",
    "Reasoning",
    "Results",
    "Scale",
    "ScaleLine",
    "ScalePoint",
    "ScaleSaving",
    "Scaling",
    "Score",
    "SectionCoverage",
    "SpecText",
    "StepSummary",
    "TextPiece",
    "Theme",
    "ThemeDifference",
    "ThemeQuote",
    "ThemeShare",
    "Trained",
    "read_results",
]

VERSION = 1


class Results(Part):
    """See the module."""

    version: Literal[1] = VERSION
    name: str
    description: str
    fingerprint: str
    """Of everything the numbers depend on: recipe and step fingerprints."""
    created: str
    """ISO 8601, UTC."""
    midspec: str
    """Version."""
    code: dict[str, Any]
    """Git commit and whether the tree was changed."""
    packages: dict[str, str]
    machine: dict[str, Any]
    recipe: dict[str, Any]
    """The experiment as run, defaults filled in."""
    command: list[str]
    """Commands that repeat it."""
    writer: str
    judge: str
    model: dict[str, Any]
    """Name and origin (source, revision or sha256)."""
    split: dict[str, str]
    """Evaluation -> split asked."""
    claims: list[ClaimResult] = Field(default_factory=list)
    """What the recipe claimed, with verdicts; empty where it claimed nothing."""
    arms: dict[str, Arm]
    contrasts: list[Contrast]
    differences: list[Difference] = Field(default_factory=list)
    asked: dict[str, Asked] = Field(default_factory=dict)
    """Evaluation -> what it is, in the order of the recipe; empty in files of midspec 0.1 before there were others than
    banks."""
    reasoning: Reasoning | None = None
    """The analysis that the recipe's `reasoning` asks for."""
    trained: dict[str, list[Trained]] = Field(default_factory=dict)
    """Arm -> how much each stage of it was trained."""
    matches: list[Matched] = Field(default_factory=list)
    """Of each pair of arms that is compared."""
    trainers: dict[str, list[str]] = Field(default_factory=dict)
    """Trainer in words -> the training steps (`kind/name-fingerprint`) that it made."""
    scaling: list[Scaling] = Field(default_factory=list)
    """Curves over amounts of data, wherever arms differ in nothing else."""
    cells: list[CellMap] = Field(default_factory=list)
    """Agentic evaluations by cell."""
    specs: dict[str, SpecText] = Field(default_factory=dict)
    """The recipe's specs by name."""
    health: list[CorpusHealth] = Field(default_factory=list)
    """What the gate said of each corpus."""
    curves: list[Curve]
    corpora: list[CorpusSummary]
    replay: ReplaySummary | None = None
    """What was mixed into every midtraining; None = nothing."""
    demonstrations: Demonstrations | None
    """The first set."""
    demonstration_sets: dict[str, Demonstrations] = Field(default_factory=dict)
    """Every set by name, the first too."""
    gate: Gate
    steps: list[StepSummary]
    seconds: dict[str, float]
    """Step (`kind/name-fingerprint`) -> seconds it took when it was made."""
    dollars: float
    beforehand: Beforehand | None = None
    """What came in the recipe's archive; None = all was made in this workspace."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know: offline writer, deviations from the paper's recipe, excluded items."""


def read_results(path: Path) -> Results:
    """Raises InputError for a missing file, damaged JSON, or a file of another version."""
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; run the recipe first") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "file"
        raise InputError(
            f"{path} is not a results file of version {VERSION}: {where}: {problem['msg']}; run the recipe again"
        ) from error
