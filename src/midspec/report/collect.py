"""From finished steps to `Results`: what every part of a report is made from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from midspec import __version__
from midspec.evaluation import Evaluation
from midspec.experiment import SEED, Experiment
from midspec.pipeline import Pipeline, analysed
from midspec.report.claims import collect_claims
from midspec.report.collect_arms import Answered, collect_arms, collect_contrasts, collect_differences
from midspec.report.collect_design import (
    collect_cells,
    collect_health,
    collect_matches,
    collect_scaling,
    collect_specs,
    collect_trained,
    collect_trainers,
    trained_amounts,
)
from midspec.report.collect_made import (
    collect_beforehand,
    collect_corpora,
    collect_curves,
    collect_demonstrations,
    collect_gate,
    collect_replay,
)
from midspec.report.done import Done, finished, so_far
from midspec.report.explorer.blocks import Explorer
from midspec.report.explorer.collect import collect_explorer
from midspec.report.reasoning import reasoning
from midspec.report.results import Asked, Reasoning, Results, StepSummary
from midspec.steps.record import StepRecord, code_state, machine_facts, package_versions
from midspec.steps.runs import results_fingerprint
from midspec.steps.store import Store

_OF_SEED = re.compile(r"-seed\d+$")


class Collected(NamedTuple):
    """What a report is made from."""

    results: Results
    explorer: Explorer


def collect(flow: Pipeline, store: Store, command: list[str]) -> Collected:
    """Everything about a finished experiment. All steps of `flow` must be done."""
    answered = _answered(finished(flow, store))
    done, answers = answered.done, _answers(answered, command)
    trained, sets = trained_amounts(done), collect_demonstrations(done)
    made = {
        "claims": collect_claims(answered),
        "reasoning": _reasoning(done),
        "trained": collect_trained(trained),
        "matches": collect_matches(done, trained),
        "trainers": collect_trainers(done),
        "beforehand": collect_beforehand(done),
        "scaling": collect_scaling(answered, answers.arms, trained),
        "cells": collect_cells(answered),
        "specs": collect_specs(done),
        "health": collect_health(done),
        "curves": collect_curves(done),
        "corpora": collect_corpora(done),
        "replay": collect_replay(done),
        "demonstrations": next(iter(sets.values()), None),
        "demonstration_sets": sets,
        "notes": step_warnings(done.ordered()),
    }
    return Collected(answers.model_copy(update=made), collect_explorer(answered))


def collect_so_far(flow: Pipeline, store: Store) -> Results:
    """The answers that are there of an unfinished experiment, in the form of a finished one.

    Arms without a done evaluation have no numbers; what is made of several steps, and claims, are left out.
    """
    return _answers(_answered(so_far(flow, store)), [])


def _answered(done: Done) -> Answered:
    return Answered(done, frozenset(finding.item for finding in collect_gate(done).findings))


def _answers(answered: Answered, command: list[str]) -> Results:
    """What was run, and what arms answered; the rest empty."""
    done = answered.done
    experiment, ordered = done.experiment, done.ordered()
    return Results(
        name=experiment.name,
        description=experiment.description,
        fingerprint=results_fingerprint(done.flow),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        midspec=__version__,
        code=code_state(),
        packages=package_versions(),
        machine=machine_facts(),
        recipe=experiment.model_dump(mode="json"),
        command=[" ".join(command)] if command else [],
        writer=experiment.writer.model,
        judge=experiment.judge.model,
        model=_model(done.flow),
        split={
            entry.name: split for entry in experiment.evals if isinstance(split := getattr(entry, "split", None), str)
        },
        asked={entry.name: _asked(entry, experiment) for entry in experiment.evals},
        arms=collect_arms(answered),
        contrasts=collect_contrasts(answered),
        differences=list(collect_differences(answered)),
        curves=[],
        corpora=[],
        demonstrations=None,
        gate=collect_gate(done),
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
    )


def step_warnings(records: Iterable[StepRecord]) -> list[str]:
    """What steps warn of, each once with the name of its step; what all seeds of a training warn of is one warning."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.kind == "corpus-gate":  # is in `health`, check by check
            continue
        name, _, seed = record.name.rpartition("-seed") if _OF_SEED.search(record.name) else (record.name, "", "")
        for warning in record.summary.get("warnings", []):
            seeds.setdefault((f"{record.kind} {name}", warning), []).append(seed)
    return [
        f"{name}{f' ({len(of)} seeds)' if len(of) > 1 else f'-seed{of[0]}' if of[0] else ''}: {warning}"
        for (name, warning), of in seeds.items()
    ]


def _asked(entry: Evaluation, experiment: Experiment) -> Asked:
    return Asked(
        task=str(getattr(entry, "task", entry.name)),
        choices=entry.choices,
        value=getattr(entry, "value", None),
        scoring=getattr(entry, "scoring", None),
        system=getattr(entry, "system", None),
        graders=[who.model for who in entry.graders(experiment)],
    )


def _reasoning(done: Done) -> Reasoning | None:
    step = done.flow.reasoning
    if step is None:
        return None
    return reasoning(done.folder(step), analysed(done.experiment), done.store.workspace)


def _model(flow: Pipeline) -> dict[str, Any]:
    """The first model that arms have; where every seed has its own, under the name that stands for all."""
    first = flow.models[0]
    model = flow.model.model_dump(mode="json")
    called = flow.experiment.for_model(first).model
    if SEED not in called:
        return model
    revisions = dict.fromkeys(base.revision for (name, _), base in flow.bases.items() if name == first)
    return {**model, "name": called, "revision": ", ".join(revisions)}
