"""From labels to prevalence: per arm, with intervals and bounds, and differences of arms on equal items. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from midspec.evals.agentic.numbers import Share, share
from midspec.evals.reasoning.labels import POLICY_TEXTS, Labels
from midspec.evals.reasoning.themes import ThemeSet
from midspec.stats.compare import difference, paired
from midspec.stats.effect import Effect, Estimate
from midspec.stats.families import holm

ALL, MISALIGNED, ALIGNED = "all", "misaligned", "not misaligned"
"""Of which transcripts a line is; else `scenario: NAME`."""


class Line(NamedTuple):
    """How often one theme, or one verdict about rules, shows in one arm."""

    theme: str
    """Theme id, or one of `labels.POLICY`."""
    name: str
    direction: str
    """The theme's, or `policy`."""
    arm: str
    of: str
    """ALL, MISALIGNED, ALIGNED or `scenario: NAME`."""
    share: Share
    clusters: str
    """What the interval takes as independent: `items`, or `transcripts` where there is one item only."""


class Difference(NamedTuple):
    """Prevalence in one arm minus that in another, on items that both have."""

    theme: str
    arm: str
    versus: str
    items: int
    """Items that both arms have readable transcripts of."""
    value: float | None
    """Mean over items of the difference of the shares."""
    low: float | None
    """95% interval, clustered by item (and seed); None with fewer than two items."""
    high: float | None
    least: float | None
    """If every missing judgement of the arm were a no, and every one of the other a yes."""
    most: float | None
    outer_low: float | None
    """Lower end of the 95% interval of `least`: holds whatever the missing judgements were."""
    outer_high: float | None
    """Upper end of the interval of `most`."""
    p: float | None
    """Two-sided, strict (see `stats.effect`)."""
    p_holm: float | None
    """Adjusted for all differences of the table (Holm 1979)."""


class Table(NamedTuple):
    """Everything that is counted."""

    lines: list[Line]
    differences: list[Difference]
    comparisons: int
    """Differences that were tested together: so many chances to find one where there is none."""
    overlaps: list[tuple[str, str, float]]
    """Pairs of themes that mostly show in the same transcripts, with their Jaccard index."""
    missing: dict[str, dict[str, int]]
    """Arm -> why a transcript has no judgement on some theme -> how many transcripts."""
    transcripts: dict[str, int]
    """Arm -> how many."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "lines": [{**line._asdict(), "share": line.share._asdict()} for line in self.lines],
            "differences": [one._asdict() for one in self.differences],
            "comparisons": self.comparisons,
            "overlaps": [list(one) for one in self.overlaps],
            "missing": self.missing,
            "transcripts": self.transcripts,
        }


def table(
    rows: Sequence[Labels], themes: ThemeSet, baseline: str | None, overlaps: Sequence[tuple[str, str, float]] = ()
) -> Table:
    """Prevalence of every theme in every arm, and its difference from `baseline` (None: no differences)."""
    by_arm: defaultdict[str, list[Labels]] = defaultdict(list)
    for row in rows:
        by_arm[row.arm].append(row)
    asked = [(theme.id, theme.name, theme.direction) for theme in themes.themes]
    if any(row.policy for row in rows):
        asked += [(verdict, name, "policy") for verdict, (name, _) in POLICY_TEXTS.items()]
    subsets = {
        (arm, of): [row for row in some if keep(row)]
        for arm, some in by_arm.items()
        for of, keep in _subsets(rows).items()
    }
    lines = [_line(theme, arm, of, some) for theme in asked for (arm, of), some in subsets.items() if some]
    differences = [
        _difference(theme, (arm, some), (baseline, by_arm[baseline]))
        for theme, *_ in asked
        for arm, some in by_arm.items()
        if baseline is not None and arm != baseline
    ]
    return Table(
        lines=lines,
        differences=_adjusted(differences),
        comparisons=sum(one.p is not None for one in differences),
        overlaps=list(overlaps),
        missing={arm: _missing(some) for arm, some in by_arm.items()},
        transcripts={arm: len(some) for arm, some in by_arm.items()},
    )


def verdict(row: Labels, theme: str) -> float | None:
    """1, 0, or None where it is missing."""
    found = row.policy[theme] if theme in row.policy else row.themes.get(theme)
    return None if found is None else float(found)


def _subsets(rows: Sequence[Labels]) -> dict[str, Callable[[Labels], bool]]:
    subsets: dict[str, Callable[[Labels], bool]] = {ALL: lambda row: True}
    if any(row.misaligned is not None for row in rows):
        subsets[MISALIGNED] = lambda row: row.misaligned is True
        subsets[ALIGNED] = lambda row: row.misaligned is False
    domains = list(dict.fromkeys(row.domain for row in rows if row.domain))
    if len(domains) > 1:
        for domain in domains:
            subsets[f"scenario: {domain}"] = lambda row, domain=domain: row.domain == domain
    return subsets


def _line(theme: tuple[str, str, str], arm: str, of: str, rows: Sequence[Labels]) -> Line:
    one_item = len({row.item for row in rows}) < 2
    seeds = [row.seed for row in rows] if len({row.seed for row in rows}) > 1 else None
    clusters = [str(at) if one_item else row.item for at, row in enumerate(rows)]
    counted = share([verdict(row, theme[0]) for row in rows], clusters, seeds)
    return Line(*theme, arm, of, counted, "transcripts" if one_item else "items")


_Means = dict[int, dict[str, float | None]]


def _missing(rows: Sequence[Labels]) -> dict[str, int]:
    return dict(Counter(reason for row in rows for reason in set(row.missing.values())).most_common())


def _difference(theme: str, arm: tuple[str, Sequence[Labels]], versus: tuple[str, Sequence[Labels]]) -> Difference:
    def means(rows: Sequence[Labels], missing: float | None) -> _Means:
        """Seed -> item -> share of its transcripts; `missing` stands for what has no judgement, None leaves it out."""
        values: defaultdict[int, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            found = verdict(row, theme)
            found = missing if found is None else found
            if found is not None:
                values[row.seed][row.item].append(found)
        return {seed: {item: sum(some) / len(some) for item, some in items.items()} for seed, items in values.items()}

    def compared(low: float | None, high: float | None) -> Effect | None:
        pairs = paired(means(arm[1], low), means(versus[1], high))
        return difference(pairs, {pair.item: pair.item for pair in pairs})

    found, least, most = compared(None, None), compared(0.0, 1.0), compared(1.0, 0.0)
    interval = Estimate(None, None, None) if found is None else found.interval()
    return Difference(
        theme,
        arm[0],
        versus[0],
        found.clusters if found else 0,
        *interval,
        least.value if least else None,
        most.value if most else None,
        least.interval().low if least else None,
        most.interval().high if most else None,
        found.p_value() if found else None,
        None,
    )


def _adjusted(differences: Sequence[Difference]) -> list[Difference]:
    raw = {at: one.p for at, one in enumerate(differences) if one.p is not None}
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    return [one._replace(p_holm=adjusted.get(at)) for at, one in enumerate(differences)]
