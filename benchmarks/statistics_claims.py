"""Simulated experiments whose truth is known: rows of evaluation -> claims -> how many verdicts are false."""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from midspec.records import EvalRow
from midspec.stats.claims import Claim, Kind, judge_claims
from midspec.stats.spread import Numbers

TOPICS, PER_TOPIC = 20, 3
ARMS = ("baseline", "aft", "msm", "msm+aft", "other+aft")
SCALE = (0.0, 1.0)


class World(NamedTuple):
    """What is true. Shifts in nats against the baseline, per arm, on two evaluations."""

    name: str
    shifts: dict[str, float]
    seeds: int
    seed: float
    """Spread of training runs in nats."""
    lost: float = 0.0
    """Share of misaligned answers on which the judge gives no verdict."""
    wild: float | None = None
    """Spread of the runs of msm+aft alone, where it differs."""
    seed_variance: Literal["pooled", "own"] = "pooled"


WORLDS = [
    World("no arm differs", dict.fromkeys(ARMS, 0.0), 3, 0.1),
    World("no arm differs, seeds differ a lot", dict.fromkeys(ARMS, 0.0), 3, 0.4),
    World("no arm differs, one arm's seeds differ four times as much", dict.fromkeys(ARMS, 0.0), 3, 0.1, wild=0.4),
    World("no arm differs, 5 seeds", dict.fromkeys(ARMS, 0.0), 5, 0.2),
    World("differences exactly as large as the margins", dict.fromkeys(ARMS, 0.0) | {"msm": 0.3, "aft": 0.3}, 3, 0.1),
    World("effects of every size", {"baseline": 0.0, "aft": 0.2, "msm": 0.4, "msm+aft": 1.0, "other+aft": 0.2}, 3, 0.1),
    World(
        "the same, own seed variance",
        {"baseline": 0.0, "aft": 0.2, "msm": 0.4, "msm+aft": 1.0, "other+aft": 0.2},
        3,
        0.1,
        seed_variance="own",
    ),
    World("the same, 5 seeds", {"baseline": 0.0, "aft": 0.2, "msm": 0.4, "msm+aft": 1.0, "other+aft": 0.2}, 5, 0.1),
    World("the same, 1 seed that changes nothing", {**dict.fromkeys(ARMS, 0.0), "msm+aft": 1.0}, 1, 0.0),
    World("no arm differs, judge loses misaligned answers", dict.fromkeys(ARMS, 0.0), 3, 0.1, lost=0.1),
    World("no arm differs, but only 1 seed, and seeds differ", dict.fromkeys(ARMS, 0.0), 1, 0.2),
]

EVALS = ("opinions/x",)
CLAIMS: list[tuple[str, str, Kind, float]] = [
    ("msm+aft", "aft", "higher", 0.0),
    ("msm+aft", "msm", "higher", 0.0),
    ("msm+aft", "baseline", "higher", 0.3),
    ("msm+aft", "other+aft", "higher", 0.0),
    ("msm", "baseline", "higher", 0.0),
    ("aft", "baseline", "higher", 0.0),
    ("aft", "msm", "lower", 0.0),
    ("other+aft", "aft", "equivalent", 0.8),
    ("msm", "baseline", "equivalent", 0.3),
]
"""On log-odds."""

RATES: list[tuple[str, str, Kind]] = [("msm+aft", "aft", "higher"), ("msm+aft", "baseline", "higher")]
"""On rates; without a margin, so that the truth is the sign of the shift."""


def rows_of(rng: np.random.Generator, world: World) -> dict[tuple[str, str], dict[int, list[EvalRow]]]:
    """One experiment: log-odds with topic, item, arm and seed effects and heavy-tailed noise; written rows."""
    rows: dict[tuple[str, str], dict[int, list[EvalRow]]] = {}
    items = TOPICS * PER_TOPIC
    for evaluation in EVALS:
        shared = np.repeat(rng.normal(0, 0.8, TOPICS), PER_TOPIC) + rng.normal(0, 0.8, items)
        for arm, shift in world.shifts.items():
            own = np.repeat(rng.normal(0, 0.3, TOPICS), PER_TOPIC) + rng.normal(0, 0.3, items)
            between = world.wild if world.wild is not None and arm == "msm+aft" else world.seed
            for seed in range(world.seeds):
                odds = shared + own + shift + rng.normal(0, between) + 0.3 * rng.standard_t(3, items)
                rows.setdefault((arm, evaluation), {})[seed] = _rows(rng, evaluation, odds, world.lost)
    return rows


