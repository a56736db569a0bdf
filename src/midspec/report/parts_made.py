"""The parts of `results.json` that say what was made on the way: corpora, demonstrations, weights, steps."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from midspec.records import ChatExample, Document
from midspec.report.part import Part


class Curve(Part):
    """Training loss of one step."""

    step: str
    """`midtrain/affordability-<fingerprint>`."""
    kind: Literal["midtrain", "finetune"]
    label: str
    """E.g. `midtrain affordability, seed 0`."""
    tokens: int
    updates: int
    seconds: float
    points: list[tuple[int, float]]
    """(update, loss)"""


class SectionCoverage(Part):
    """How much of a corpus teaches one section of its spec."""

    section: str
    documents: int
    words: int


class CorpusSummary(Part):
    """One corpus: size, spread, samples that can be traced."""

    spec: str
    """Name of the corpus in the recipe: that of its spec, where it has no other."""
    about: str | None = None
    """Name of the spec it is about; None = of none (a neutral corpus), or not told."""
    spec_file: str
    """Empty for a corpus about no spec."""
    spec_sha256: str
    writer: str
    documents: int
    words: int
    document_types: dict[str, int]
    coverage: list[SectionCoverage]
    rejected: dict[str, int]
    """Replies or documents refused, by reason."""
    samples: list[Document]
    """A few, spread over sections."""
    passages: dict[str, str]
    """Document id -> the passage it teaches, verbatim."""
    assertions: dict[str, str] = Field(default_factory=dict)
    """Assertion id -> its text, for the samples' assertions."""


class ReplaySummary(Part):
    """General text that was mixed into every midtraining."""

    file: str
    """As the recipe says."""
    share: float
    """Of the tokens of each midtraining."""
    documents: int
    """In the file, equal ones counted once; trainings draw from them."""
    words: int


class Demonstrations(Part):
    """The demonstrations all AFT arms share."""

    writer: str
    examples: int
    kinds: dict[str, int]
    rejected: dict[str, int]
    samples: list[ChatExample]


class GateFinding(Part):
    """An evaluation item found in training data."""

    item: str
    source: str
    """`corpus/affordability` or `demonstrations`."""
    row: str
    """Id of the document or demonstration."""
    overlap: str
    """The shared words."""


class Gate(Part):
    """The contamination gate. Items found are left out of every arm's numbers."""

    checked_items: int
    checked_rows: int
    findings: list[GateFinding]


class Beforehand(Part):
    """Steps that were not made in this workspace: their results came in an archive."""

    archive: str
    """`published` of the recipe."""
    steps: int
    seeds: list[int]
    """Training seeds all of whose trained arms came so."""
    first: str
    """When the earliest and the latest of them was made: day, UTC."""
    last: str
    commits: list[str]
    """Commits of midspec that made them, shortened; empty where none was recorded."""


class StepSummary(Part):
    """One step of the run."""

    kind: str
    name: str
    fingerprint: str
    seconds: float
    summary: dict[str, Any]
