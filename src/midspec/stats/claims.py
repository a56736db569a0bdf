"""What an experiment claims, and whether its data support it. At most 5% of experiments come out with a false verdict.

A claim is two arms, an evaluation, a direction (or "no difference") and a margin, written down before looking. Its
verdict is read off an interval: *supported* where the whole interval is on the claimed side of the margin,
*contradicted* where it is wholly on the other side, else *undecided*. All claims of an experiment are one family and
are corrected together (Holm 1979, with directions: Shaffer 1980): the surest claim is judged at alpha / claims, the
next one at alpha / (claims - 1), and so on until one is undecided. The interval that is shown as corrected is the one
at the level at which the claim was judged, so it always agrees with the verdict. Intervals are strict (`stats.spread`),
and hold whatever missing judgements would have been (`stats.missing`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from midspec.errors import InputError
from midspec.stats.answers import Answers, Measure, RowsBySeed, Unit, answers, bounded_difference
from midspec.stats.effect import Effect
from midspec.stats.missing import Bounded
from midspec.stats.pooling import SeedVariance, pooled
from midspec.stats.power import Design, detectable, enough, observed
from midspec.stats.saturation import Saturation, saturation

PLANNED_SEEDS = (3, 4, 5, 8, 10)
"""Numbers of training runs that are tried in planning; fewer than three show too little of their own variance."""

Kind = Literal["higher", "lower", "equivalent"]
Verdict = Literal["supported", "contradicted", "undecided", "no data"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`arm` against `versus` on `eval`."""

    eval: str
    arm: str
    versus: str
    kind: Kind
    """`higher`: by more than the margin; `equivalent`: the difference is smaller than the margin either way."""
    margin: float = 0.0
    """In the unit of the measure: 0.05 are five percentage points of a rate."""
    measure: Measure = "rate"
    unit: Unit = "topic"
    """What answers may share."""
    scale: tuple[float, float] | None = (0.0, 1.0)
    """Ends of the scale for rates and scores: where missing judgements are put. None: it has none that are known."""
    text: str = ""
    """The claim in words, for the report."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """Of the scale; log-odds have none."""
        return None if self.measure == "shift" else self.scale


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim with its verdict."""

    claim: Claim
    verdict: Verdict
    value: float | None
    """Arm minus versus."""
    low: float | None
    """95% interval, corrected for nothing."""
    high: float | None
    corrected_low: float | None
    """Interval at `corrected_level`, from which the verdict can be read."""
    corrected_high: float | None
    corrected_level: float | None
    p: float | None
    """Least alpha at which this claim alone would be decided, either way."""
    p_adjusted: float | None
    """The same over the family (Holm)."""
    family: int
    """Claims corrected together."""
    pairs: int
    clusters: int
    seeds: tuple[int, int]
    """Training runs of arm and versus."""
    holds_for: Literal["training recipe", "these checkpoints"]
    """`these checkpoints`: one side has one training run, and what another would change is in no interval."""
    missing: int
    detectable: float | None
    """Least true difference that would have been shown with 80% power in this family."""
    wanted: float | None
    """How far the measured difference is on the claimed side of the margin, where the claim is undecided."""
    enough: tuple[Design, ...]
    """What would show a true difference `wanted` from the margin with 80% power in this family; empty without one."""
    saturation: Saturation | None
    notes: tuple[str, ...]
    """Sentences a reader must see beside the verdict."""


