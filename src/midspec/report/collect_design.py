"""From finished steps to how arms differ by design: matched or not, curves over amounts of data, cells, specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from midspec.arms import ArmConfig, arm_name, compared
from midspec.claims import ClaimConfig, demonstrations_of
from midspec.corpus.gate_step import read_report
from midspec.evaluation import SCORE
from midspec.matching import Amount, Stage, amounts, matching, trainers
from midspec.report.claims_data import data_saved
from midspec.report.collect_arms import Answered
from midspec.report.done import Done
from midspec.report.results import (
    Arm,
    CellMap,
    CellShare,
    CheckSummary,
    CorpusHealth,
    Matched,
    Scale,
    ScaleLine,
    ScalePoint,
    ScaleSaving,
    Scaling,
    SpecText,
    Trained,
)
from midspec.stats.answers import Answers, answers
from midspec.stats.efficiency import monotone

Better = Literal["higher", "lower"]

BETTER: Mapping[str, Better] = {"agentic": "lower", "open_qa": "higher", "knowledge": "higher", "beliefs": "higher"}
"""Task -> which way its headline is better; evaluations by choices: higher. Others are drawn without a fit."""
EXAMPLES = 3
"""Of what a check of a gate found. (ours)"""


def trained_amounts(done: Done) -> dict[str, dict[Stage, Amount]]:
    """Arm -> stage -> how much it was trained."""
    return {
        arm: amounts(
            [
                [(step.kind, done.summary(step)) for step in done.flow.lineage(arm, seed)]
                for seed in done.experiment.seeds
            ]
        )
        for arm in done.experiment.arms
    }


def collect_trained(trained: Mapping[str, Mapping[Stage, Amount]]) -> dict[str, list[Trained]]:
    """Arm -> its stages."""
    return {
        arm: [
            Trained(stage=stage, tokens=one.tokens, updates=one.updates, replayed=one.replayed)
            for stage, one in stages.items()
        ]
        for arm, stages in trained.items()
    }


def collect_matches(done: Done, trained: Mapping[str, Mapping[Stage, Amount]]) -> list[Matched]:
    """Of every pair of arms that is compared, or that a claim is about."""
    claimed = [(claim.arm, claim.versus) for claim in done.experiment.claims]
    found = matching([*compared(done.experiment.arms), *claimed], trained)
    return [
        Matched(arm=arm, versus=versus, matched=match.matched, words=match.words)
        for (arm, versus), match in found.items()
    ]


def collect_trainers(done: Done) -> dict[str, list[str]]:
    """Trainer in words -> the training steps that it made."""
    return trainers(done.ordered())


def collect_specs(done: Done) -> dict[str, SpecText]:
    """The specs of the recipe by name."""
    return {name: SpecText(sha256=spec.sha256, text=spec.text) for name, spec in done.flow.specs.items()}


def collect_health(done: Done) -> list[CorpusHealth]:
    """What the gates said, corpus by corpus."""
    found: list[CorpusHealth] = []
    for name, step in done.flow.corpus_gates.items():
        report = read_report(done.folder(step))
        if report is None:
            continue
        checks = [
            CheckSummary(
                name=one.name,
                verdict=one.verdict,
                flagged=one.flagged,
                of=one.of,
                limit=one.limit,
                says=one.says,
                examples=[f"{flag.id}: {flag.why}" for flag in one.examples[:EXAMPLES]],
            )
            for one in report.checks
        ]
        found.append(
            CorpusHealth(corpus=name, verdict=report.verdict, rows=report.rows, words=report.words, checks=checks)
        )
    return found


def collect_cells(answered: Answered) -> list[CellMap]:
    """Of every agentic evaluation: share that decided for the act, by cell."""
    found: list[CellMap] = []
    for entry in answered.done.experiment.evals:
        if getattr(entry, "task", None) != "agentic":
            continue
        rows = {
            arm: [
                row
                for some in answered.rows(arm, entry.name).values()
                for row in some
                if row.item not in answered.excluded
            ]
            for arm in answered.done.experiment.arms
        }
        cells = {row.item: (row.domain, row.topic) for some in rows.values() for row in some}
        arms: dict[str, list[CellShare]] = {}
        for arm, some in rows.items():
            shares: list[CellShare] = []
            for cell in cells:
                here = [row.score for row in some if row.item == cell]
                known = [score for score in here if score is not None]
                value = sum(known) / len(known) if known else None
                shares.append(CellShare(n=len(here), read=len(known), value=value))
            arms[arm] = shares
        measure = answered.measures[entry.name][0].name
        scenarios, goals = ([one[at] for one in cells.values()] for at in (0, 1))
        found.append(
            CellMap(eval=entry.name, measure=measure, cells=list(cells), scenarios=scenarios, goals=goals, arms=arms)
        )
    return found


def collect_scaling(
    answered: Answered, arms: Mapping[str, Arm], trained: Mapping[str, Mapping[Stage, Amount]]
) -> list[Scaling]:
    """Curves wherever two arms or more differ in nothing but an amount of data."""
    found: list[Scaling] = []
    for entry in answered.done.experiment.evals:
        for over in ("demonstrations", "midtraining tokens"):
            for shift in (False, True) if entry.choices else (False,):
                one = _scaling(answered, entry.name, over, arms, trained, shift=shift)
                if one is not None:
                    found.append(one)
    return found


Over = Literal["demonstrations", "midtraining tokens"]


def _scaling(
    answered: Answered,
    name: str,
    over: Over,
    arms: Mapping[str, Arm],
    trained: Mapping[str, Mapping[Stage, Amount]],
    *,
    shift: bool,
) -> Scaling | None:
    """`shift`: of the log-odds against the baseline, instead of the evaluation's headline."""
    groups = _groups(answered.done, over, trained)
    if not groups:
        return None
    entry = next(one for one in answered.done.experiment.evals if one.name == name)
    measures = answered.measures.get(name)
    better = "higher" if entry.choices else BETTER.get(str(getattr(entry, "task", "")))
    measure, scale = ("rate", "share") if measures is None else (measures[0].name, measures[0].scale)
    if shift:
        measure, scale = "shift", "nats"
    lines = [
        _line(like, dict(sorted(sizes.items())), name, over, arms, trained, better, shift=shift)
        for like, sizes in groups.items()
    ]
    if shift and all(point.value is None for line in lines for point in line.points):
        return None
    savings: list[ScaleSaving] = []
    headline = not shift and (measures is None or measures[0].column == SCORE)
    if headline and over == "demonstrations" and better is not None:
        savings = _savings(answered, name, groups, better)
    return Scaling(
        eval=name, measure=measure, scale=_scale(scale), over=over, better=better, lines=lines, savings=savings
    )


