"""Many comparisons at once: p-values and intervals corrected over a named family.

With 20 comparisons of arms that do not differ, one 95% interval on average excludes zero. Two promises can be kept:

- Holm (1979): the chance of even one wrong rejection in the family is at most alpha. For claims.
- False discovery rate (Benjamini and Hochberg 1995): of what is rejected, at most a share alpha is wrong on average.
  For maps of many cells. Holds for independent and positively dependent comparisons.

Intervals to go with them: simultaneous ones (Bonferroni: all of the family's hold at once with 95%), and those of what
the false discovery rate selected (Benjamini and Yekutieli 2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from statsmodels.stats.multitest import multipletests

from midspec.errors import InputError
from midspec.stats.effect import Effect, Estimate


class Compared(NamedTuple):
    """One comparison within its family."""

    name: str
    alone: Estimate
    """With its plain 95% interval, corrected for nothing."""
    p: float | None
    """Two-sided, against the family's null; None where there is no interval."""
    p_holm: float | None
    p_fdr: float | None
    simultaneous: Estimate
    """All of the family's intervals hold at once."""
    selected: Estimate | None
    """Where the false discovery rate selects it: interval corrected for the selection."""


class Family(NamedTuple):
    """Comparisons that are corrected together. The name says what was counted."""

    name: str
    alpha: float
    members: list[Compared]


def family(name: str, effects: Mapping[str, Effect], *, null: float = 0.0, alpha: float = 0.05) -> Family:
    """Correct all of `effects` together. Those without an interval count in no correction and get no p-value."""
    if not 0 < alpha < 1:
        raise InputError(f"alpha {alpha} is no error rate; give one between 0 and 1, e.g. 0.05")
    raw = {label: p for label, effect in effects.items() if (p := effect.p_value(null)) is not None}
    by_holm = dict(zip(raw, holm(list(raw.values())), strict=True))
    by_fdr = dict(zip(raw, false_discovery(list(raw.values())), strict=True))
    chosen = sum(p <= alpha for p in by_fdr.values())
    members = [
        Compared(
            label,
            effect.interval(1 - alpha),
            raw.get(label),
            by_holm.get(label),
            by_fdr.get(label),
            effect.interval(1 - alpha / max(1, len(raw)), strict=True),
            effect.interval(1 - alpha * chosen / len(raw), strict=True)
            if label in by_fdr and by_fdr[label] <= alpha
            else None,
        )
        for label, effect in effects.items()
    ]
    return Family(name, alpha, members)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values: at most alpha exactly where Holm's procedure rejects."""
    return _adjusted(p, "holm")


def false_discovery(p: Sequence[float]) -> list[float]:
    """Adjusted p-values of Benjamini and Hochberg."""
    return _adjusted(p, "fdr_bh")


def _adjusted(p: Sequence[float], method: str) -> list[float]:
    if not p:
        return []
    found: Any = multipletests(np.asarray(p, dtype=float), method=method)
    return [float(value) for value in found[1]]
