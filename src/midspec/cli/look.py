"""`midspec trace | models`: commands that look and change nothing but the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from midspec.cli.options import json_option, print_json, workspace_option


@click.command()
@click.argument("id")
@workspace_option
@json_option
def trace(id: str, workspace: Path, as_json: bool) -> None:
    """Show where ID comes from: the spec passage behind a document, what was made from it, the answers to an item."""
    from midspec.steps import Store
    from midspec.trace import trace as find

    found = find(Store(workspace), id)
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        _show(key, value)


def _show(key: str, value: Any) -> None:
    title = click.style(key.replace("_", " "), bold=True)
    if isinstance(value, list) and value:
        click.echo(f"{title}:")
        for entry in value:
            click.echo(f"  - {entry}")
    elif isinstance(value, str) and ("\n" in value or len(value) > 90):
        click.echo(f"{title}:\n" + "\n".join(f"  {line}" for line in value.splitlines()))
    else:
        click.echo(f"{title}: {value}")


@click.group()
def models() -> None:
    """List and fetch base models."""


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
