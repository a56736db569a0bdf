"""How far a judge agrees with a person, from a sheet that was drawn by theme and verdict. Pure.

Within a theme the rows with the judge's yes and those with its no are two random samples, and how many transcripts
have which is known. So everything follows from two shares: of the judge's yes that the person shares, and of its no
that the person does not. Intervals are those of 20,000 draws of both shares from their Jeffreys posteriors (ours): they
hold for the few rows a theme gets, where the usual formula for kappa does not. Rows of one cell count as independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from midspec.evals.reasoning.audit import Key
from midspec.stats.intervals import LEVEL, Estimate

DRAWS = 20_000
_UNKNOWN = Estimate(None, None, None)
_Shares = tuple[Any, Any, Any]
"""(share of transcripts that the judge says yes of; of those, what the person says yes of; of the others, the same)"""


class Agreement(NamedTuple):
    """Of one theme, or of all together (`theme` is `all`)."""

    theme: str
    rows: int
    """Rows that the person filled in with yes or no."""
    open: int
    """Rows left open, or unclear."""
    same: int
    """Rows in which both say the same, as drawn: half of the sheet are a yes of the judge."""
    percent: Estimate
    """Share of transcripts in which both would say the same. This and what follows is about all transcripts, not about
    the sheet; None where one of the judge's verdicts has no row."""
    kappa: Estimate
    """Cohen's."""
    precision: Estimate
    """Of the judge's yes, the share that the person shares."""
    recall: Estimate
    """Of the person's yes, the share that the judge found."""
    judged: float | None
    """Share of transcripts that the judge says yes of."""
    human: Estimate
    """Share that the person would say yes of: the prevalence, corrected for the judge's errors."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            name: value._asdict() if isinstance(value, Estimate) else value for name, value in self._asdict().items()
        }


class _Counts(NamedTuple):
    theme: str
    yes: int
    no: int
    """Transcripts by the judge's verdict."""
    rows: tuple[int, int]
    """Rows with the judge's (no, yes)."""
    agreed: tuple[int, int]
    """Of those, rows with the person's yes."""
    open: int


def agreement(key: Key, said: Mapping[str, bool], seed: int = 0) -> list[Agreement]:
    """One entry per theme of the sheet in the order of the key, then `all`: the themes with rows of both verdicts."""
    counts = [_counts(theme, key, said) for theme in key.strata]
    random = np.random.default_rng(seed)
    posteriors = [
        [random.beta(one.agreed[at] + 0.5, one.rows[at] - one.agreed[at] + 0.5, DRAWS) for at in (0, 1)]
        for one in counts
    ]
    found = [_of(one.theme, [one], [drawn]) for one, drawn in zip(counts, posteriors, strict=True)]
    full = [at for at, one in enumerate(counts) if _complete(one)]
    return [*found, _of("all", [counts[at] for at in full], [posteriors[at] for at in full])]


def _counts(theme: str, key: Key, said: Mapping[str, bool]) -> _Counts:
    asked = [one for one in key.asked if one.theme == theme]
    rows = [[said[one.row] for one in asked if one.judged == judged and one.row in said] for judged in (False, True)]
    stratum = key.strata[theme]
    return _Counts(
        theme,
        stratum.yes,
        stratum.no,
        (len(rows[0]), len(rows[1])),
        (sum(rows[0]), sum(rows[1])),
        len(asked) - len(rows[0]) - len(rows[1]),
    )


def _complete(one: _Counts) -> bool:
    return one.yes > 0 and one.no > 0 and min(one.rows) > 0


def _of(theme: str, counts: Sequence[_Counts], drawn: Sequence[Sequence[Any]]) -> Agreement:
    rows, same = (
        sum(sum(one.rows) for one in counts),
        sum(one.rows[0] - one.agreed[0] + one.agreed[1] for one in counts),
    )
    total = sum(one.yes + one.no for one in counts)
    judged = sum(one.yes for one in counts) / total if total else None

    def pooled(points: Sequence[Sequence[Any]]) -> _Shares:
        yes, no = sum(one.yes for one in counts), sum(one.no for one in counts)
        hit = sum(one.yes * point[1] for one, point in zip(counts, points, strict=True)) / yes if yes else 0.0
        slip = sum(one.no * point[0] for one, point in zip(counts, points, strict=True)) / no if no else 0.0
        return yes / total, hit, slip

    full = bool(counts) and all(map(_complete, counts))
    precise = bool(counts) and all(one.yes > 0 and one.rows[1] > 0 for one in counts)
    point = (
        pooled([[one.agreed[at] / one.rows[at] if one.rows[at] else 0.0 for at in (0, 1)] for one in counts])
        if total
        else (0.0, 0.0, 0.0)
    )
    cloud = pooled(drawn) if total else point

    def estimate(known: bool, of: Callable[[_Shares], Any]) -> Estimate:
        if not known:
            return _UNKNOWN
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(np.asarray(of((np.float64(point[0]), np.float64(point[1]), np.float64(point[2])))))
            ends = np.nanquantile(of(cloud), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        if not np.isfinite(value):
            return _UNKNOWN
        return Estimate(value, min(value, float(ends[0])), max(value, float(ends[1])))

    return Agreement(
        theme,
        rows,
        sum(one.open for one in counts),
        same,
        estimate(full, _percent),
        estimate(full, _kappa),
        estimate(precise, lambda shares: shares[1]),
        estimate(full, lambda shares: shares[0] * shares[1] / _human(shares)),
        judged,
        estimate(full, _human),
    )


def _human(shares: _Shares) -> Any:
    judged, hit, slip = shares
    return judged * hit + (1 - judged) * slip


def _percent(shares: _Shares) -> Any:
    judged, hit, slip = shares
    return judged * hit + (1 - judged) * (1 - slip)


def _kappa(shares: _Shares) -> Any:
    """Cohen (1960), of the table of all transcripts."""
    judged, human = shares[0], _human(shares)
    chance = judged * human + (1 - judged) * (1 - human)
    return (_percent(shares) - chance) / (1 - chance)
