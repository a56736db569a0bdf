"""What the corpus gate says: one result per check, one verdict over all. Plain values, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from midspec.records import Row

Verdict = Literal["pass", "warn", "fail", "skipped"]

EXAMPLES = 5
"""Examples kept per check; the counts are of all."""
ROWS_KEPT = 1000
"""Ids of flagged rows kept per check, to leave them out by."""


class Limit(NamedTuple):
    """How much of a fault is too much."""

    warn: float = 0.0
    """A larger share of the rows than this is a warning."""
    fail: float = 0.005
    """A larger share than this is a failure. (ours: on 500 clean documents and 100 READMEs no check comes near it)"""
    least: int = 2
    """Rows that make a failure; a single one is a warning, since a rule can be wrong about one text."""

    def verdict(self, flagged: int, of: int) -> Verdict:
        """The verdict on `flagged` of `of` rows."""
        share = flagged / of if of else 0.0
        if flagged >= self.least and share > self.fail:
            return "fail"
        return "warn" if flagged and share > self.warn else "pass"


class Flag(Row):
    """One row that a check objects to."""

    id: str
    why: str
    """What was found, quoted where it can be."""


class CheckResult(Row):
    """What one check found."""

    name: str
    verdict: Verdict
    flagged: int = 0
    """Rows objected to, or sections, names and phrases where the check counts those."""
    of: int = 0
    limit: str
    """When it fails, in words."""
    says: str
    """The finding in one sentence."""
    examples: tuple[Flag, ...] = ()
    details: dict[str, Any] = Field(default_factory=dict)
    """Figures behind it."""


class GateReport(Row):
    """All checks of one corpus."""

    verdict: Verdict
    """The worst of all checks."""
    rows: int
    words: int
    kind: Literal["documents", "chats"]
    spec: str | None
    """Name of the spec it was held against."""
    checks: tuple[CheckResult, ...]

    def failed(self) -> list[CheckResult]:
        """The checks that failed."""
        return [check for check in self.checks if check.verdict == "fail"]


def rows_result(name: str, flags: Sequence[Flag], of: int, limit: Limit, what: str, **details: Any) -> CheckResult:
    """The result of a check that looks at each row by itself; `what` says what the flagged rows do, in the plural."""
    count = len(flags)
    return CheckResult(
        name=name,
        verdict=limit.verdict(count, of),
        flagged=count,
        of=of,
        limit=f"> {limit.fail:.1%} of rows, at least {limit.least}",
        says=f"{count:,} of {of:,} {what}" if count else f"none of {of:,} {what}",
        examples=tuple(flags[:EXAMPLES]),
        details={**details, "rows": [flag.id for flag in flags[:ROWS_KEPT]]},
    )


def skipped(name: str, why: str) -> CheckResult:
    """A check that could not be made."""
    return CheckResult(name=name, verdict="skipped", limit="", says=why)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """fail before warn before pass; what was skipped says nothing."""
    found = set(verdicts)
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"
