"""What a recipe will take, said before anything is made: work, time from this workspace's own records, dollars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from midspec.experiment import Experiment
from midspec.pipeline import Pipeline
from midspec.steps.step import Step
from midspec.steps.store import Store

OFFLINE_TOKENS_PER_DOCUMENT = 230
"""Measured on the packaged specs with SmolLM2's tokenizer."""
WRITTEN_TOKENS_PER_DOCUMENT = 2100
"""(paper: 8M tokens in about 4,600-6,400 documents and 41M in 13,201)"""
TOKENS_PER_DEMONSTRATION = 35
"""(paper: 150-165k assistant tokens in 5k samples)"""


@dataclass(frozen=True)
class Line:
    """One step of the bill."""

    kind: str
    name: str
    fingerprint: str
    state: str
    work: str
    """What it makes or reads, in words."""
    tokens: int
    """Tokens written, trained on; 0 where that is not the measure."""
    seconds: float | None
    """From finished steps of the same kind in this workspace; None where there is none to go by, 0 when done."""


@dataclass(frozen=True)
class Bill:
    """All lines and what they add up to."""

    name: str
    lines: list[Line]
    totals: list[str]
    dollars: float | None
    """None where the writer's price is not known to this version."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name,
            "dollars": self.dollars,
            "totals": self.totals,
            "steps": [asdict(line) for line in self.lines],
        }


def estimate(flow: Pipeline, store: Store) -> Bill:
    """The bill of a pipeline in this workspace."""
    experiment = flow.experiment
    rates = _rates(store)
    lines: list[Line] = []
    for step in flow.steps:
        work, tokens, size = _work(step, experiment)
        state = store.state(step)
        rate = rates.get((step.kind, _worker(step.plain_config)))
        seconds = 0.0 if state == "done" else (None if rate is None else size * rate)
        lines.append(Line(step.kind, step.name, step.fingerprint, state, work, tokens, seconds))
    todo = [line for line in lines if line.state != "done"]
    known = sum(line.seconds or 0.0 for line in todo)
    unknown = sorted({line.kind for line in todo if line.seconds is None})
    offline = experiment.writer.model == "offline"
    totals = [f"{len(todo)} of {len(lines)} steps to do, {len(lines) - len(todo)} done."]
    if todo:
        time = f"about {known:,.0f} s" if known >= 1 else "not known"
        totals.append(
            f"Time: {time}"
            + (f" and what no finished step of this workspace tells: {', '.join(unknown)}." if unknown else ".")
        )
    totals.append(
        "Dollars: 0 (the offline writer makes the data on this machine)."
        if offline
        else f"Dollars: not estimated: this version has no price for {experiment.writer.model!r}."
    )
    if not flow.model.resolved:
        totals.append(
            f"Model: the revision of {flow.model.name} is not known here (the Hub does not answer), so the "
            "fingerprints above are provisional."
        )
    return Bill(experiment.name, lines, totals, 0.0 if offline else None)


def _work(step: Step, experiment: Experiment) -> tuple[str, int, float]:
    """(words, tokens, size in the unit that time goes with)."""
    per_document = OFFLINE_TOKENS_PER_DOCUMENT if experiment.writer.model == "offline" else WRITTEN_TOKENS_PER_DOCUMENT
    corpus_tokens = experiment.corpus.documents * per_document
    match step.kind:
        case "corpus":
            return f"write {experiment.corpus.documents:,} documents", corpus_tokens, experiment.corpus.documents
        case "demonstrations":
            count = experiment.aft.samples
            return f"write {count:,} demonstrations", count * TOKENS_PER_DEMONSTRATION, count
        case "midtrain":
            tokens = min(experiment.midtrain.tokens or corpus_tokens, corpus_tokens) * experiment.midtrain.epochs
            return f"train on ~{tokens:,} tokens", tokens, tokens
        case "finetune":
            rows = sum(source.samples for source in experiment.instruct)
            if "demonstrations" in step.inputs:
                rows += experiment.aft.samples
            tokens = rows * TOKENS_PER_DEMONSTRATION * experiment.finetune.epochs
            return f"train on ~{rows:,} examples", tokens, tokens
        case "evaluate":
            return "score pairs", 0, 1
        case _:
            return "compare data with every item", 0, 1


def _worker(config: dict[str, Any]) -> str:
    """Who does a step, the model or the writer: time measured on one says nothing of another."""
    return config.get("model", {}).get("name", "") or config.get("writer", {}).get("model", "")


def _rates(store: Store) -> dict[tuple[str, str], float]:
    """Seconds per unit of size, by kind and worker, from the latest finished step of each."""
    size: dict[str, Callable[[dict[str, Any]], float]] = {
        "corpus": lambda summary: summary.get("documents", 0),
        "demonstrations": lambda summary: summary.get("examples", 0),
        "midtrain": lambda summary: summary.get("tokens", 0),
        "finetune": lambda summary: summary.get("tokens", 0),
        "evaluate": lambda summary: 1,
        "gate": lambda summary: 1,
    }
    rates: dict[tuple[str, str], float] = {}
    for _, record in store.finished():
        units = size[record.kind](record.summary) if record.kind in size else 0
        if units:
            rates[record.kind, _worker(record.config)] = record.seconds / units
    return rates
