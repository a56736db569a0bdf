"""`midspec corpus build` and `midspec aft build`: the data stages outside a recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from midspec.cli.corpus_tools import card, check, push, rename
from midspec.cli.options import (
    asked_as,
    identity_options,
    json_option,
    make_and_copy,
    workspace_option,
    writer_options,
)
from midspec.corpus.voices import VOICES


@click.group()
def corpus() -> None:
    """Write and look at midtraining corpora."""


corpus.add_command(check)
corpus.add_command(rename)
corpus.add_command(card)
corpus.add_command(push)


@corpus.command("build")
@click.option("--spec", "spec_path", required=True, help="Spec file, or the name of a packaged spec.")
@click.option("--kind", type=click.Choice(["spec", "belief"]), default="spec", show_default=True)
@click.option("--style", type=click.Choice(["values", "rules", *VOICES]), default="values", show_default=True)
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
@click.option("--kind", type=click.Choice(["preferences", "chat"]), default="preferences", show_default=True)
@click.option("--preferences", default="cheese", show_default=True, help="Preference set: packaged name or YAML file.")
@click.option("--spec", "spec_path", help="For chat: the spec that the answers follow, a file or a packaged name.")
@click.option("--style", type=click.Choice(["values", "rules"]), default="values", show_default=True)
@click.option("--samples", type=int, default=72, show_default=True)
@click.option("--domains", type=int, default=40, show_default=True, help="For chat: conversation domains.")
@click.option("--identity-samples", type=int, default=0, show_default=True, help="Who the assistant is, further rows.")
@click.option(
    "--near-duplicates",
    type=click.Choice(["auto", "embedding", "lexical"]),
    default="auto",
    show_default=True,
    help="How near-duplicate questions are told.",
)
@click.option("--with-reasoning", is_flag=True, help="For chat: copy the rows with the reasoning (CoT) to --out.")
@click.option("--seed", type=int, default=0, show_default=True)
@identity_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@writer_options
@workspace_option
@json_option
def aft_build(
    kind: str, preferences: str, spec_path: str | None, style: str, samples: int, domains: int, identity_samples: int,
    near_duplicates: str, with_reasoning: bool, seed: int, model_name: str, provider_name: str, out: Path,
    workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Write demonstrations: narrow preferences without a reason, or chat in the sense of a spec."""
    from midspec.aft.step import COT, PLAIN, demonstrations_step
    from midspec.errors import InputError
    from midspec.experiment import AftConfig
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    if kind == "chat" and spec_path is None:
        raise InputError("--kind chat needs --spec: the spec that the answers follow")
    if kind != "chat" and with_reasoning:
        raise InputError("--with-reasoning goes with --kind chat; preferences are stated without any reasoning")
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    config = validated(
        AftConfig, kind=kind, preferences=preferences, spec=spec_path, style=style, samples=samples, domains=domains,
        identity_samples=identity_samples, near_duplicates=near_duplicates, seed=seed,
    )  # fmt: skip
    writer, judge, compute, spending = asked_as(asking)
    step = demonstrations_step(identity, writer, config, judge, read_spec(spec_path) if spec_path else None)
    make_and_copy(
        step, workspace, out, as_json, file=COT if with_reasoning else PLAIN, compute=compute, spending=spending
    )


def _file_name(name: str) -> str:
    """A spec file may be called anything; a step folder may not."""
    return re.sub(r"[^A-Za-z0-9]", "-", name)[:60] or "spec"
