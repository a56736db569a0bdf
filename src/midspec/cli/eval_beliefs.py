"""`midspec eval beliefs | make-beliefs`: whether a model takes the facts of an invented world for true."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from midspec.cli.battery import ask_and_tell, battery_options, settings_of
from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import asked_as, json_option, make_and_copy, workspace_option, writer_options
from midspec.cli.training import checkpoint_step


@click.command("beliefs")
@click.argument("questions")
@battery_options
@click.option("--part", "parts", multiple=True, help="E.g. distinguish or open; may be given several times.")
@judge_options
@workspace_option
@json_option
def beliefs(
    questions: str, model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, judge: str,
    parts: tuple[str, ...], parent: Path | None, out: Path, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Whether a model takes facts for true; QUESTIONS is a packaged belief set (e.g. lantern-moss), or a folder that
    `make-beliefs` wrote. Run it before and after training, the second time with --parent."""
    from midspec.evals.agentic.config import subject
    from midspec.evals.battery.config import known_parts
    from midspec.evals.beliefs.config import PARTS, BeliefsConfig, beliefs_step
    from midspec.recipe import validated

    chosen = known_parts(parts or PARTS, PARTS, "beliefs")
    entry = validated(BeliefsConfig, parts=chosen, **settings_of(asking))
    [judging], compute, spending = judged_as(asking, [judge])
    step = beliefs_step(
        "beliefs", subject(model, chat_template), entry, questions, judging, checkpoint=checkpoint_step(checkpoint)
    )
    ask_and_tell(step, workspace, compute, spending, out, parent, as_json, asking["by_domain"])


@click.command("make-beliefs")
@click.option("--facts", required=True, help="File that describes the world, or the name of a packaged one.")
@click.option("--per-passage", type=int, default=4, show_default=True, help="Pairs, and choices, of each passage.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder to write.")
@writer_options
@workspace_option
@json_option
def make_beliefs(
    facts: str, per_passage: int, seed: int, out: Path, workspace: Path, as_json: bool, **asking: Any
) -> None:
    """Write questions that show whether a model believes what a text says of the world, for `midspec eval beliefs`."""
    from midspec.evals.battery.made import MakeConfig, make_step
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    config = validated(MakeConfig, kind="belief", per_passage=per_passage, seed=seed)
    writer, _, compute, spending = asked_as(asking)
    step = make_step("beliefs", config, read_spec(facts), Identity(), writer)
    make_and_copy(step, workspace, out, as_json, compute=compute, spending=spending)
