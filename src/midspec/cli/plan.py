"""`midspec plan`: what recipes will do, what their arms share, what is done already, what it will take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from midspec.cli.chosen import choice_options, load, may_spend
from midspec.cli.options import json_option, print_json

if TYPE_CHECKING:
    from midspec.bill.estimate import Bill
    from midspec.experiment import Experiment
    from midspec.pipeline import Pipeline
    from midspec.steps import Store


class Plan(NamedTuple):
    """One recipe, planned."""

    flow: Pipeline
    bill: Bill
    users: dict[str, tuple[str, ...]]
    """Fingerprint of a step -> arms that need it."""


@click.command()
@choice_options
@click.argument("recipes", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RECIPE...")
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    metavar="N",
    help="Write N documents of each corpus and N demonstrations first, and go by what they took.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before paying for a pilot.")
@click.option("--graph", is_flag=True, help="Draw what is made from what, and which arms share it.")
@click.option("--all", "every", is_flag=True, help="List every step, with its fingerprint, and every arm.")
@json_option
def plan(
    recipes: tuple[Path, ...], workspace: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool,
    pilot: int | None, yes: bool, graph: bool, every: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what RECIPE will do, what is done already, and what it will take. Without --pilot, nothing is run.

    Several recipes are added up; steps that they share count once. With --profile, a recipe that has no profiles at all
    is planned as it stands; of several recipes, one that has others but not this one is left out, with a word.
    """
    from midspec.cli.plan_text import show_one, show_several

    experiments, left_out = _experiments(recipes, profile, overrides, no_controls)
    plans = [_planned(experiment, workspace, pilot, yes) for experiment in experiments]
    if as_json:
        print_json(_one(plans[0]) if len(recipes) == 1 else _several(plans, left_out))
        return
    if len(recipes) > 1:
        show_several(plans, left_out)
    for one in plans:
        if len(recipes) == 1 or graph or every:
            show_one(one, graph=graph, every=every)


def _experiments(
    recipes: tuple[Path, ...], profile: str | None, overrides: tuple[str, ...], no_controls: bool
) -> tuple[list[Experiment], list[str]]:
    """What is planned, and what is left out, in words."""
    from midspec.errors import InputError
    from midspec.recipe import profiles_of

    found: list[Experiment] = []
    left_out: list[str] = []
    for recipe in recipes:
        there = profiles_of(recipe)
        if profile is None or profile in there or len(recipes) == 1:
            found.append(load(recipe, profile if there else None, overrides, no_controls))
        elif not there:
            found.append(load(recipe, None, overrides, no_controls))
        else:
            left_out.append(f"{recipe}: has no profile {profile!r} ({', '.join(there)}), left out")
    if not found:
        raise InputError(f"none of {len(recipes)} recipes has a profile {profile!r}; see: midspec plan RECIPE")
    return found, left_out


def _planned(experiment: Experiment, workspace: Path, pilot: int | None, yes: bool) -> Plan:
    from midspec.bill.estimate import estimate
    from midspec.bill.overview import users
    from midspec.pipeline import build
    from midspec.steps import Store

    flow, store = build(experiment), Store(workspace, experiment.published)
    if pilot:
        _pilot(experiment, pilot, store, yes)
    return Plan(flow, estimate(flow, store), users(flow))


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
    may_spend(experiment, f"The pilot writes {size} documents or demonstrations per data set.", yes)
    with Reporter() as reporter:
        run_steps(targets, store, experiment.compute, reporter, Spending(experiment.name, experiment.budget.usd))


def _one(plan: Plan) -> dict[str, Any]:
    from midspec.bill.overview import by_kind, unmatched

    data = plan.bill.as_dict()
    inputs = {
        step.fingerprint: {role: upstream.fingerprint for role, upstream in step.inputs.items()}
        for step in plan.flow.steps
    }
    for step in data["steps"]:
        found = step["fingerprint"]
        step |= {"inputs": inputs[found], "arms": list(plan.users.get(found, ()))}
    return {
        **data,
        "arms": {name: arm.model_dump() for name, arm in plan.flow.experiment.arms.items()},
        "seeds": list(plan.flow.experiment.seeds),
        "kinds": [part._asdict() for part in by_kind(plan.bill.lines, plan.users)],
        "unmatched": unmatched(plan.flow, plan.bill),
    }


def _several(plans: list[Plan], left_out: list[str]) -> dict[str, Any]:
    from midspec.bill.overview import together

    return {
        "recipes": [_one(plan) for plan in plans],
        "left_out": left_out,
        "together": together([plan.bill for plan in plans])._asdict(),
    }
