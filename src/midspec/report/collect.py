"""From finished steps to `Results`: reads rows and records, scores arms, compares them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from midspec import __version__
from midspec.corpus.planned import CorpusPlan
from midspec.evals.scores import contrast, score
from midspec.evaluation import Evaluation, Measure
from midspec.experiment import ArmConfig, Experiment
from midspec.pipeline import Pipeline, analysed
from midspec.records import ChatExample, Document, EvalRow, read_rows
from midspec.report.measures import Runs, difference, measured
from midspec.report.reasoning import reasoning
from midspec.report.results import (
    Arm,
    Asked,
    Checkpoint,
    Contrast,
    CorpusSummary,
    Curve,
    Demonstrations,
    Gate,
    Reasoning,
    Results,
    Score,
    SectionCoverage,
    StepSummary,
)
from midspec.steps.record import StepRecord, code_state, machine_facts, package_versions
from midspec.steps.runs import results_fingerprint
from midspec.steps.step import Step
from midspec.steps.store import Store

SAMPLE_DOCUMENTS = 12
SAMPLE_DEMONSTRATIONS = 12

RowsBySeed = Mapping[int, Sequence[EvalRow]]


def collect(flow: Pipeline, store: Store, command: list[str]) -> Results:
    """Everything about a finished experiment. All steps of `flow` must be done."""
    experiment = flow.experiment
    folders = {step.fingerprint: _folder(store, step) for step in flow.steps}
    records = {print_: store.record(folder) for print_, folder in folders.items()}
    gate = _gate(flow, folders)
    runs = {
        (arm, evaluation.name): _runs(_evaluated(flow, arm, evaluation.name), folders, records)
        for arm in experiment.arms
        for evaluation in experiment.evals
    }
    rows = {key: found.rows for key, found in runs.items()}
    measures = {
        entry.name: entry.measures([records[step.fingerprint].summary for step in _steps_of(flow, entry.name)])
        for entry in experiment.evals
        if not entry.choices
    }
    excluded = frozenset(finding.item for finding in gate.findings)
    ordered = [records[step.fingerprint] for step in flow.steps]
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
        command=[" ".join(command)],
        writer=experiment.writer.model,
        judge=experiment.judge.model,
        model=flow.model.model_dump(mode="json"),
        split={
            entry.name: split for entry in experiment.evals if isinstance(split := getattr(entry, "split", None), str)
        },
        asked={entry.name: _asked(entry, experiment) for entry in experiment.evals},
        arms=_arms(flow, store, folders, runs, measures, excluded),
        contrasts=_contrasts(experiment, rows, excluded),
        differences=[
            difference(name, measure, (arm, versus), (runs[arm, name], runs[versus, name]), excluded)
            for name, shown in measures.items()
            for at, measure in enumerate(shown)
            if at == 0 or measure.compared
            for arm, versus in compared(experiment)
        ],
        reasoning=_reasoning(flow, store, folders),
        curves=[curve for step in flow.steps if (curve := _curve(step, folders, records)) is not None],
        corpora=[_corpus(name, step, flow, folders, records) for name, step in flow.corpora.items()],
        demonstrations=_demonstrations(flow.demonstrations, folders, records, experiment.writer.model),
        gate=gate,
        steps=[
            StepSummary(
                kind=record.kind,
                name=record.name,
                fingerprint=record.fingerprint,
                seconds=record.seconds,
                summary=record.summary,
            )
            for record in ordered
        ],
        seconds={f"{record.kind}/{record.name}-{record.fingerprint}": record.seconds for record in ordered},
        dollars=sum(float(record.summary.get("dollars", 0.0)) for record in ordered),
        notes=[warning for record in ordered for warning in _warnings(record)],
    )


def _folder(store: Store, step: Step) -> Path:
    folder = store.find(step)
    assert folder is not None, f"{step.kind}/{step.name} is not done"
    return folder


def _warnings(record: StepRecord) -> list[str]:
    return [f"{record.kind} {record.name}: {warning}" for warning in record.summary.get("warnings", [])]


def _runs(steps: list[tuple[int, Step]], folders: Mapping[str, Path], records: Mapping[str, StepRecord]) -> Runs:
    own = {seed: records[step.fingerprint].summary.get("metrics", []) for seed, step in steps}
    return Runs(
        {seed: list(read_rows(folders[step.fingerprint] / "rows.jsonl", EvalRow)) for seed, step in steps},
        {seed: {one["name"]: one["value"] for one in told} for seed, told in own.items() if isinstance(told, list)},
    )


def _steps_of(flow: Pipeline, evaluation: str) -> list[Step]:
    found = [step for (_, _, name), step in flow.evaluations.items() if name == evaluation]
    return list({step.fingerprint: step for step in found}.values())


def _asked(entry: Evaluation, experiment: Experiment) -> Asked:
    return Asked(
        task=str(getattr(entry, "task", entry.name)),
        choices=entry.choices,
        value=getattr(entry, "value", None),
        scoring=getattr(entry, "scoring", None),
        graders=[who.model for who in entry.graders(experiment)],
    )


def _evaluated(flow: Pipeline, arm: str, evaluation: str) -> list[tuple[int, Step]]:
    """(seed, step) of an arm; an arm that no seed changes (the bare base model) counts once."""
    steps: dict[str, tuple[int, Step]] = {}
    for seed in flow.experiment.seeds:
        step = flow.evaluations[arm, seed, evaluation]
        steps.setdefault(step.fingerprint, (seed, step))
    return list(steps.values())


def _arms(
    flow: Pipeline,
    store: Store,
    folders: Mapping[str, Path],
    runs: Mapping[tuple[str, str], Runs],
    measures: Mapping[str, Sequence[Measure]],
    excluded: frozenset[str],
) -> dict[str, Arm]:
    experiment = flow.experiment
    baseline = _baseline(experiment)
    arms: dict[str, Arm] = {}
    for name, config in experiment.arms.items():
        seeds = [_checkpoint(flow, store, folders, name, seed) for seed in experiment.seeds]
        evals = {
            entry.name: Score(
                **score(
                    runs[name, entry.name].rows, runs[baseline, entry.name].rows if baseline else None, excluded
                )._asdict()
            )
            for entry in experiment.evals
            if entry.choices
        }
        versus = baseline if baseline != name else None
        shown = {
            of: measured(some, runs[name, of], runs[versus, of] if versus else None, excluded)
            for of, some in measures.items()
        }
        arms[name] = Arm(
            msm=config.msm,
            aft=config.aft,
            checkpoint=seeds[0].checkpoint,
            parents=seeds[0].parents,
            seeds=seeds,
            evals=evals,
            measures=shown,
        )
    return arms


def _baseline(experiment: Experiment) -> str | None:
    return next((name for name, arm in experiment.arms.items() if arm == ArmConfig()), None)


def _checkpoint(flow: Pipeline, store: Store, folders: Mapping[str, Path], arm: str, seed: int) -> Checkpoint:
    last = flow.checkpoints[arm, seed]
    folder = folders[last.fingerprint] / "checkpoint" if last else None
    return Checkpoint(
        seed=seed,
        checkpoint=folder.relative_to(store.workspace).as_posix() if folder else None,
        parents=[step.fingerprint for step in flow.lineage(arm, seed)],
    )


def _contrasts(
    experiment: Experiment, rows: Mapping[tuple[str, str], RowsBySeed], excluded: frozenset[str]
) -> list[Contrast]:
    """Every difference a claim can rest on, per evaluation."""
    found: list[Contrast] = []
    for evaluation in (entry for entry in experiment.evals if entry.choices):
        for arm, versus in compared(experiment):
            difference = contrast(rows[arm, evaluation.name], rows[versus, evaluation.name], excluded)
            found.append(Contrast(eval=evaluation.name, arm=arm, versus=versus, **difference._asdict()))
    return found


def compared(experiment: Experiment) -> list[tuple[str, str]]:
    """(arm, versus) pairs: each midtrained arm against its like with another midtraining and with none; each
    fine-tuned arm against its like without fine-tuning; each arm against the baseline."""
    arms = experiment.arms
    baseline = _baseline(experiment)
    pairs: list[tuple[str, str]] = []
    names = list(arms)
    for name, config in arms.items():
        for other, against in arms.items():
            other_spec = (
                config.aft == against.aft and None not in (config.msm, against.msm) and config.msm != against.msm
            )
            without_msm = config.msm is not None and against.msm is None and config.aft == against.aft
            without_aft = config.aft and not against.aft and config.msm == against.msm
            if other_spec and names.index(name) > names.index(other):
                continue  # the mirror image is listed already
            if other_spec or without_msm or without_aft:
                pairs.append((name, other))
        if baseline and name != baseline and (name, baseline) not in pairs:
            pairs.append((name, baseline))
    return pairs


def _curve(step: Step, folders: Mapping[str, Path], records: Mapping[str, StepRecord]) -> Curve | None:
    if step.kind not in ("midtrain", "finetune"):
        return None
    lines = (folders[step.fingerprint] / "log.jsonl").read_text(encoding="utf-8").splitlines()
    points = [(int(entry["update"]), float(entry["loss"])) for entry in map(json.loads, lines)]
    record = records[step.fingerprint]
    return Curve(
        step=f"{step.kind}/{step.folder_name}",
        kind="midtrain" if step.kind == "midtrain" else "finetune",
        label=step.name,
        tokens=record.summary["tokens"],
        updates=record.summary["updates"],
        seconds=record.seconds,
        points=points,
    )


def _corpus(
    name: str, step: Step, flow: Pipeline, folders: Mapping[str, Path], records: Mapping[str, StepRecord]
) -> CorpusSummary:
    spec = flow.specs[name]
    summary = records[step.fingerprint].summary
    documents = list(read_rows(folders[step.fingerprint] / "documents.jsonl", Document))
    samples = _spread(documents, SAMPLE_DOCUMENTS)
    plan = CorpusPlan.model_validate_json((folders[step.fingerprint] / "plan.json").read_text(encoding="utf-8"))
    texts = plan.assertion_texts
    return CorpusSummary(
        spec=name,
        spec_file=flow.experiment.specs[name],
        spec_sha256=spec.sha256,
        writer=", ".join(sorted({document.writer for document in documents})),
        documents=len(documents),
        words=summary["words"],
        document_types=dict(Counter(document.doc_type for document in documents).most_common()),
        coverage=[
            SectionCoverage(section=section, documents=counts[0], words=counts[1])
            for section, counts in summary["coverage"].items()
        ],
        rejected=summary["rejected"],
        samples=samples,
        passages={document.id: spec.text[slice(*document.span)] for document in samples},
        assertions={name: texts[name] for document in samples for name in document.assertions},
    )


def _spread(documents: list[Document], count: int) -> list[Document]:
    """Up to `count` documents, evenly spread over the corpus in the order of the spec."""
    ordered = sorted(documents, key=lambda document: (document.span, document.id))
    stride = max(1, len(ordered) // count)
    return ordered[::stride][:count]


def _demonstrations(
    step: Step | None, folders: Mapping[str, Path], records: Mapping[str, StepRecord], writer: str
) -> Demonstrations | None:
    if step is None:
        return None
    examples = list(read_rows(folders[step.fingerprint] / "demonstrations.jsonl", ChatExample))
    return Demonstrations(
        writer=writer,
        examples=len(examples),
        kinds=dict(Counter(example.kind for example in examples).most_common()),
        rejected=records[step.fingerprint].summary["rejected"],
        samples=examples[:SAMPLE_DEMONSTRATIONS],
    )


def _reasoning(flow: Pipeline, store: Store, folders: Mapping[str, Path]) -> Reasoning | None:
    if flow.reasoning is None:
        return None
    return reasoning(folders[flow.reasoning.fingerprint], analysed(flow.experiment), store.workspace)


def _gate(flow: Pipeline, folders: Mapping[str, Path]) -> Gate:
    assert flow.gate is not None
    data: dict[str, Any] = json.loads((folders[flow.gate.fingerprint] / "gate.json").read_text(encoding="utf-8"))
    return Gate.model_validate(data)
