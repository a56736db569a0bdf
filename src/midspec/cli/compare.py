"""`midspec compare`: a run beside published figures, or beside another run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.compare.compare import Comparison
    from midspec.compare.reference import Reference

_FORMS = (".html", ".md", ".csv", ".json")


@click.command()
@click.argument("run")
@click.option(
    "--with",
    "other",
    default="paper",
    show_default=True,
    metavar="REFERENCE",
    help="`paper`, a reference file of your own (YAML), or another run.",
)
@click.option("--as", "recipe", metavar="RECIPE", help="The recipe that the run repeats, if its name does not say so.")
@click.option("--template", is_flag=True, help="Write an empty reference file for the arms and evaluations of RUN.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE: .html, .md, .csv or .json; with --template, .yaml.",
)
@workspace_option
@json_option
def compare(
    run: str, other: str, recipe: str | None, template: bool, out: Path | None, workspace: Path, as_json: bool
) -> None:
    """Put RUN beside published figures: what agrees, what differs, what was made otherwise.

    RUN: the name of a run in the workspace, its folder, or a results.json. It need not be finished.
    """
    from midspec.compare.compare import compare as beside
    from midspec.compare.from_run import template as empty
    from midspec.compare.source import find_run
    from midspec.errors import InputError

    if out is not None and out.suffix not in ((".yaml",) if template else _FORMS):
        raise InputError(
            f"--out {str(out)!r} ends in {out.suffix!r}; expected {'.yaml' if template else ', '.join(_FORMS)}"
        )
    found = find_run(run, workspace)
    if template:
        _put(empty(found.results), out)
        return
    reference = _reference(other, workspace)
    name = recipe if recipe is not None or other == "paper" else _only_recipe(reference)
    comparison = beside(found.results, reference, recipe=name, notes=found.notes)
    if out is not None:
        _put(_written(comparison, out.suffix), out)
    if as_json:
        from midspec.compare.export import as_dict

        print_json(as_dict(comparison))
    elif out is None:
        from rich.console import Console

        from midspec.compare.text import text

        Console().print(text(comparison))


def _reference(text: str, workspace: Path) -> Reference:
    from midspec.compare.from_run import reference_of
    from midspec.compare.read import PAPER, paper, read_reference
    from midspec.compare.source import find_run

    path = Path(text)
    if text == PAPER:
        return paper()
    if path.suffix in (".yaml", ".yml") or (path.is_file() and path.suffix != ".json"):
        return read_reference(path)
    return reference_of(find_run(text, workspace).results)


def _only_recipe(reference: Reference) -> str | None:
    """A reference about one recipe is meant for whatever run it is given, under any name."""
    names = {name for figure in reference.figures for name in figure.recipes if name != "*"}
    return next(iter(names)) if len(names) == 1 else None


def _written(comparison: Comparison, suffix: str) -> str:
    import json

    from midspec.compare.export import as_dict, csv_text, markdown

    if suffix == ".html":
        from midspec.report.comparison_page import page

        return page(comparison)
    if suffix == ".json":
        return json.dumps(as_dict(comparison), ensure_ascii=False, indent=1) + "\n"
    return csv_text(comparison) if suffix == ".csv" else markdown(comparison)


def _put(text: str, out: Path | None) -> None:
    """To standard output, or whole to a file."""
    from midspec.steps.store import explained

    if out is None:
        click.echo(text, nl=False)
        return
    with explained(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}.tmp")
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(out)
    click.echo(f"Written: {out}", err=True)
