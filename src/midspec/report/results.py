"""The form of `runs/<name>/results.json`: all that a report shows, and all that a script needs. See docs/results.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from midspec.errors import InputError
from midspec.records import ChatExample, Document

VERSION = 1


class Part(BaseModel):
    """Base: unknown keys rejected, so that a reader of another version fails loudly."""

    model_config = ConfigDict(extra="forbid")


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


Scale = Literal["share", "grade", "number"]
"""A share of answers, a grade on a rubric's scale, or a task's own number."""


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


class Asked(Part):
    """What an evaluation is."""

    task: str
    choices: bool
    """Whether arms have a rate and a shift on it (`Arm.evals`), or measures (`Arm.measures`)."""
    value: str | None = None
    """Of a bank: whose."""
    scoring: str | None = None
    """Of a bank: how answers are scored."""
    graders: list[str] = Field(default_factory=list)
    """Who graded, by name."""


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


class Theme(Part):
    """A kind of reasoning, or a way of using a spec's rules, that transcripts were searched for."""

    id: str
    name: str
    definition: str
    direction: str
    """`misaligned`, `aligned` or `neutral`."""


class ThemeShare(Part):
    """How often one arm's transcripts show a theme. Interval: 95%, clustered by item and training seed."""

    theme: str
    arm: str
    n: int
    """Transcripts."""
    read: int
    """Those with a judgement."""
    value: float | None
    """Share of those read; None without any."""
    low: float | None
    high: float | None
    least: float | None
    """If every missing judgement were a no."""
    most: float | None
    """If every one were a yes."""


class ThemeDifference(Part):
    """`arm` minus `versus` on one theme, paired by item."""

    theme: str
    arm: str
    versus: str
    items: int
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    """If missing judgements were all as far against the arm as they can be."""
    most: float | None
    p: float | None
    p_holm: float | None
    """Adjusted for all differences of the analysis."""


class ThemeQuote(Part):
    """Where a transcript shows a theme."""

    theme: str
    arm: str
    item: str
    sample: int
    transcript: str
    anchor: str
    """Name of its place among `Quoted.pieces`."""
    before: str
    quote: str
    after: str
    note: str
    """Of a rule: which one, and how it is taken."""


class TextPiece(Part):
    """A run of a transcript: plain, or quoted."""

    text: str
    anchors: list[str]
    """Names of the quotes that begin here."""
    marked: bool


class Quoted(Part):
    """A transcript that is quoted, whole."""

    id: str
    arm: str
    item: str
    sample: int
    pieces: list[TextPiece]


class Reasoning(Part):
    """What kinds of reasoning the transcripts of an agentic evaluation show."""

    over: str
    """Name of the evaluation."""
    judge: str
    themes_name: str
    origin: str
    """Who made the themes, and from what."""
    spec: str | None
    """Whose rules were looked for."""
    baseline: str | None
    transcripts: dict[str, int]
    """Arm -> how many."""
    missing: dict[str, dict[str, int]]
    """Arm -> why a transcript lacks a judgement -> how many."""
    themes: list[Theme]
    shares: list[ThemeShare]
    differences: list[ThemeDifference]
    comparisons: int
    """Differences that were tested together."""
    merged: dict[str, str]
    """Theme that is no more -> the one that took it in."""
    quotes: list[ThemeQuote]
    quoted: list[Quoted]
    page: str
    """Page with more quotes, relative to the workspace."""


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
    """Name in the recipe."""
    spec_file: str
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


class StepSummary(Part):
    """One step of the run."""

    kind: str
    name: str
    fingerprint: str
    seconds: float
    summary: dict[str, Any]


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
    arms: dict[str, Arm]
    contrasts: list[Contrast]
    differences: list[Difference] = Field(default_factory=list)
    asked: dict[str, Asked] = Field(default_factory=dict)
    """Evaluation -> what it is, in the order of the recipe; empty in files of midspec 0.1 before there were others than
    banks."""
    reasoning: Reasoning | None = None
    """The analysis that the recipe's `reasoning` asks for."""
    curves: list[Curve]
    corpora: list[CorpusSummary]
    demonstrations: Demonstrations | None
    gate: Gate
    steps: list[StepSummary]
    seconds: dict[str, float]
    """Step (`kind/name-fingerprint`) -> seconds it took when it was made."""
    dollars: float
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
