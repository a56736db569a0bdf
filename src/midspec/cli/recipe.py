"""`midspec plan | run | status | report`: a recipe from file to report."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.experiment import Experiment
    from midspec.pipeline import Pipeline
    from midspec.steps import Step, Store

F = TypeVar("F", bound=Callable[..., Any])


def _recipe_options(command: F) -> F:
    for option in (
        click.option("--no-controls", is_flag=True, help="Do not add the control arms the recipe leaves out."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. --set corpus.documents=100."),
        click.option("--profile", help="One of the recipe's profiles, e.g. smoke."),
        workspace_option,
        click.argument("recipe", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def _load(recipe: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool) -> Experiment:
    from midspec.recipe import load_recipe

    experiment = load_recipe(recipe, profile=profile, overrides=list(overrides))
    return experiment if no_controls else experiment.with_controls()


@click.command()
@_recipe_options
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    metavar="N",
    help="Write N documents of each corpus and N demonstrations first, and go by what they took.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before paying for a pilot.")
@json_option
def plan(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool,
    pilot: int | None, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what RECIPE will do, what is done already, and what it will take. Without --pilot, nothing is run."""
    from midspec.bill.estimate import estimate
    from midspec.pipeline import build
    from midspec.steps import Store

    experiment = _load(recipe, profile, overrides, no_controls)
    flow, store = build(experiment), Store(workspace)
    if pilot:
        _pilot(experiment, pilot, store, yes)
    bill = estimate(flow, store)
    if as_json:
        print_json(bill.as_dict())
        return
    click.echo(f"{flow.experiment.name}: {len(flow.steps)} steps, {len(flow.experiment.arms)} arms")
    for line in bill.lines:
        seconds = f"~{line.seconds:,.0f} s" if line.seconds is not None else ""
        click.echo(f"  {line.state:<12}{line.kind + ' ' + line.name:<60}{line.fingerprint}  {line.work:<34}{seconds}")
    for text in bill.totals:
        click.echo(text)


def _pilot(experiment: Experiment, size: int, store: Store, yes: bool) -> None:
    """Make the data steps of a small copy of the recipe; what their requests took stays in the journal."""
    from midspec.bill.pilot import pilot_of
    from midspec.pipeline import build
    from midspec.steps.local import run_steps
    from midspec.steps.progress import Reporter
    from midspec.steps.step import Spending

    small = build(pilot_of(experiment, size))
    targets = [step for step in small.steps if step.kind in ("corpus", "demonstrations")]
    if all(store.find(step) for step in targets):
        return
    _may_spend(experiment, f"The pilot writes {size} documents or demonstrations per data set.", yes)
    with Reporter() as reporter:
        run_steps(targets, store, experiment.compute, reporter, Spending(experiment.name, experiment.budget.usd))


def _may_spend(experiment: Experiment, what: str, yes: bool) -> None:
    """Check that everybody who is to be asked answers to a name, and ask before anybody is paid."""
    from midspec.bill.estimate import asked_models
    from midspec.llm.desk import check_writer

    asked = asked_models(experiment)
    for who, url in asked:  # A name that nobody answers to must fail before anything is made.
        check_writer(who, url)
    paid = sorted({who.model for who, _ in asked})
    if paid and not yes:
        cap = experiment.budget.usd
        limit = f"at most ${cap:,.2f} in all" if cap is not None else "without a cap (set budget.usd)"
        click.echo(what, err=True)
        click.confirm(f"{' and '.join(paid)} will be asked and paid for, {limit}. Go on?", abort=True, err=True)


@click.command()
@_recipe_options
@click.option("--only", multiple=True, metavar="KIND[/NAME]", help="Only these steps and what they need; * matches.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before spending.")
@json_option
def run(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool,
    only: tuple[str, ...], yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run RECIPE: make what is missing, then runs/NAME/results.json and report.html. Interrupt it at will."""
    from midspec.bill.estimate import estimate
    from midspec.pipeline import build
    from midspec.steps import Store
    from midspec.steps.local import run_steps
    from midspec.steps.progress import Reporter
    from midspec.steps.runs import RunFolder
    from midspec.steps.step import Spending
    from midspec.train.models import make_ready

    experiment = _load(recipe, profile, overrides, no_controls)
    flow, store = build(experiment), Store(workspace)
    folder = RunFolder(workspace, experiment.name)
    targets = _selected(flow, only)
    todo = [step for step in flow.steps if store.find(step) is None]
    if not only and not todo and folder.is_current(flow):
        click.echo(
            f"Nothing to do: all {len(flow.steps)} steps are done and {folder.report} is up to date.", err=as_json
        )
    else:
        bill = estimate(flow, store)
        if bill.writing.requests or bill.unmetered:
            _may_spend(experiment, "\n".join(bill.totals), yes)
        with folder.claim(), Reporter() as reporter:
            folder.write_recipe(experiment)
            if todo:
                make_ready(flow.model, reporter)
            run_steps(targets, store, experiment.compute, reporter, Spending(experiment.name, experiment.budget.usd))
        if only:
            click.echo(f"Made what --only {' '.join(only)} selects; run without --only for the report.", err=as_json)
            return
        _write_results(flow, store, folder, recipe, profile, overrides, no_controls)
    if as_json:
        click.echo(folder.results.read_text(encoding="utf-8"))
        return
    _show(folder)


@click.command()
@_recipe_options
@json_option
def status(
    recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool, as_json: bool
) -> None:
    """Show the state of every step of RECIPE: done, running, interrupted or to do."""
    from midspec.pipeline import build
    from midspec.steps import Store

    flow, store = build(_load(recipe, profile, overrides, no_controls)), Store(workspace)
    rows = [_status_row(step, store) for step in flow.steps]
    if as_json:
        print_json({"name": flow.experiment.name, "steps": rows})
        return
    for row in rows:
        click.echo(f"  {row['state']:<12}{row['kind'] + ' ' + row['name']:<60}{row['fingerprint']}")
    done = sum(row["state"] == "done" for row in rows)
    click.echo(f"{done} of {len(rows)} steps are done.")


@click.command()
@_recipe_options
def report(recipe: Path, workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool) -> None:
    """Write results.json and report.html of RECIPE again from its finished steps."""
    from midspec.errors import InputError
    from midspec.pipeline import build
    from midspec.steps import Store
    from midspec.steps.runs import RunFolder

    flow, store = build(_load(recipe, profile, overrides, no_controls)), Store(workspace)
    missing = [step for step in flow.steps if store.find(step) is None]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(flow.steps)} steps are not done, "
            f"the first is {missing[0].kind}/{missing[0].name}; run first: midspec run {recipe}"
        )
    folder = RunFolder(workspace, flow.experiment.name)
    with folder.claim():
        _write_results(flow, store, folder, recipe, profile, overrides, no_controls)
    _show(folder)


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
    folder = store.find(step)
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
    from midspec.report.html import write_report
    from midspec.steps.store import explained

    words = ["midspec", "run", str(recipe)]
    words += ["--profile", profile] if profile else []
    words += [part for override in overrides for part in ("--set", override)]
    words += ["--no-controls"] if no_controls else []
    found = collect(flow, store, command=words)
    with explained(folder.path):
        folder.write_results(found.results)
        write_report(found.results, folder.report, found.explorer)


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
