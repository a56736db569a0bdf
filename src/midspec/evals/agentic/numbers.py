"""From rows to rates: per cell, per scenario and overall, split, and with bounds for what has no verdict. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from midspec.evals.agentic.cells import SCENARIOS
from midspec.records import EvalRow
from midspec.stats.intervals import rate_interval


class Share(NamedTuple):
    """A share of answers, some of which may have no verdict."""

    n: int
    """Answers that count or may count."""
    read: int
    """Those with a verdict."""
    value: float | None
    """Among those with a verdict; None without any."""
    low: float | None
    """95% interval of `value`: cells (or, within a cell, samples) as clusters."""
    high: float | None
    least: float | None
    """If every missing verdict were a no."""
    most: float | None
    """If every missing verdict were a yes."""
    outer_low: float | None
    """Lower end of the 95% interval of `least`: holds whatever the missing verdicts were."""
    outer_high: float | None
    """Upper end of the interval of `most`."""


class Line(NamedTuple):
    """One line of the table: a cell, a scenario, or all."""

    of: str
    n: int
    decided: Share
    """`classifier_verdict`: what the paper counts as misaligned."""
    harmful: Share
    tool_used: Share
    decided_with_tool: Share
    """P(decided | a tool was used)."""
    decided_without_tool: Share
    executed_if_decided: Share
    """P(executed | decided)."""
    prose_refusal: Share
    eval_aware: Share
    cut: int
    """Answers that ended at the token limit: what they were coming to is not known."""
    missing: dict[str, int]
    """Why there is no verdict -> how many."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {name: value._asdict() if isinstance(value, Share) else value for name, value in self._asdict().items()}


class Table(NamedTuple):
    """All lines."""

    cells: list[Line]
    scenarios: list[Line]
    all: Line

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "all": self.all.plain(),
            "scenarios": [line.plain() for line in self.scenarios],
            "cells": [line.plain() for line in self.cells],
        }


def table(rows: Sequence[EvalRow], seeds: Sequence[Hashable] | None = None) -> Table:
    """The numbers of one arm. `seeds`: the training run of each row; None = one."""
    paired = list(zip(rows, seeds or [0] * len(rows), strict=True))
    by_cell = _grouped(paired, lambda row: row.item)
    by_scenario = _grouped(paired, lambda row: row.domain)
    order = [scenario for scenario in SCENARIOS if scenario in by_scenario]
    return Table(
        [_line(cell, some, within_cell=True) for cell, some in by_cell.items()],
        [_line(scenario, by_scenario[scenario]) for scenario in order],
        _line("all", paired),
    )


def share(
    values: Sequence[float | None], clusters: Sequence[Hashable], seeds: Sequence[Hashable] | None = None
) -> Share:
    """Share of ones in `values` (1, 0, or None where there is no verdict), with its bounds."""

    def interval(filled: Sequence[float], of: Sequence[int]) -> tuple[float | None, float | None, float | None]:
        return rate_interval(filled, [clusters[at] for at in of], [seeds[at] for at in of] if seeds else None)

    every = range(len(values))
    known = [at for at in every if values[at] is not None]
    value, low, high = interval([value for value in values if value is not None], known)
    if len(known) == len(values):
        return Share(len(values), len(known), value, low, high, value, value, low, high)
    least, outer_low, _ = interval([value or 0.0 for value in values], every)
    most, _, outer_high = interval([1.0 if value is None else value for value in values], every)
    return Share(len(values), len(known), value, low, high, least, most, outer_low, outer_high)


_Rows = list[tuple[EvalRow, Hashable]]


def _line(of: str, rows: _Rows, *, within_cell: bool = False) -> Line:
    def shared(name: str, keep: Callable[[EvalRow], bool] = lambda row: True) -> Share:
        kept = [(at, row, seed) for at, (row, seed) in enumerate(rows) if keep(row)]
        several = len({seed for _, seed in rows}) > 1
        return share(
            [_value(row, name) for _, row, _ in kept],
            [at if within_cell else row.item for at, row, _ in kept],
            [seed for _, _, seed in kept] if several else None,
        )

    return Line(
        of=of,
        n=len(rows),
        decided=shared("classifier_verdict"),
        harmful=shared("harmful"),
        tool_used=shared("tool_used"),
        decided_with_tool=shared("classifier_verdict", lambda row: row.facets["tool_used"] == 1),
        decided_without_tool=shared("classifier_verdict", lambda row: row.facets["tool_used"] == 0),
        # Where it is not known whether it decided, it may have, with either outcome.
        executed_if_decided=shared("executed", lambda row: row.score is None or row.score == 1),
        prose_refusal=shared("prose_refusal"),
        eval_aware=shared("eval_aware"),
        cut=sum(row.facets.get("stop_reason") == "max_tokens" for row, _ in rows),
        missing=dict(Counter(row.unscored for row, _ in rows if row.unscored is not None).most_common()),
    )


def _value(row: EvalRow, name: str) -> float | None:
    value = row.facets.get(name)
    assert value is None or isinstance(value, (int, float)), f"{row.item}: facet {name} is {value!r}"
    return value


def _grouped(rows: _Rows, key: Callable[[EvalRow], str]) -> Mapping[str, _Rows]:
    groups: dict[str, _Rows] = {}
    for row, seed in rows:
        groups.setdefault(key(row), []).append((row, seed))
    return groups
