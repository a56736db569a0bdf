"""`midspec export`: an arm's training for another trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.export.formats import Trainer


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--to", "trainer", type=click.Choice(["trl", "llamafactory", "axolotl", "tinker"]), required=True)
@click.option("--arm", required=True, help="Whose training; see: midspec plan RECIPE.")
@click.option("--seed", type=int, help="Which of the recipe's seeds. Default: the first.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder.")
@click.option("--profile", help="One of the recipe's profiles, e.g. smoke.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. --set midtrain.learning_rate=1e-3.")
@workspace_option
@json_option
def export(
    recipe: Path, trainer: Trainer, arm: str, seed: int | None, out: Path, profile: str | None,
    overrides: tuple[str, ...], workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Write the training of one arm of RECIPE as data and settings for another trainer.

    The corpus and the demonstrations must be made; weights need not be.
    """
    from midspec.export.stages import stages_of
    from midspec.export.write import write_export
    from midspec.pipeline import build
    from midspec.recipe import load_recipe
    from midspec.steps import Store
    from midspec.steps.progress import Reporter

    experiment = load_recipe(recipe, profile=profile, overrides=list(overrides)).with_controls()
    number = experiment.seeds[0] if seed is None else seed
    with Reporter() as reporter:
        stages = stages_of(build(experiment), Store(workspace), arm, number, reporter)
    write_export(stages, trainer, out, recipe=experiment.name, arm=arm, seed=number)
    facts = [
        {"stage": stage.folder, "tokens": stage.packed.tokens, "updates": stage.updates, "parent": stage.parent}
        for stage in stages
    ]
    if as_json:
        print_json({"out": str(out), "trainer": trainer, "arm": arm, "seed": number, "stages": facts})
        return
    for fact in facts:
        click.echo(f"{out}/{fact['stage']}: {fact['tokens']:,} tokens, {fact['updates']} updates")
    click.echo(f"How to run it: {out}/README.md")
