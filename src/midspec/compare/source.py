"""What RUN of `midspec compare RUN` is: a run folder, a results.json, or the name of a run, finished or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from midspec.errors import InputError
from midspec.experiment import Experiment
from midspec.pipeline import build
from midspec.report.collect import collect_so_far
from midspec.report.results import Results, read_results
from midspec.steps.runs import RunFolder
from midspec.steps.store import Store


class Run(NamedTuple):
    """A run, as far as it has come."""

    results: Results
    notes: tuple[str, ...]
    """What must be known of it."""


def find_run(text: str, workspace: Path) -> Run:
    """The run that `text` names. Raises InputError saying what there is instead."""
    path = Path(text)
    if path.is_file():
        return Run(read_results(path), ())
    folder = path if path.is_dir() else workspace / "runs" / text
    if not folder.is_dir():
        there = sorted(one.name for one in (workspace / "runs").glob("*") if one.is_dir())
        raise InputError(
            f"run {text!r} is neither a results.json nor a run folder, and {workspace / 'runs'} holds no run of this "
            f"name; runs there: {', '.join(there) or 'none'}. Say where with --workspace"
        )
    files = RunFolder(folder.parent.parent, folder.name)
    recipe = _recipe(files.recipe)
    results = read_results(files.results) if files.results.exists() else None
    if results is not None and (recipe is None or _same(recipe, results.recipe)):
        return Run(results, ())
    if recipe is None:
        raise InputError(f"{folder} holds neither results.json nor recipe.json; expected the folder of a run")
    return _unfinished(files, recipe, results)


def _unfinished(files: RunFolder, recipe: dict[str, Any], earlier: Results | None) -> Run:
    try:
        experiment = Experiment.model_validate(recipe)
        flow = build(experiment)
    except ValidationError as error:
        raise InputError(
            f"{files.recipe} is not a recipe of this version of midspec ({error.error_count()} problems); "
            "run the recipe again, or name its results.json"
        ) from error
    store = Store(files.path.parent.parent, experiment.published)
    results = collect_so_far(flow, store)
    evaluations = {step.fingerprint for step in flow.evaluations.values()}
    done = {step.fingerprint for step in results.steps}
    told = f"This run is not finished: {len(done)} of {len(flow.steps)} steps are done"
    notes = [f"{told}, {len(done & evaluations)} of {len(evaluations)} evaluations. Numbers will change."]
    if flow.gate is None or flow.gate.fingerprint not in done:
        notes.append("The contamination gate has not run yet: items found in training data still count.")
    if earlier is not None:
        notes.append(f"{files.results} is of an earlier form of the recipe and was not read.")
    return Run(results, tuple(notes))


def _recipe(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); run the recipe again, or name its results.json") from error


def _same(recipe: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two recipes ask for the same. How to compute is no part of it, nor is what a later version of midspec
    wrote down that an earlier one had no word for."""
    return _filled_in(recipe) == _filled_in(other)


def _filled_in(recipe: dict[str, Any]) -> dict[str, Any]:
    asked = {key: value for key, value in recipe.items() if key != "compute"}
    try:
        return Experiment.model_validate(asked).model_dump(mode="json")
    except ValidationError:
        return asked