def _rows(rng: np.random.Generator, evaluation: str, odds: Numbers, lost: float) -> list[EvalRow]:
    aligned = rng.random(len(odds)) < special.expit(3 * odds) if lost else odds > 0
    gone = ~aligned & (rng.random(len(odds)) < lost)
    return [
        EvalRow(
            eval=evaluation,
            item=f"i{number}",
            domain="d",
            topic=f"t{number // PER_TOPIC}",
            difficulty="easy",
            log_odds=None if lost else float(value),
            aligned=None if missing else bool(choice),
            unscored="judge refused" if missing else None,
        )
        for number, (value, choice, missing) in enumerate(zip(odds, aligned, gone, strict=True))
    ]


def claims_of(world: World) -> list[tuple[Claim, float]]:
    """The family and the truth of each, in the unit of the shift."""
    made: list[tuple[Claim, float]] = []
    for evaluation in EVALS:
        for arm, versus, kind, margin in CLAIMS:
            if world.lost:
                continue
            claim = Claim(eval=evaluation, arm=arm, versus=versus, kind=kind, margin=margin, measure="shift")
            made.append((claim, world.shifts[arm] - world.shifts[versus]))
        for arm, versus, kind in RATES if not world.lost else [*RATES, ("msm", "baseline", "lower")]:
            claim = Claim(eval=evaluation, arm=arm, versus=versus, kind=kind)
            made.append((claim, world.shifts[arm] - world.shifts[versus]))
    return made


def room(claim: Claim, truth: float) -> float:
    """How far the truth is on the claimed side of the margin; below 0 the claim is false."""
    size = {"higher": truth, "lower": -truth, "equivalent": 2 * claim.margin - abs(truth)}[claim.kind]
    return round(size - claim.margin, 9)


def false(claim: Claim, truth: float, verdict: str) -> bool:
    """A difference exactly at the margin is neither above nor below it: either verdict is false then."""
    edge = room(claim, truth)
    if edge == 0:
        return verdict == "supported" or (verdict == "contradicted" and claim.kind != "equivalent")
    return verdict == ("contradicted" if edge > 0 else "supported")


class Tally(NamedTuple):
    experiments: int
    wrong: int
    """Experiments with at least one false verdict."""
    claims: int
    false_claims: int
    decided: dict[tuple[str, float], tuple[int, int]]
    """(kind and measure, how far from the margin) -> right verdicts and claims, of claims that are true."""


def simulate(world: World, experiments: int, seed: int = 0) -> Tally:
    """Judge `experiments` simulated experiments."""
    rng = np.random.default_rng(seed)
    family = claims_of(world)
    wrong = false_claims = 0
    right: Counter[tuple[str, float]] = Counter()
    asked: Counter[tuple[str, float]] = Counter()
    for _ in range(experiments):
        judged = judge_claims([claim for claim, _ in family], rows_of(rng, world), seed_variance=world.seed_variance)
        bad = [false(claim, truth, found.verdict) for (claim, truth), found in zip(family, judged, strict=True)]
        wrong += any(bad)
        false_claims += sum(bad)
        for (claim, truth), found in zip(family, judged, strict=True):
            if not false(claim, truth, "supported"):
                key = (f"{claim.kind}, {claim.measure}", room(claim, truth))
                asked[key] += 1
                right[key] += found.verdict == "supported"
    decided = {key: (right[key], number) for key, number in asked.items()}
    return Tally(experiments, wrong, experiments * len(family), false_claims, decided)


def claims_table(experiments: int) -> list[str]:
    """Markdown."""
    lines = [
        f"{experiments:,} simulated experiments each: five arms, 20 topics of 3 items, rows of "
        "`EvalRow` -> `judge_claims`, 11 claims in one family. *False* means: experiments with at least one false "
        "verdict. *Power*: of the claims that are true, how many come out as supported, by kind and by how far the "
        "truth is from the margin (nats).",
        "",
        "| world | seeds | experiments with a false verdict | false verdicts of all | power |",
        "|---|--:|--:|--:|---|",
    ]
    for number, world in enumerate(WORLDS):
        found = simulate(world, experiments, number)
        power = "; ".join(
            f"{kind} {distance:+.1f}: {100 * right / asked:.0f}%"
            for (kind, distance), (right, asked) in sorted(found.decided.items())
        )
        lines.append(
            f"| {world.name} | {world.seeds} | {100 * found.wrong / found.experiments:.1f}% "
            f"| {100 * found.false_claims / found.claims:.2f}% | {power or 'nothing to find'} |"
        )
    return lines