def judge_claims(
    claims: Sequence[Claim],
    rows: Mapping[tuple[str, str], RowsBySeed],
    *,
    excluded: Collection[str] = (),
    untrained: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
    seed_variance: Literal["pooled", "own"] = "pooled",
    alpha: float = 0.05,
) -> list[Judged]:
    """Verdicts in the order of `claims`. `rows`: (arm, evaluation) -> training seed -> rows.

    `excluded`: items found in training data. `untrained`: arms that no seed changes (the bare base model): one run of
    theirs is all there is. `groups`: arm -> what makes it like others, e.g. its base model; None: all are alike.
    `seed_variance` pooled: estimated from all trained arms of the evaluation that are in a group with one of the
    claim's; own: from the two arms of a claim only, which is right however unlike the arms are, and shows next to
    nothing with three seeds (see `stats.pooling`). Raises InputError for an unknown arm or evaluation, a claim made
    twice, or a margin that does not fit the kind.
    """
    _check(claims, rows, alpha)
    cache: dict[tuple[str, str, Measure, Unit], Answers] = {}

    def read(arm: str, claim: Claim) -> Answers:
        key = (arm, claim.eval, claim.measure, claim.unit)
        if key not in cache:
            cache[key] = answers(rows[arm, claim.eval], claim.measure, unit=claim.unit, excluded=excluded)
        return cache[key]

    sides = [(read(claim.arm, claim), read(claim.versus, claim)) for claim in claims]
    shared: dict[tuple[str, Measure, Unit, frozenset[str]], SeedVariance | None] = {}
    group = dict.fromkeys((arm for arm, _ in rows), "") | dict(groups or {})

    def seeds_of(claim: Claim) -> SeedVariance | None:
        mine = frozenset((group[claim.arm], group[claim.versus]))
        key = (claim.eval, claim.measure, claim.unit, mine)
        if key not in shared:
            like = [arm for arm, evaluation in rows if evaluation == claim.eval and group[arm] in mine]
            arms = [arm for arm in like if arm not in untrained]
            shared[key] = pooled({arm: read(arm, claim).seed_means for arm in arms})
        return shared[key]

    found: list[Bounded | None] = []
    for claim, side in zip(claims, sides, strict=True):
        bound = bounded_difference(*side, claim.ends)
        if bound is not None and seed_variance == "pooled":
            bound = _with_pooled(bound, seeds_of(claim), *map(_runs, side))
        found.append(bound)
    decided = [
        _undecidable if bound is None else _decision(claim, bound) for claim, bound in zip(claims, found, strict=True)
    ]
    stages, adjusted = _step_down([p for p, _ in decided], alpha)
    return [
        _judged(claim, side, bound, decision, stage, p, len([p for p, _ in decided if p is not None]), untrained, alpha)
        for claim, side, bound, decision, stage, p in zip(claims, sides, found, decided, stages, adjusted, strict=True)
    ]


def _runs(of: Answers) -> int | None:
    """Training runs; None for one, whose variance cannot be seen."""
    return len(of.values) if len(of.values) > 1 else None


def _with_pooled(bound: Bounded, variance: SeedVariance | None, arm: int | None, versus: int | None) -> Bounded:
    several = [count for count in (arm, versus) if count is not None]
    if variance is None or not several:
        return bound
    other = several[1] if len(several) > 1 else None
    return bound.with_seed_variance(variance.of_difference(several[0], other), variance.freedom)


Decision = tuple[float | None, Verdict]
"""Least alpha at which a claim is decided, and how."""

_undecidable: Decision = (None, "no data")


def _decision(claim: Claim, bound: Bounded) -> Decision:
    least, most = bound.least, bound.most
    if not least.has_interval:
        return _undecidable
    if claim.kind != "equivalent":
        edge = claim.margin if claim.kind == "higher" else -claim.margin
        p = bound.p_value(edge)
        return p, "supported" if (least.value > edge) == (claim.kind == "higher") else "contradicted"
    margin = claim.margin
    if least.value > margin:
        return least.p_value(margin), "contradicted"
    if most.value < -margin:
        return most.p_value(-margin), "contradicted"
    above, below = least.one_sided(-margin, "above"), most.one_sided(margin, "below")
    assert above is not None
    assert below is not None
    return max(above, below), "supported"


def _step_down(p: Sequence[float | None], alpha: float) -> tuple[list[tuple[int, bool]], list[float | None]]:
    """Per claim: how many claims were left when it was judged and whether it was decided; Holm's adjusted p-values."""
    order = sorted((value, place) for place, value in enumerate(p) if value is not None)
    stages: list[tuple[int, bool]] = [(max(1, len(order)), False)] * len(p)
    adjusted: list[float | None] = [None] * len(p)
    going, left, highest = True, len(order), 0.0
    for rank, (value, place) in enumerate(order):
        highest = max(highest, min(1.0, value * (len(order) - rank)))
        adjusted[place] = highest
        going = going and value <= alpha / left
        stages[place] = (left, going)
        left -= going
    return stages, adjusted


def _judged(
    claim: Claim,
    sides: tuple[Answers, Answers],
    bound: Bounded | None,
    decision: Decision,
    stage: tuple[int, bool],
    p_adjusted: float | None,
    size: int,
    untrained: Collection[str],
    alpha: float,
) -> Judged:
    left, decided = stage
    arm, versus = sides
    p, way = decision
    seeds = (len(arm.values), len(versus.values))
    covered = all(count > 1 or name in untrained for count, name in zip(seeds, (claim.arm, claim.versus), strict=True))
    verdict: Verdict = "no data" if p is None else way if decided else "undecided"
    level = wide = plain = None
    if bound is not None and p is not None:
        # Equivalence is decided by two one-sided tests, each at the full alpha.
        tails = 2 if claim.kind == "equivalent" and way == "supported" else 1
        level = 1 - tails * alpha / left
        wide, plain = bound.interval(level, strict=True), bound.interval()
    least = None if bound is None or p is None else float(detectable(bound.least.spread, alpha=alpha, comparisons=size))
    least = None if least is None or least != least else least
    full = _saturation(claim, arm, versus, least)
    wanted = _wanted(claim, bound) if verdict == "undecided" and p is not None else None
    return Judged(
        claim=claim,
        verdict=verdict,
        value=None if bound is None or bound.read is None else bound.read.value,
        low=plain.low if plain else None,
        high=plain.high if plain else None,
        corrected_low=wide.low if wide else None,
        corrected_high=wide.high if wide else None,
        corrected_level=level,
        p=p,
        p_adjusted=p_adjusted,
        family=size,
        pairs=bound.least.answers if bound else 0,
        clusters=bound.least.clusters if bound else 0,
        seeds=seeds,
        holds_for="training recipe" if covered else "these checkpoints",
        missing=bound.missing if bound else 0,
        detectable=least,
        wanted=wanted,
        # Where all differences are equal, nothing is known of their spread, and nothing can be planned.
        enough=()
        if bound is None or wanted is None or least is None
        else _enough(bound.least, wanted, covered, alpha, size),
        saturation=full,
        notes=_notes(claim, verdict, seeds, covered, bound, full, arm.undecided + versus.undecided),
    )


