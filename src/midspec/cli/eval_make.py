"""`midspec eval make-pairs | make-questions`: evaluation data for a value or a spec of one's own."""

from __future__ import annotations

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


@click.command("make-pairs")
@click.option("--value", required=True, help="What the value is called, e.g. punctuality.")
@click.option("--describe", type=click.Path(path_type=Path), required=True, help="File that says what it means.")
@click.option("--domains", type=int, default=8, show_default=True)
@click.option("--topics", type=int, default=4, show_default=True, help="Of each domain.")
@click.option("--pairs", type=int, default=300, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@writer_options
@workspace_option
@json_option
def make_pairs(
    value: str, describe: Path, domains: int, topics: int, pairs: int, seed: int, out: Path, workspace: Path,
    as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Write a bank of item pairs for a new value; the judge takes out what the wording gives away.

    Evaluate with it as with any bank: `midspec eval preferences/OUT.jsonl --model M`.
    """
    from midspec.evals.pairs.config import PairsConfig, pairs_step, value_name
    from midspec.recipe import validated
    from midspec.spec import read_spec

    config = validated(
        PairsConfig,
        value=value_name(value),
        description=read_spec(describe).text.strip(),
        domains=domains,
        topics=topics,
        pairs=pairs,
        seed=seed,
    )
    writer, judge, compute, spending = asked_as(asking)
    step = pairs_step(config, writer, judge)
    make_and_copy(step, workspace, out, as_json, file="bank.jsonl", compute=compute, spending=spending)


@click.command("make-questions")
@click.option("--spec", "spec_path", required=True, help="Spec file, or the name of a packaged spec.")
@click.option("--count", type=int, default=150, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@identity_options
@writer_options
@workspace_option
@json_option
def make_questions(
    spec_path: str, count: int, seed: int, out: Path, model_name: str, provider_name: str, workspace: Path,
    as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Write open questions about a spec, for `midspec eval open-qa --questions OUT`."""
    from midspec.evals.open_qa.config import QuestionsConfig, questions_step
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    config = validated(QuestionsConfig, count=count, seed=seed)
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    writer, _, compute, spending = asked_as(asking)
    step = questions_step("by-hand", config, read_spec(spec_path), identity, writer)
    make_and_copy(step, workspace, out, as_json, file="questions.jsonl", compute=compute, spending=spending)
