"""From the rows of finished evaluations to judged claims.

Evaluations by choices are judged on their rows as they are. A measure of any other evaluation is laid out as an
evaluation of its own, whose rows have the measure's value as their score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from midspec.claims import CHOICE_MEASURES, ClaimConfig
from midspec.evaluation import Measure
from midspec.records import EvalRow
from midspec.report.claims_data import data_saved
from midspec.report.collect_arms import Answered
from midspec.report.measures import NO_REASON, Runs, counted
from midspec.report.parts_claims import ClaimResult, EnoughDesign, SpreadSource
from midspec.stats.answers import Answers, RowsBySeed, answers
from midspec.stats.claims import Claim, Judged, judge_claims
from midspec.stats.compare import paired
from midspec.stats.components import split

Scale = Literal["share", "grade", "number", "nats"]
ClusterUnit = Literal["topics", "items", "training runs"]


class Question(NamedTuple):
    """What a claim is about, as the statistics take it."""

    claim: Claim
    measure: str
    scale: Scale
    unit: ClusterUnit


def collect_claims(answered: Answered) -> list[ClaimResult]:
    """The recipe's claims, judged as one family, in its order."""
    experiment = answered.done.experiment
    rows: dict[tuple[str, str], RowsBySeed] = {}
    asked = [_asked(answered, claim, rows) for claim in experiment.claims]
    untrained = [name for name in experiment.arms if not answered.done.flow.lineage(name, experiment.seeds[0])]
    # The headline and a measure by its name may turn out to be one: a claim counts once, however often it is written.
    family = list(dict.fromkeys(entry.claim for entry in asked if isinstance(entry, Question)))
    judged = judge_claims(
        family,
        rows,
        excluded=answered.excluded,
        untrained=untrained,
        groups={name: arm.model or "" for name, arm in experiment.arms.items()},
        # Arms of one seed that share a base move together: only their difference shows what training adds.
        seed_variance="own" if answered.done.flow.base_per_seed else "pooled",
    )
    found = dict(zip(family, judged, strict=True))
    return [
        _nothing(claim, entry) if isinstance(entry, str) else _result(answered, claim, entry, found[entry.claim], rows)
        for claim, entry in zip(experiment.claims, asked, strict=True)
    ]


def _asked(answered: Answered, claim: ClaimConfig, rows: dict[tuple[str, str], RowsBySeed]) -> Question | str:
    """The claim for the statistics, its rows of all arms added to `rows`; a sentence where nothing can be judged."""
    arms = answered.done.experiment.arms
    measures = answered.measures.get(claim.eval)
    if measures is None:
        for arm in arms:
            rows[arm, claim.eval] = answered.rows(arm, claim.eval)
        name = claim.measure or CHOICE_MEASURES[0]
        judged = _claim(claim, claim.eval, "shift" if name == "shift" else "rate", (0.0, 1.0))
        return Question(judged, name, "nats" if name == "shift" else "share", "topics")
    measure = next((one for one in measures if claim.measure in (None, one.name)), None)
    if measure is None:
        known = ", ".join(one.name for one in measures) or "none"
        return f"{claim.eval} has no measure {claim.measure!r}; it has: {known}."
    runs = {arm: answered.runs[arm, claim.eval] for arm in arms}
    domains = dict.fromkeys(row.domain for of in runs.values() for some in of.rows.values() for row in some)
    if claim.part is not None and claim.part not in domains:
        return f"{claim.eval} has no part {claim.part!r}; it has: {', '.join(domains)}."
    key = repr((claim.eval, measure.name, claim.part))
    numbers_only = measure.own and measure.column is None
    for arm, of in runs.items():
        if numbers_only:
            rows[arm, key] = _numbers(measure, of, answered.done.experiment.seeds)
        else:
            rows[arm, key] = _scores(measure, claim.part, of, answered.excluded)
    unit = "training runs" if numbers_only else "topics" if measure.by_topic else "items"
    return Question(_claim(claim, key, "score", measure.ends), measure.name, measure.scale, unit)


def _claim(
    claim: ClaimConfig, key: str, measure: Literal["rate", "shift", "score"], ends: tuple[float, float] | None
) -> Claim:
    return Claim(
        eval=key,
        arm=claim.arm,
        versus=claim.versus,
        kind=claim.direction,
        margin=claim.margin,
        measure=measure,
        scale=ends,
    )