def _wanted(claim: Claim, bound: Bounded | None) -> float | None:
    if bound is None or bound.read is None:
        return None
    value = bound.read.value
    apart = {"higher": value, "lower": -value, "equivalent": 2 * claim.margin - abs(value)}[claim.kind] - claim.margin
    return apart if apart > 0 else None


def _enough(of: Effect, wanted: float, covered: bool, alpha: float, size: int) -> tuple[Design, ...]:
    """With one training run nobody knows what more of them would do, so only items are planned."""
    several = covered and of.seeds > 1
    found = enough(
        observed(of.spread, clusters=of.clusters, seeds=of.seeds if several else 1),
        wanted,
        seeds=PLANNED_SEEDS if several else (1,),
        alpha=alpha,
        comparisons=size,
        pooled=float(of.spread.seed_freedom) / (of.seeds - 1) if several else 1.0,
    )
    return tuple(found)


def _saturation(claim: Claim, arm: Answers, versus: Answers, least: float | None) -> Saturation | None:
    mine, theirs = arm.mean, versus.mean
    if claim.ends is None or mine is None or theirs is None:
        return None
    floor, ceiling = claim.ends
    towards = "lower" if claim.kind == "lower" else "higher"
    return saturation(mine, theirs, towards=towards, detectable=least, floor=floor, ceiling=ceiling)


def _notes(
    claim: Claim,
    verdict: Verdict,
    seeds: tuple[int, int],
    covered: bool,
    bound: Bounded | None,
    full: Saturation | None,
    undecided: int,
) -> tuple[str, ...]:
    notes: list[str] = []
    if verdict == "no data":
        notes.append("No interval: fewer than two topics (or items) that both arms answered.")
    if not covered:
        side = claim.arm if seeds[0] < 2 else claim.versus
        notes.append(
            f"{side} has one training run: the interval does not include the variance between runs, and the verdict "
            "holds for these checkpoints only."
        )
    elif 2 in seeds:
        notes.append("Two training runs show little of the variance between runs; three or more are better.")
    if bound is not None and bound.missing:
        how = "left out" if claim.ends is None else "counted both as the least and as the most they could be"
        notes.append(f"{bound.missing} judgements are missing; they are {how}.")
    if undecided:
        notes.append(f"{undecided} answers made no choice and count nowhere.")
    if (
        full is not None
        and full.warning
        and verdict != "contradicted"
        and (verdict == "undecided" or claim.kind == "equivalent")
    ):
        notes.append(full.warning)
    return tuple(notes)


def _check(claims: Sequence[Claim], rows: Mapping[tuple[str, str], RowsBySeed], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"alpha {alpha} is no error rate; give one between 0 and 1, e.g. 0.05")
    for claim in claims:
        for arm in (claim.arm, claim.versus):
            if (arm, claim.eval) not in rows:
                known = ", ".join(sorted(f"{name} on {evaluation}" for name, evaluation in rows)) or "nothing"
                raise InputError(f"claim about {arm} on {claim.eval}, which has no rows; there are rows of {known}")
        if claim.arm == claim.versus:
            raise InputError(f"claim compares {claim.arm} with itself; give two arms")
        if claim.margin < 0 or (claim.kind == "equivalent" and claim.margin == 0):
            raise InputError(
                f"margin {claim.margin} of a claim that {claim.arm} is {claim.kind} on {claim.eval}; expected 0 or "
                "more, and above 0 for equivalence"
            )
    seen = [(claim.eval, claim.arm, claim.versus, claim.kind, claim.measure, claim.margin) for claim in claims]
    for claim, key in zip(claims, seen, strict=True):
        if seen.count(key) > 1:
            raise InputError(
                f"the claim that {claim.arm} is {claim.kind} against {claim.versus} on {claim.eval} is made twice; "
                "each counts once in the correction"
            )
