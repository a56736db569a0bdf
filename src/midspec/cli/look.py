"""`midspec trace`: where something comes from."""

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
