"""`midspec run | status | report | archive`: a recipe from file to report."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from midspec.cli.chosen import load, may_spend, recipe_options
from midspec.cli.options import json_option, print_json

if TYPE_CHECKING:
    from midspec.pipeline import Pipeline
    from midspec.steps import Step, Store


@click.command()
@recipe_options
@click.option("--only", multiple=True, metavar="KIND[/NAME]", help="Only these steps and what they need; * matches.")
@click.option("--engine", type=click.Choice(["local", "ray"]), help="Who makes steps. Default: compute.engine.")
@click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster.")
@click.option("--storage", metavar="URL", help="Where its machines find steps, if they do not share the workspace.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before spending.")
@json_option
def run(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool,
    only: tuple[str, ...], engine: str | None, address: str | None, storage: str | None, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run RECIPE: make what is missing, then runs/NAME/results.json and report.html. Interrupt it at will."""
    from midspec.bill.estimate import estimate
    from midspec.pipeline import build
    from midspec.steps import Store
    from midspec.steps.engines import make_steps
    from midspec.steps.progress import Reporter
    from midspec.steps.runs import RunFolder
    from midspec.steps.step import Spending
    from midspec.train.models import make_ready

    asked = {"engine": engine, "address": address, "storage": storage}
    chosen = tuple(f"compute.{key}={value}" for key, value in asked.items() if value is not None)
    experiment = load(recipe, profile, (*overrides, *chosen), no_controls)
    flow, store = build(experiment), Store(workspace, experiment.published)
    folder = RunFolder(workspace, experiment.name)
    targets = _selected(flow, only)
    todo = store.to_make(targets)
    if not only and not todo and folder.is_current(flow):
        click.echo(
            f"Nothing to do: all {len(flow.steps)} steps are done and {folder.report} is up to date.", err=as_json
        )
    else:
        bill = estimate(flow, store)
        if bill.writing.requests or bill.unmetered:
            may_spend(experiment, "\n".join(bill.totals), yes)
        with folder.claim(), Reporter() as reporter:
            folder.write_recipe(experiment)
            if todo:
                for model in dict.fromkeys(flow.bases.values()):
                    make_ready(model, reporter)
            make_steps(targets, store, experiment.compute, reporter, Spending(experiment.name, experiment.budget.usd))
        if only:
            click.echo(f"Made what --only {' '.join(only)} selects; run without --only for the report.", err=as_json)
            return
        _write_results(flow, store, folder, recipe, profile, overrides, no_controls)
    if as_json:
        click.echo(folder.results.read_text(encoding="utf-8"))
        return
    _show(folder)


@click.command()
@recipe_options
@json_option
def status(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool, as_json: bool
) -> None:
    """Show the state of every step of RECIPE: done, published, running, interrupted or to do."""
    flow, store = _opened(recipe, workspace, profile, overrides, no_controls)
    rows = [_status_row(step, store) for step in flow.steps]
    if as_json:
        print_json({"name": flow.experiment.name, "steps": rows})
        return
    for row in rows:
        click.echo(f"  {row['state']:<12}{row['kind'] + ' ' + row['name']:<60}{row['fingerprint']}")
    done = sum(row["state"] == "done" for row in rows)
    click.echo(f"{done} of {len(rows)} steps are done.")


@click.command()
@recipe_options
def report(recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool) -> None:
    """Write results.json and report.html of RECIPE again from its finished steps."""
    from midspec.errors import InputError
    from midspec.steps.runs import RunFolder

    flow, store = _opened(recipe, workspace, profile, overrides, no_controls)
    missing = store.to_make(flow.steps)
    if missing:
        raise InputError(
            f"{len(missing)} of {len(flow.steps)} steps are not done, "
            f"the first is {missing[0].kind}/{missing[0].name}; run first: midspec run {recipe}"
        )
    folder = RunFolder(workspace, flow.experiment.name)
    with folder.claim():
        _write_results(flow, store, folder, recipe, profile, overrides, no_controls)
    _show(folder)


_RESULTS = ("match", "midtrain", "finetune", "evaluate", "reasoning")
"""Beginnings of the kinds of steps that take a model or are read from its answers."""


@click.command()
@recipe_options
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE.zip", help="The archive to write.")
def archive(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool, out: Path
) -> None:
    """Write records and rows of RECIPE's finished training and evaluation into one file, without weights.

    A recipe that names the file under `published` shows these results without making them again. Some seeds only:
    --set 'seeds=[0, 1]'.
    """
    from midspec.errors import InputError
    from midspec.steps.published import publish

    flow, store = _opened(recipe, workspace, profile, overrides, no_controls)
    wanted = [step for step in flow.steps if step.kind.startswith(_RESULTS)]
    folders = [folder for step in wanted if (folder := store.find(step)) is not None]
    if not folders:
        raise InputError(
            f"none of {len(wanted)} steps of training and evaluation is done; run first: midspec run {recipe}"
        )
    count = publish(folders, out)
    click.echo(f"{out}: {count} of {len(wanted)} steps of training and evaluation, {out.stat().st_size / 1e6:,.1f} MB")


def _opened(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool
) -> tuple[Pipeline, Store]:
    from midspec.pipeline import build
    from midspec.steps import Store

    flow = build(load(recipe, profile, overrides, no_controls))
    return flow, Store(workspace, flow.experiment.published)


def _selected(flow: Pipeline, only: tuple[str, ...]) -> list[Step]:
    from midspec.errors import InputError

    if not only:
        return flow.steps
    chosen: list[Step] = []
    for pattern in only:
        kind, _, name = pattern.partition("/")
        found = [step for step in flow.steps if fnmatch(step.kind, kind) and fnmatch(step.name, name or "*")]
        if not found:
            names = ", ".join(sorted({step.kind for step in flow.steps}))
            raise InputError(f"--only {pattern!r} matches no step; kinds here: {names}; see: midspec status RECIPE")
        chosen.extend(found)
    return chosen


def _status_row(step: Step, store: Store) -> dict[str, Any]:
    folder = store.result(step)
    return {
        "kind": step.kind,
        "name": step.name,
        "fingerprint": step.fingerprint,
        "state": store.state(step),
        "folder": str(folder) if folder else None,
        "inputs": {role: upstream.fingerprint for role, upstream in step.inputs.items()},
    }


def _write_results(
    flow: Pipeline, store: Store, folder: Any, recipe: Path, profile: str | None, overrides: tuple[str, ...],
    no_controls: bool,
) -> None:  # fmt: skip
    from midspec.report.collect import collect
    from midspec.report.files import publish
    from midspec.steps.store import explained

    words = ["midspec", "run", str(recipe)]
    words += ["--profile", profile] if profile else []
    words += [part for override in overrides for part in ("--set", override)]
    words += ["--no-controls"] if no_controls else []
    found = collect(flow, store, command=words)
    with explained(folder.path):
        folder.write_results(found.results)
        publish(found.results, folder.report, found.explorer)


def _show(folder: Any) -> None:
    from rich.console import Console

    from midspec.report.claim_cards import lines
    from midspec.report.finding import eval_names
    from midspec.report.results import read_results
    from midspec.report.text import measure_table, summary_table

    results = read_results(folder.results)
    others = measure_table(results)
    if eval_names(results):
        Console().print(summary_table(results))
    if others is not None:
        Console().print(others)
    click.echo("\n".join(lines(results)))
    click.echo(f"Report: {folder.report}\nResults: {folder.results}")
