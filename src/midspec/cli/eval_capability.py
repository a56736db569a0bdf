"""`midspec eval capability`: what training did to everything that the spec is not about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from midspec.cli.battery import ask_and_tell, battery_options, settings_of
from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import json_option, workspace_option
from midspec.cli.training import checkpoint_step


@click.command("capability")
@battery_options
@click.option("--part", "parts", multiple=True, help="One part only; may be given several times.")
@click.option("--preset", default="full", show_default=True, help="full, or quick.")
@judge_options
@workspace_option
@json_option
def capability(
    model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, judge: str, parts: tuple[str, ...],
    preset: str, parent: Path | None, out: Path, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Perplexity on general text, knowledge, instruction following, refusal and over-refusal, of any model.

    Scores: nats per byte (lower is better); shares of right choices, of prompts whose instructions are all kept, of
    refusals. With --parent, the change against another run, paired by item.
    """
    from midspec.evals.agentic.config import subject
    from midspec.evals.battery.config import known_parts
    from midspec.evals.capability.config import PARTS, capability_step, from_preset

    chosen = known_parts(parts or PARTS, PARTS, "capability")
    entry = from_preset(preset, parts=chosen, **settings_of(asking))
    [judging], compute, spending = judged_as(asking, [judge])
    step = capability_step(
        "capability", subject(model, chat_template), entry, judging, checkpoint=checkpoint_step(checkpoint)
    )
    ask_and_tell(step, workspace, compute, spending, out, parent, as_json, asking["by_domain"])