def _scale(scale: str) -> Scale | Literal["nats"]:
    match scale:
        case "grade" | "number" | "nats":
            return scale
        case _:
            return "share"


def _groups(done: Done, over: Over, trained: Mapping[str, Mapping[Stage, Amount]]) -> dict[ArmConfig, dict[float, str]]:
    """What arms have in common -> amount -> arm; only where there are two amounts or more."""
    field = "aft_samples" if over == "demonstrations" else "msm_tokens"
    groups: dict[ArmConfig, dict[float, str]] = {}
    for name, arm in done.experiment.arms.items():
        amount = (
            demonstrations_of(done.experiment, arm)
            if over == "demonstrations"
            else (one.own if (one := trained[name].get("midtraining")) else 0)
        )
        if amount:
            groups.setdefault(arm.model_copy(update={field: None}), {})[amount] = name
    return {like: sizes for like, sizes in groups.items() if len(sizes) > 1}


def _line(
    like: ArmConfig,
    sizes: Mapping[float, str],
    name: str,
    over: Over,
    arms: Mapping[str, Arm],
    trained: Mapping[str, Mapping[Stage, Amount]],
    better: Better | None,
    *,
    shift: bool,
) -> ScaleLine:
    stage: Stage = "fine-tuning" if over == "demonstrations" else "midtraining"
    values: dict[float, tuple[float | None, float | None, float | None]] = {}
    for amount, arm in sizes.items():
        score = arms[arm].evals.get(name)
        first = next(iter(arms[arm].measures.get(name, [])), None)
        if score is not None and shift:
            values[amount] = (score.shift, score.shift_low, score.shift_high)
        elif score is not None:
            values[amount] = (score.rate, score.low, score.high)
        else:
            values[amount] = (None, None, None) if first is None else (first.value, first.low, first.high)
    known = {amount: value for amount, (value, _, _) in values.items() if value is not None}
    fitted: dict[float, float] = {}
    if better is not None and known:
        sign = 1 if better == "higher" else -1
        curve = monotone(list(known), [sign * value for value in known.values()])
        fitted = {amount: sign * float(value) for amount, value in zip(known, curve, strict=True)}
    return ScaleLine(
        label=arm_name(like),
        msm=like.msm,
        points=[
            ScalePoint(
                arm=arm,
                amount=amount,
                tokens=one.tokens if (one := trained[arm].get(stage)) else 0.0,
                value=values[amount][0],
                low=values[amount][1],
                high=values[amount][2],
                fitted=fitted.get(amount),
            )
            for amount, arm in sizes.items()
        ],
    )


def _savings(
    answered: Answered, name: str, groups: Mapping[ArmConfig, Mapping[float, str]], better: Better
) -> list[ScaleSaving]:
    """Each midtrained line against the one without midtraining that is alike otherwise."""
    choices = name not in answered.measures

    def read(arm: str) -> Answers:
        rows = answered.rows(arm, name)
        if choices:
            return answers(rows, "rate", excluded=answered.excluded)
        return answers(rows, "score", unit="item", excluded=answered.excluded)

    found: list[ScaleSaving] = []
    for like, sizes in groups.items():
        alone = like.model_copy(update={"msm": None, "msm_tokens": None})
        if like.msm is None or alone not in groups:
            continue
        arm, versus = min(sizes.items())[1], max(groups[alone].items())[1]
        claim = ClaimConfig(eval=name, arm=arm, versus=versus, kind="efficiency", better=better)
        saved = data_saved(answered, claim, read)
        found.append(
            ScaleSaving(
                line=arm_name(like),
                reference=arm_name(alone),
                outcome=saved.outcome,
                times=saved.times,
                low=saved.low,
                high=saved.high,
                sentence=saved.sentence,
            )
        )
    return found
