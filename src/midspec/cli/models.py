"""`midspec models`: base models, and trained arms as folders for the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.export.model import Made

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def models() -> None:
    """List and fetch base models; save and publish trained ones."""


@models.command("list")
@json_option
def models_list(as_json: bool) -> None:
    """Bundled names and whether they are in the cache. Hub ids and local folders work as well."""
    from midspec.train.models import bundled_models

    rows = bundled_models()
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    for row in rows:
        state = "cached" if row.cached else "not fetched"
        click.echo(f"{row.name:<28}{row.size:>10}  {state:<12} {row.description}")
    click.echo("Any Hub id (meta-llama/Llama-3.1-8B) or local folder in Transformers form works in a recipe too.")


@models.command("get")
@click.argument("name")
@json_option
def models_get(name: str, as_json: bool) -> None:
    """Fetch the model NAME into the cache, convert it where needed, and say where it is."""
    from midspec.steps.progress import Reporter
    from midspec.train.models import ensure, resolve

    ref = resolve(name)
    with Reporter() as reporter:
        reporter.step(f"fetching {name}")
        folder = ensure(ref, reporter)
    ref = resolve(name)
    if as_json:
        print_json({"name": name, "folder": str(folder), "source": ref.source, "revision": ref.revision})
    else:
        click.echo(f"{name}: {folder} (from {ref.source}, {ref.revision})")


def _arm_options(command: F) -> F:
    for option in (
        json_option,
        workspace_option,
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="As the recipe was run with."),
        click.option("--profile", help="One of the recipe's profiles, e.g. smoke."),
        click.option("--license", "licence", default="unknown", show_default=True, help="The Hub's id of a licence."),
        click.option("--title", help="Title of the card. Default: experiment and arm."),
        click.option("--merge", is_flag=True, help="Add the adapter into the base model's weights."),
        click.option("--seed", type=int, help="Which of the recipe's seeds. Default: the first."),
        click.option("--arm", required=True, help="Whose weights; see: midspec plan RECIPE."),
        click.argument("recipe", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@models.command("save")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder.")
@_arm_options
def models_save(out: Path, as_json: bool, **asked: Any) -> None:
    """Write a trained arm of RECIPE as a folder ready for the Hub: weights, tokenizer, card, lineage."""
    made = _made(out, **asked)
    if as_json:
        print_json({"folder": str(out), "merged": made.merged, "files": dict(made.files)})
        return
    _show(made)


@models.command("push")
@click.option("--repo", required=True, metavar="ORG/NAME", help="Model on the Hub; made where there is none.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", is_flag=True, help="Show what would be uploaded, and upload nothing.")
@_arm_options
def models_push(repo: str, private: bool, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Upload a trained arm of RECIPE, as `save` writes it, to the Hugging Face Hub."""
    import tempfile

    from midspec.upload import check_repository, push

    check_repository(repo, "model")
    with tempfile.TemporaryDirectory(prefix="midspec-push-") as temporary:
        made = _made(Path(temporary) / "model", **asked)
        address = None if dry_run else push(made.folder, repo, private=private, kind="model")
    if as_json:
        print_json({"repo": repo, "uploaded": address, "merged": made.merged, "files": dict(made.files)})
        return
    _show(made)
    click.echo(f"Uploaded: {address}" if address else f"Dry run: this would be uploaded to {repo}; nothing was.")


def _made(
    out: Path, recipe: Path, arm: str, seed: int | None, profile: str | None, overrides: tuple[str, ...],
    workspace: Path, **card: Any,
) -> Made:  # fmt: skip
    from midspec.export.model import write_model
    from midspec.pipeline import build
    from midspec.recipe import load_recipe
    from midspec.steps import Store
    from midspec.steps.runs import RunFolder

    experiment = load_recipe(recipe, profile=profile, overrides=list(overrides)).with_controls()
    number = experiment.seeds[0] if seed is None else seed
    results = RunFolder(workspace, experiment.name).results
    return write_model(build(experiment), Store(workspace), arm, number, out, results=results, **card)


def _show(made: Made) -> None:
    for name, size in made.files.items():
        click.echo(f"  {size:>14,}  {name}")
