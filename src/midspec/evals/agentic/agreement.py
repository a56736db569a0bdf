"""How far two graders agree on the same answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from midspec.evals.agentic.verdict import FACETS
from midspec.records import EvalRow


class Agreement(NamedTuple):
    """Of two graders on one facet."""

    n: int
    """Answers that both gave a verdict on."""
    same: float | None
    """Share of equal verdicts."""
    kappa: float | None
    """Cohen's kappa; None without answers, and where chance alone would agree always."""
    first: float | None
    """Share of yes by the first."""
    second: float | None


def cohens_kappa(pairs: Sequence[tuple[float, float]]) -> Agreement:
    """Agreement of two yes-or-no verdicts (1 or 0) beyond chance (Cohen 1960)."""
    n = len(pairs)
    if n == 0:
        return Agreement(0, None, None, None, None)
    same = sum(one == other for one, other in pairs) / n
    first, second = (sum(column) / n for column in zip(*pairs, strict=True))
    chance = first * second + (1 - first) * (1 - second)
    return Agreement(n, same, (same - chance) / (1 - chance) if chance < 1 else None, first, second)


def agreement(first: Sequence[EvalRow], second: Sequence[EvalRow]) -> Mapping[str, Agreement]:
    """Per facet that both graders judge. Answers are matched by item and sample; what either left open is left out."""
    others = {(row.item, row.sample): row for row in second}
    both = [(row, others[row.item, row.sample]) for row in first if (row.item, row.sample) in others]
    found: dict[str, Agreement] = {}
    for facet in FACETS:
        if facet == "tool_used":  # read from the answer, without a judge
            continue
        values = [(one.facets.get(facet), other.facets.get(facet)) for one, other in both]
        found[facet] = cohens_kappa(
            [(one, other) for one, other in values if isinstance(one, (int, float)) and isinstance(other, (int, float))]
        )
    return found
