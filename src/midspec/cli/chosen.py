"""A recipe as the commands that take one know it: its options, and the question before money is spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midspec.cli.options import workspace_option

if TYPE_CHECKING:
    from midspec.experiment import Experiment

F = TypeVar("F", bound=Callable[..., Any])


def choice_options(command: F) -> F:
    """`--profile`, `--set`, `--no-controls` and `--workspace`."""
    for option in (
        click.option("--no-controls", is_flag=True, help="Do not add the control arms the recipe leaves out."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. --set corpus.documents=100."),
        click.option("--profile", help="One of the recipe's profiles, e.g. smoke."),
        workspace_option,
    ):
        command = option(command)
    return command


def recipe_options(command: F) -> F:
    """The same with the argument RECIPE."""
    return click.argument("recipe", type=click.Path(path_type=Path))(choice_options(command))


def load(recipe: Path, profile: str | None, overrides: tuple[str, ...], no_controls: bool) -> Experiment:
    """The recipe with its controls."""
    from midspec.recipe import load_recipe

    experiment = load_recipe(recipe, profile=profile, overrides=list(overrides))
    return experiment if no_controls else experiment.with_controls()


def may_spend(experiment: Experiment, what: str, yes: bool) -> None:
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
