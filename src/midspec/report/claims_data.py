"""How many times fewer demonstrations one kind of arm needs than another: the curves behind an efficiency claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from midspec.claims import ClaimConfig, demonstrations_of
from midspec.experiment import Experiment
from midspec.report.collect_arms import Answered
from midspec.report.parts_claims import DataSaved
from midspec.stats.answers import Answers, Key
from midspec.stats.efficiency import efficiency
from midspec.stats.spread import Numbers

LEAST_SIZES = 2


def data_saved(answered: Answered, claim: ClaimConfig, read: Callable[[str], Answers]) -> DataSaved:
    """From the curves of both sides of `claim`. `read`: answers of an arm on what is claimed."""
    experiment = answered.done.experiment
    mine, theirs = (curve(experiment, name) for name in (claim.arm, claim.versus))
    arm = {size: read(name) for size, name in mine.items()}
    versus = {size: read(name) for size, name in theirs.items()}
    both = [*arm.values(), *versus.values()]
    seeds = sorted(set[int].intersection(*(set(of.values) for of in both)))
    topics: dict[Key, str] = {}
    for of in both:
        topics |= {key: topic for key, topic in of.clusters.items() if key not in topics}
    why = _why_not(arm, both, seeds, topics)
    if why:
        return _saved(mine, theirs, why)
    keys = list(topics)
    found = efficiency(
        list(arm),
        _curve(arm, seeds, keys),
        list(versus),
        _curve(versus, seeds, keys),
        clusters=[topics[key] for key in keys],
        better=claim.better,
    )
    return _saved(mine, theirs, found.sentence).model_copy(
        update={"outcome": found.outcome, "times": found.times, "low": found.low, "high": found.high}
    )


def curve(experiment: Experiment, name: str) -> dict[int, str]:
    """Demonstrations -> arm, rising: the arms that differ from `name` in nothing else."""
    like = experiment.arms[name].model_copy(update={"aft_samples": None})
    found = {
        demonstrations_of(experiment, arm): other
        for other, arm in experiment.arms.items()
        if arm.model_copy(update={"aft_samples": None}) == like
    }
    return dict(sorted(found.items()))


def _why_not(
    arm: Mapping[int, Answers], both: Sequence[Answers], seeds: Sequence[int], topics: Mapping[Key, str]
) -> str:
    if len(arm) < LEAST_SIZES:
        return "Measured with one number of demonstrations only: no curve, and nothing between or beyond."
    if not seeds or any(not of.seed_means for of in both):
        return "An arm of the curves has no answers, or no training seed in common with the others."
    return "" if len(set(topics.values())) > 1 else "One topic only: no interval."


def _curve(of: Mapping[int, Answers], seeds: Sequence[int], keys: Sequence[Key]) -> Numbers:
    """Sizes x seeds x answers; nan where one is missing."""
    rows = [[[_number(some.values[seed].get(key)) for key in keys] for seed in seeds] for some in of.values()]
    return np.asarray(rows, dtype=np.float64)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _saved(mine: Mapping[int, str], theirs: Mapping[int, str], sentence: str) -> DataSaved:
    return DataSaved(
        arm_sizes=list(mine), versus_sizes=list(theirs), outcome=None, times=None, low=None, high=None,
        sentence=sentence,
    )  # fmt: skip
