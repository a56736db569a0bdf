"""Results of a run that is not finished: whatever evaluations are done, over whatever seeds they are done for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from midspec import __version__
from midspec.arms import baseline_of, compared
from midspec.evals.scores import contrast, score
from midspec.evaluation import Evaluation, Measure
from midspec.pipeline import Pipeline
from midspec.records import EvalRow, read_rows
from midspec.report.measures import Runs, difference, measured
from midspec.report.results import (
    Arm,
    Asked,
    Checkpoint,
    Contrast,
    Difference,
    Gate,
    GateFinding,
    Results,
    Score,
    StepSummary,
)
from midspec.steps.record import StepRecord, code_state, machine_facts, package_versions
from midspec.steps.runs import results_fingerprint
from midspec.steps.store import Store

_NOTHING = Runs({}, {})


def partial_results(flow: Pipeline, store: Store) -> Results:
    """What is done of an experiment, in the form of a finished one. Arms without a done evaluation have no numbers,
    and corpora, curves and the analysis of reasoning are left out."""
    experiment = flow.experiment
    folders = {step.fingerprint: folder for step in flow.steps if (folder := store.result(step)) is not None}
    records = {name: store.record(folder) for name, folder in folders.items()}
    gate = _gate(flow, folders)
    excluded = frozenset(finding.item for finding in gate.findings)
    runs = {
        (arm, entry.name): _runs(flow, arm, entry.name, folders, records)
        for arm in experiment.arms
        for entry in experiment.evals
    }
    measures = {
        entry.name: entry.measures(_summaries(flow, entry, records)) for entry in experiment.evals if not entry.choices
    }
    return Results(
        name=experiment.name,
        description=experiment.description,
        fingerprint=results_fingerprint(flow),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        midspec=__version__,
        code=code_state(),
        packages=package_versions(),
        machine=machine_facts(),
        recipe=experiment.model_dump(mode="json"),
        command=[],
        writer=experiment.writer.model,
        judge=experiment.judge.model,
        model=flow.model.model_dump(mode="json"),
        split={},
        asked={entry.name: _asked(entry, flow) for entry in experiment.evals},
        arms={name: _arm(flow, name, runs, measures, excluded) for name in experiment.arms},
        contrasts=list(_contrasts(flow, runs, excluded)),
        differences=list(_differences(flow, runs, measures, excluded)),
        curves=[],
        corpora=[],
        demonstrations=None,
        gate=gate,
        steps=[
            StepSummary(
                kind=record.kind, name=record.name, fingerprint=record.fingerprint, seconds=record.seconds,
                summary=record.summary,
            )
            for record in records.values()
        ],
        seconds={},
        dollars=sum(float(record.summary.get("dollars", 0.0)) for record in records.values()),
    )  # fmt: skip


def _gate(flow: Pipeline, folders: Mapping[str, Any]) -> Gate:
    folder = folders.get(flow.gate.fingerprint) if flow.gate else None
    if folder is None:
        return Gate(checked_items=0, checked_rows=0, findings=list[GateFinding]())
    return Gate.model_validate_json((folder / "gate.json").read_text(encoding="utf-8"))


def _runs(
    flow: Pipeline, arm: str, evaluation: str, folders: Mapping[str, Any], records: Mapping[str, StepRecord]
) -> Runs:
    """Rows of the seeds that are done; an arm that no seed changes counts once."""
    rows: dict[int, Sequence[EvalRow]] = {}
    own: dict[int, Mapping[str, float | None]] = {}
    seen: set[str] = set()
    for seed in flow.experiment.seeds:
        fingerprint = flow.evaluations[arm, seed, evaluation].fingerprint
        if fingerprint in seen or fingerprint not in folders:
            continue
        seen.add(fingerprint)
        rows[seed] = list(read_rows(folders[fingerprint] / "rows.jsonl", EvalRow))
        told: Any = records[fingerprint].summary.get("metrics", [])
        own[seed] = {one["name"]: one["value"] for one in told} if isinstance(told, list) else {}
    return Runs(rows, own) if rows else _NOTHING


def _summaries(flow: Pipeline, entry: Evaluation, records: Mapping[str, StepRecord]) -> list[Mapping[str, Any]]:
    found = {step.fingerprint for (_, _, name), step in flow.evaluations.items() if name == entry.name}
    return [records[fingerprint].summary for fingerprint in sorted(found) if fingerprint in records]


def _asked(entry: Evaluation, flow: Pipeline) -> Asked:
    return Asked(
        task=str(getattr(entry, "task", entry.name)),
        choices=entry.choices,
        value=getattr(entry, "value", None),
        scoring=getattr(entry, "scoring", None),
        graders=[who.model for who in entry.graders(flow.experiment)],
    )


def _arm(
    flow: Pipeline,
    name: str,
    runs: Mapping[tuple[str, str], Runs],
    measures: Mapping[str, Sequence[Measure]],
    excluded: frozenset[str],
) -> Arm:
    arms = flow.experiment.arms
    baseline = baseline_of(arms, name)
    done = {seed for entry in flow.experiment.evals for seed in runs[name, entry.name].rows}
    seeds = [
        Checkpoint(seed=seed, checkpoint=None, parents=[step.fingerprint for step in flow.lineage(name, seed)])
        for seed in flow.experiment.seeds
        if seed in done
    ]
    evals: dict[str, Score] = {}
    shown: dict[str, Any] = {}
    for entry in flow.experiment.evals:
        mine, base = runs[name, entry.name], runs[baseline, entry.name] if baseline else _NOTHING
        if not mine.rows:
            continue
        if entry.choices:
            evals[entry.name] = Score(**score(mine.rows, base.rows or None, excluded)._asdict())
        else:
            versus = base if base.rows and baseline != name else None
            shown[entry.name] = measured(measures[entry.name], mine, versus, excluded)
    return Arm(
        msm=arms[name].msm, aft=bool(arms[name].aft), checkpoint=None,
        parents=seeds[0].parents if seeds else [], seeds=seeds, evals=evals, measures=shown,
    )  # fmt: skip


def _contrasts(flow: Pipeline, runs: Mapping[tuple[str, str], Runs], excluded: frozenset[str]) -> list[Contrast]:
    return [
        Contrast(eval=entry.name, arm=arm, versus=versus, **contrast(mine.rows, theirs.rows, excluded)._asdict())
        for entry in flow.experiment.evals
        if entry.choices
        for arm, versus in compared(flow.experiment.arms)
        for mine, theirs in ((runs[arm, entry.name], runs[versus, entry.name]),)
        if mine.rows and theirs.rows
    ]


def _differences(
    flow: Pipeline,
    runs: Mapping[tuple[str, str], Runs],
    measures: Mapping[str, Sequence[Measure]],
    excluded: frozenset[str],
) -> list[Difference]:
    return [
        difference(name, measure, (arm, versus), (mine, theirs), excluded)
        for name, some in measures.items()
        for at, measure in enumerate(some)
        if at == 0 or measure.compared
        for arm, versus in compared(flow.experiment.arms)
        for mine, theirs in ((runs[arm, name], runs[versus, name]),)
        if mine.rows and theirs.rows
    ]