def _scores(measure: Measure, part: str | None, runs: Runs, excluded: frozenset[str]) -> dict[int, list[EvalRow]]:
    """Answers to a measure as rows; what they may share is their topic."""
    found: dict[int, list[EvalRow]] = {seed: [] for seed in runs.rows}
    for one in counted(measure, part, runs, excluded):
        unscored = None if one.value is not None else one.reason or NO_REASON
        found[one.seed].append(_row(measure, one.item, one.cluster, one.value, unscored, one.sample))
    return found


def _numbers(measure: Measure, runs: Runs, seeds: Sequence[int]) -> dict[int, list[EvalRow]]:
    """A task's own number of each training run: the run is all there is to see any spread between.

    One run of an untrained arm stands beside every run of another.
    """
    single = len(runs.own) == 1
    return {
        seed: [
            _row(measure, f"run {run}", f"run {run}", value, None if value is not None else NO_REASON, 0)
            for run in (seeds if single else [seed])
        ]
        for seed, own in runs.own.items()
        for value in (own.get(measure.name),)
    }


def _row(measure: Measure, item: str, topic: str, score: float | None, unscored: str | None, sample: int) -> EvalRow:
    return EvalRow(
        eval=measure.name, item=item, domain="", topic=topic, difficulty="", score=score, unscored=unscored,
        sample=sample,
    )  # fmt: skip


def _result(
    answered: Answered,
    claim: ClaimConfig,
    asked: Question,
    found: Judged,
    rows: Mapping[tuple[str, str], RowsBySeed],
) -> ClaimResult:
    def read(arm: str) -> Answers:
        return answers(rows[arm, asked.claim.eval], asked.claim.measure, excluded=answered.excluded)

    arm, versus = read(claim.arm), read(claim.versus)
    warning = found.saturation.warning if found.saturation else ""
    return ClaimResult(
        eval=claim.eval,
        measure=asked.measure,
        part=claim.part,
        scale=asked.scale,
        kind=claim.kind,
        direction=claim.direction,
        arm=claim.arm,
        versus=claim.versus,
        margin=claim.margin,
        text=claim.sentence,
        verdict=found.verdict,
        arm_value=arm.mean,
        versus_value=versus.mean,
        value=found.value,
        low=found.low,
        high=found.high,
        corrected_low=found.corrected_low,
        corrected_high=found.corrected_high,
        corrected_level=found.corrected_level,
        p=found.p,
        p_adjusted=found.p_adjusted,
        family=found.family,
        pairs=found.pairs,
        clusters=found.clusters,
        unit=asked.unit,
        seeds=found.seeds,
        holds_for=found.holds_for,
        missing=found.missing,
        detectable=found.detectable,
        wanted=found.wanted,
        enough=[
            EnoughDesign(seeds=design.seeds, clusters=design.items)
            for design in found.enough
            if asked.unit != "training runs"
        ],
        # It is among the notes where it bears on the verdict, and only then.
        saturation=warning if warning in found.notes else "",
        notes=[note for note in found.notes if note != warning],
        spread=_spread(arm, versus),
        data_saved=data_saved(answered, claim, read) if claim.kind == "efficiency" else None,
    )


def _spread(arm: Answers, versus: Answers) -> list[SpreadSource]:
    """Where the paired differences come from; nothing with one training run, or one item."""
    pairs = paired(arm.values, versus.values)
    keys = [key for pair in pairs if isinstance(key := pair.item, tuple)]
    items = [key[0] for key in keys]
    seeds = [pair.seed for pair in pairs]
    if len(set(items)) < 2 or len(set(seeds)) < 2:
        return []
    found = split([pair.arm - pair.versus for pair in pairs], items, seeds, samples=[key[1] for key in keys])
    return [
        SpreadSource(name=part.name, variance=part.variance, share=part.share, note=part.note) for part in found.parts
    ]


def _nothing(claim: ClaimConfig, why: str) -> ClaimResult:
    return ClaimResult(
        eval=claim.eval, measure=claim.measure or "", part=claim.part, scale="number", kind=claim.kind,
        direction=claim.direction, arm=claim.arm, versus=claim.versus, margin=claim.margin, text=claim.sentence,
        verdict="no data", arm_value=None, versus_value=None, value=None, low=None, high=None, corrected_low=None,
        corrected_high=None, corrected_level=None, p=None, p_adjusted=None, family=0, pairs=0, clusters=0, unit="items",
        seeds=(0, 0), holds_for="these checkpoints", missing=0, detectable=None, wanted=None, saturation="",
        notes=[why],
    )  # fmt: skip
