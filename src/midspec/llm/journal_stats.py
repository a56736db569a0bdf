"""What is in a journal: requests, replies, tokens, dollars, failures and times, by run, step, template and model."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from midspec.llm.journal_file import reading

GROUPS = ("run", "step", "template", "model")


@dataclass
class Numbers:
    """Of one group of requests."""

    requests: int = 0
    """Distinct requests that have a reply, of whatever stop reason."""
    imported: int = 0
    """Of these, those that came from another journal."""
    stop_reasons: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    """Why replies could not be used; those without a verdict could, or nobody has read them yet."""
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    """Paid by this workspace, for failed attempts too; imported replies cost nothing."""
    unpriced: int = 0
    """Replies of models without a known price; their dollars are missing above."""
    failures: Counter[str] = field(default_factory=Counter)
    """Attempts without a reply, by kind."""
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with median and 95th percentile in place of all times."""
        plain = asdict(self)
        for name in ("stop_reasons", "verdicts", "failures"):
            plain[name] = dict(getattr(self, name).most_common())
        plain["seconds"] = {"median": percentile(self.seconds, 0.5), "p95": percentile(self.seconds, 0.95)}
        plain["dollars"] = round(self.dollars, 6)
        return plain


@dataclass
class Stats:
    """A whole journal."""

    total: Numbers
    groups: dict[str, dict[str, Numbers]]
    """`run`, `step`, `template`, `model` -> name -> numbers."""
    open_batches: int
    """Batch jobs that nobody has collected yet."""
    open_requests: int
    """Requests in them."""
    bytes: int
    """Of the file."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "total": self.total.as_dict(),
            **{f"by_{kind}": {name: n.as_dict() for name, n in group.items()} for kind, group in self.groups.items()},
            "open_batches": self.open_batches,
            "open_requests": self.open_requests,
            "bytes": self.bytes,
        }


def read_stats(path: Path) -> Stats:
    """Numbers of the journal at `path`, read in one pass. Raises StoreError where it cannot be read."""
    total = Numbers()
    groups: dict[str, dict[str, Numbers]] = {kind: defaultdict(Numbers) for kind in GROUPS}
    with reading(path) as connection:
        replies = connection.execute(
            "SELECT run, step, template, model, stop_reason, input_tokens, cached_tokens, cache_write_tokens,"
            " output_tokens, price, seconds, imported, reason FROM replies LEFT JOIN verdicts USING (key)"
        )
        for *names, stop, fresh, cached, written, output, price, seconds, imported, verdict in replies:
            for numbers in _groups(total, groups, names):
                numbers.requests += 1
                numbers.imported += imported
                numbers.stop_reasons[stop] += 1
                if verdict is not None:
                    numbers.verdicts[verdict] += 1
                numbers.input_tokens += fresh
                numbers.cached_tokens += cached
                numbers.cache_write_tokens += written
                numbers.output_tokens += output
                if not imported:
                    numbers.dollars += price or 0.0
                    numbers.unpriced += price is None
                numbers.seconds.append(seconds)
        failures = connection.execute("SELECT run, step, template, model, kind, price FROM failures")
        for *names, kind, price in failures:
            for numbers in _groups(total, groups, names):
                numbers.failures[kind] += 1
                numbers.dollars += price or 0.0
        batches, waiting = connection.execute(
            "SELECT count(DISTINCT batches.id), count(batch_items.batch) FROM batches"
            " LEFT JOIN batch_items ON batch = batches.id WHERE state IN ('creating', 'open')"
        ).fetchone()
    ordered = {kind: dict(sorted(group.items())) for kind, group in groups.items()}
    return Stats(total, ordered, batches, waiting, path.stat().st_size)


def _groups(total: Numbers, groups: dict[str, dict[str, Numbers]], names: list[str]) -> chain[Numbers]:
    return chain((total,), (groups[kind][name] for kind, name in zip(GROUPS, names, strict=True)))


def percentile(values: array[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]
