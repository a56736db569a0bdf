"""From finished steps to what was made on the way: corpora, demonstrations, training curves, the gate."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from midspec.corpus.planned import CorpusPlan
from midspec.records import ChatExample, Document, read_rows
from midspec.report.done import Done
from midspec.report.results import (
    Beforehand,
    CorpusSummary,
    Curve,
    Demonstrations,
    Gate,
    ReplaySummary,
    SectionCoverage,
)
from midspec.steps.step import Step

SAMPLE_DOCUMENTS = 12
SAMPLE_DEMONSTRATIONS = 12


def collect_curves(done: Done) -> list[Curve]:
    """Training loss of every training step, in run order."""
    return [_curve(done, step) for step in done.flow.steps if step.kind in ("midtrain", "finetune")]


def collect_corpora(done: Done) -> list[CorpusSummary]:
    """Every corpus, in the order of the recipe."""
    return [_corpus(done, name, step) for name, step in done.flow.corpora.items()]


def collect_replay(done: Done) -> ReplaySummary | None:
    """What was mixed into every midtraining; None where nothing was."""
    step, asked = done.flow.replay, done.experiment.midtrain.replay
    if step is None or asked is None:
        return None
    summary = done.summary(step)
    return ReplaySummary(file=asked.file, share=asked.share, documents=summary["documents"], words=summary["words"])


def collect_demonstrations(done: Done) -> dict[str, Demonstrations]:
    """Sets by label, in the order of the recipe."""
    return {name: _demonstrations(done, step) for name, step in done.flow.demonstrations.items()}


def collect_beforehand(done: Done) -> Beforehand | None:
    """What came in the recipe's archive instead of being made in this workspace."""
    came = [step for step in done.flow.steps if done.store.find(step) is None]
    if not came:
        return None
    there = {step.fingerprint for step in came}
    records = [done.record(step) for step in came]
    seeds = [
        seed
        for seed in done.experiment.seeds
        if all(step.fingerprint in there for arm in done.experiment.arms for step in done.flow.lineage(arm, seed))
    ]
    days = sorted(record.started[:10] for record in records)
    commits = dict.fromkeys(str(record.code["commit"])[:7] for record in records if record.code.get("commit"))
    return Beforehand(
        archive=done.experiment.published or "",
        steps=len(came),
        seeds=seeds,
        first=days[0],
        last=days[-1],
        commits=list(commits),
    )


def collect_gate(done: Done) -> Gate:
    """What the contamination gate found; nothing where it has not run yet."""
    if done.flow.gate is None or not done.has(done.flow.gate):
        return Gate(checked_items=0, checked_rows=0, findings=[])
    data: dict[str, Any] = json.loads((done.folder(done.flow.gate) / "gate.json").read_text(encoding="utf-8"))
    return Gate.model_validate(data)


def spread(documents: list[Document], count: int) -> list[Document]:
    """Up to `count` documents, evenly spread over the corpus in the order of the spec."""
    ordered = sorted(documents, key=lambda document: (document.span, document.id))
    stride = max(1, len(ordered) // count)
    return ordered[::stride][:count]


def _curve(done: Done, step: Step) -> Curve:
    path = done.folder(step) / "metrics.jsonl"
    # Steps made before it had this name.
    path = path if path.exists() else path.with_name("log.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    points = [(int(entry["update"]), float(entry["loss"])) for entry in map(json.loads, lines)]
    record = done.record(step)
    return Curve(
        step=f"{step.kind}/{step.folder_name}",
        kind="midtrain" if step.kind == "midtrain" else "finetune",
        label=step.name,
        tokens=record.summary["tokens"],
        updates=record.summary["updates"],
        seconds=record.seconds,
        points=points,
    )


def _demonstrations(done: Done, step: Step) -> Demonstrations:
    examples = list(read_rows(done.folder(step) / "demonstrations.jsonl", ChatExample))
    return Demonstrations(
        writer=", ".join(sorted({example.writer for example in examples})),
        examples=len(examples),
        kinds=dict(Counter(example.kind for example in examples).most_common()),
        rejected=done.summary(step).get("rejected", {}),
        samples=examples[:SAMPLE_DEMONSTRATIONS],
    )


def _corpus(done: Done, name: str, step: Step) -> CorpusSummary:
    about = done.flow.spec_of.get(name, name)
    spec = done.flow.specs[about] if about is not None else None
    summary = done.summary(step)
    documents = list(read_rows(done.folder(step) / "documents.jsonl", Document))
    samples = spread(documents, SAMPLE_DOCUMENTS)
    plan = CorpusPlan.model_validate_json((done.folder(step) / "plan.json").read_text(encoding="utf-8"))
    texts = plan.assertion_texts
    return CorpusSummary(
        spec=name,
        about=about,
        spec_file="" if about is None else done.experiment.specs[about],
        spec_sha256="" if spec is None else spec.sha256,
        writer=", ".join(sorted({document.writer for document in documents})),
        documents=len(documents),
        words=summary["words"],
        document_types=dict(Counter(document.doc_type for document in documents).most_common()),
        coverage=[
            SectionCoverage(section=section, documents=counts[0], words=counts[1])
            for section, counts in summary.get("coverage", {}).items()
        ],
        rejected=summary.get("rejected", {}),
        samples=samples,
        passages={} if spec is None else {row.id: spec.text[slice(*row.span)] for row in samples},
        assertions={name: texts[name] for row in samples for name in row.assertions if name in texts},
    )
