"""`midspec corpus build` and `midspec aft build`: the data stages outside a recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from midspec.cli.options import (
    asked_as,
    identity_options,
    json_option,
    make_and_copy,
    workspace_option,
    writer_options,
)


@click.group()
def corpus() -> None:
    """Write and look at midtraining corpora."""


@corpus.command("build")
@click.option("--spec", "spec_path", required=True, help="Spec file, or the name of a packaged spec.")
@click.option("--kind", type=click.Choice(["spec", "belief"]), default="spec", show_default=True)
@click.option("--style", type=click.Choice(["values", "rules"]), default="values", show_default=True)
@click.option("--documents", type=int, default=200, show_default=True)
@click.option("--tokens", type=int, help="Write about so many tokens, whatever --documents says.")
@click.option("--document-types", type=int, default=20, show_default=True, help="Document types per subdomain.")
@click.option("--ideas", type=int, default=25, show_default=True, help="Ideas per subdomain and document type.")
@click.option("--critique", is_flag=True, help="Have each document criticised and rewritten once.")
@click.option("--seed", type=int, default=0, show_default=True)
@identity_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@writer_options
@workspace_option
@json_option
def corpus_build(
    spec_path: str, kind: str, style: str, documents: int, tokens: int | None, document_types: int, ideas: int,
    critique: bool, seed: int, model_name: str, provider_name: str, out: Path, workspace: Path, as_json: bool,
    **asking: Any,
) -> None:  # fmt: skip
    """Write a corpus about one spec. `midspec trace ID` follows any of its rows back to the spec."""
    from midspec.corpus.step import corpus_step
    from midspec.experiment import CorpusConfig
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    spec = read_spec(spec_path)
    config = validated(
        CorpusConfig, kind=kind, style=style, documents=documents, tokens=tokens, document_types=document_types,
        ideas=ideas, critique=critique, seed=seed,
    )  # fmt: skip
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    writer, _, compute, spending = asked_as(asking)
    step = corpus_step(_file_name(spec.name), spec, identity, writer, config)
    make_and_copy(step, workspace, out, as_json, file="documents.jsonl", compute=compute, spending=spending)


@click.group()
def aft() -> None:
    """Write demonstrations for alignment fine-tuning."""


@aft.command("build")
@click.option("--preferences", default="cheese", show_default=True, help="Preference set: packaged name or YAML file.")
@click.option("--writer", default="offline", show_default=True)
@click.option("--samples", type=int, default=72, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@identity_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@workspace_option
@json_option
def aft_build(
    preferences: str, writer: str, samples: int, seed: int, model_name: str, provider_name: str, out: Path,
    workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Write demonstrations that state preferences and never a reason."""
    from midspec.aft.step import demonstrations_step
    from midspec.experiment import AftConfig, WriterConfig
    from midspec.recipe import validated
    from midspec.spec import Identity

    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    config = validated(AftConfig, preferences=preferences, samples=samples, seed=seed)
    step = demonstrations_step(identity, WriterConfig(model=writer), config)
    make_and_copy(step, workspace, out, as_json, file="demonstrations.jsonl")


def _file_name(name: str) -> str:
    """A spec file may be called anything; a step folder may not."""
    return re.sub(r"[^A-Za-z0-9]", "-", name)[:60] or "spec"
