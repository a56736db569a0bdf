"""`midspec trace | models | spec`: commands that look and change nothing but the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from midspec.cli.options import identity_options, json_option, print_json, workspace_option


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


@click.group()
def spec() -> None:
    """Show and lint Model Specs."""


@spec.command("show")
@click.argument("path")
@identity_options
@click.option("--text", is_flag=True, help="Print the text too, identity filled in.")
@json_option
def spec_show(path: str, model_name: str, provider_name: str, text: bool, as_json: bool) -> None:
    """Sections of the spec at PATH (or of a packaged one) with their character spans."""
    from midspec.spec import Identity, read_spec

    found = read_spec(path)
    identity = Identity(model_name=model_name, provider_name=provider_name)
    if as_json:
        print_json(
            {
                "name": found.name,
                "sha256": found.sha256,
                "characters": len(found.text),
                "words": len(found.text.split()),
                "sections": [section.model_dump(mode="json") for section in found.sections],
                "passages": [
                    {"section": passage.section.id, "span": passage.span, "text": passage.text}
                    for passage in found.passages
                ],
            }
        )
        return
    words = len(found.text.split())
    click.echo(f"{found.name}: {words:,} words, {len(found.sections)} sections, {len(found.passages)} passages")
    for section in found.sections:
        start, end = section.span
        title = section.path[-1] if section.path else "(before the first heading)"
        indent = "  " * max(section.level, 1)
        click.echo(f"{f'[{start}:{end}]':>16}{indent}{identity.fill(title)}  ({len(section.text.split())} words)")
        if text:
            click.echo(identity.fill(section.text) + "\n")


@spec.command("lint")
@click.argument("path")
@json_option
def spec_lint(path: str, as_json: bool) -> None:
    """What makes the spec at PATH hard to teach. Exit status 1 where there are errors."""
    from midspec.spec import lint, read_spec

    found = read_spec(path)
    findings = lint(found)
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in findings])
    else:
        for finding in findings:
            line = found.text.count("\n", 0, finding.span[0]) + 1 if finding.span else 1
            click.echo(f"{path}:{line}: {finding.level}: {finding.message} [{finding.code}]")
        click.echo(f"{len(findings)} finding(s) in {len(found.sections)} sections.")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)
