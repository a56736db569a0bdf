"""`midspec eval knowledge | make-knowledge`: whether a model knows what its spec says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from midspec.cli.battery import ask_and_tell, battery_options, settings_of
from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import (
    asked_as,
    identity_options,
    json_option,
    make_and_copy,
    workspace_option,
    writer_options,
)
from midspec.cli.training import checkpoint_step


@click.command("knowledge")
@click.argument("questions", type=click.Path(path_type=Path))
@battery_options
@click.option("--part", "parts", multiple=True, help="likelihood, letter or open; may be given several times.")
@judge_options
@workspace_option
@json_option
def knowledge(
    questions: Path, model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, judge: str,
    parts: tuple[str, ...], parent: Path | None, out: Path, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Whether a model knows what its spec says; QUESTIONS is a folder that `make-knowledge` wrote."""
    from midspec.evals.agentic.config import subject
    from midspec.evals.battery.config import known_parts
    from midspec.evals.knowledge.config import PARTS, KnowledgeConfig, knowledge_step
    from midspec.recipe import validated

    chosen = known_parts(parts or PARTS, PARTS, "spec knowledge")
    entry = validated(KnowledgeConfig, parts=chosen, **settings_of(asking))
    [judging], compute, spending = judged_as(asking, [judge])
    step = knowledge_step(
        "knowledge", subject(model, chat_template), entry, questions, judging, checkpoint=checkpoint_step(checkpoint)
    )
    ask_and_tell(step, workspace, compute, spending, out, parent, as_json, asking["by_domain"])


@click.command("make-knowledge")
@click.option("--spec", "spec_path", required=True, help="Spec file, or the name of a packaged spec.")
@click.option("--per-passage", type=int, default=4, show_default=True, help="Pairs of each passage.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder to write.")
@identity_options
@writer_options
@workspace_option
@json_option
def make_knowledge(
    spec_path: str, per_passage: int, seed: int, out: Path, model_name: str, provider_name: str, workspace: Path,
    as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Write statements of a spec against distortions of them, and open questions, for `midspec eval knowledge`."""
    from midspec.evals.battery.made import MakeConfig, make_step
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    config = validated(MakeConfig, kind="spec", per_passage=per_passage, seed=seed)
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    writer, _, compute, spending = asked_as(asking)
    step = make_step("knowledge", config, read_spec(spec_path), identity, writer)
    make_and_copy(step, workspace, out, as_json, compute=compute, spending=spending)
