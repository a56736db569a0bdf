"""From finished steps to what was made on the way: corpora, demonstrations, training curves, the gate."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from midspec.corpus.planned import CorpusPlan
from midspec.records import ChatExample, Document, read_rows
from midspec.report.done import Done
from midspec.report.results import CorpusSummary, Curve, Demonstrations, Gate, SectionCoverage
from midspec.steps.step import Step

SAMPLE_DOCUMENTS = 12
SAMPLE_DEMONSTRATIONS = 12


def collect_curves(done: Done) -> list[Curve]:
    """Training loss of every training step, in run order."""
    return [_curve(done, step) for step in done.flow.steps if step.kind in ("midtrain", "finetune")]


def collect_corpora(done: Done) -> list[CorpusSummary]:
    """Every corpus, in the order of the recipe."""
    return [_corpus(done, name, step) for name, step in done.flow.corpora.items()]


def collect_demonstrations(done: Done) -> Demonstrations | None:
    """What all fine-tuned arms share; None where none is."""
    step = next(iter(done.flow.demonstrations.values()), None)
    if step is None:
        return None
    examples = list(read_rows(done.folder(step) / "demonstrations.jsonl", ChatExample))
    return Demonstrations(
        writer=done.experiment.writer.model,
        examples=len(examples),
        kinds=dict(Counter(example.kind for example in examples).most_common()),
        rejected=done.summary(step)["rejected"],
        samples=examples[:SAMPLE_DEMONSTRATIONS],
    )


def collect_gate(done: Done) -> Gate:
    """What the contamination gate found."""
    assert done.flow.gate is not None
    data: dict[str, Any] = json.loads((done.folder(done.flow.gate) / "gate.json").read_text(encoding="utf-8"))
    return Gate.model_validate(data)


def spread(documents: list[Document], count: int) -> list[Document]:
    """Up to `count` documents, evenly spread over the corpus in the order of the spec."""
    ordered = sorted(documents, key=lambda document: (document.span, document.id))
    stride = max(1, len(ordered) // count)
    return ordered[::stride][:count]


def _curve(done: Done, step: Step) -> Curve:
    lines = (done.folder(step) / "log.jsonl").read_text(encoding="utf-8").splitlines()
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


def _corpus(done: Done, name: str, step: Step) -> CorpusSummary:
    spec = done.flow.specs[name]
    summary = done.summary(step)
    documents = list(read_rows(done.folder(step) / "documents.jsonl", Document))
    samples = spread(documents, SAMPLE_DOCUMENTS)
    plan = CorpusPlan.model_validate_json((done.folder(step) / "plan.json").read_text(encoding="utf-8"))
    texts = plan.assertion_texts
    return CorpusSummary(
        spec=name,
        spec_file=done.experiment.specs[name],
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
