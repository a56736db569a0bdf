"""`midspec eval rejudge`: stored agentic transcripts graded again, and how far both graders agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, json_option, make_step, print_json, workspace_option


@click.command("rejudge")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--grader", required=True, help="`offline` (rules), or an Inspect AI model name.")
@click.option("--prompt", type=click.Path(path_type=Path), help="Jinja file with another prompt for the judge.")
@click.option("--rubric", type=click.Choice(["midspec", "inspect_evals"]), help="Whose prompt; default: as before.")
@judge_options
@workspace_option
@json_option
def rejudge(
    folder: Path, grader: str, prompt: Path | None, rubric: str | None, workspace: Path, as_json: bool, **asking: Any
) -> None:
    """Grade the transcripts in FOLDER (of `midspec eval agentic`) again, without asking the model.

    The verdicts are stored beside the first ones, in FOLDER/rejudged/. Shown is Cohen's kappa of both graders.
    """
    from midspec.cli.eval_agentic import table_lines
    from midspec.errors import InputError
    from midspec.evals.agentic.config import RejudgeConfig, rejudge_step, texts_sha256
    from midspec.evals.agentic.judge import read_prompt_file
    from midspec.evals.agentic.numbers import table
    from midspec.evals.agentic.rejudge import STORED, stored_evaluation
    from midspec.recipe import validated
    from midspec.records import EvalRow, read_rows
    from midspec.steps.imported import import_step

    before = stored_evaluation(folder)
    text = read_prompt_file(prompt) if prompt else None
    if text is not None and (rubric or before.eval.rubric) == "inspect_evals":
        raise InputError("--prompt replaces midspec's own prompt; give --rubric midspec with it")
    [judge], compute, spending = judged_as(asking, [grader])
    config = validated(RejudgeConfig, grader=judge, rubric=rubric, prompt=text, texts=texts_sha256())
    # Only what decides the verdicts: an earlier opinion, which lies in the same folder, does not.
    stored = {name: import_step("import", name.partition(".")[0], folder / name, name) for name in STORED}
    step = rejudge_step("rejudge", stored, config)
    made = make_step(step, workspace, compute, spending)
    label = re.sub(r"[^A-Za-z0-9.-]+", "-", grader) + (f"-{prompt.stem}" if prompt else "") + f"-{step.fingerprint[:8]}"
    out = folder / "rejudged" / label
    if not out.exists():
        copy_out(made, out)
    agreed = json.loads((made / "agreement.json").read_text(encoding="utf-8"))
    found = table(list(read_rows(made / "rows.jsonl", EvalRow)))
    if as_json:
        print_json({"out": str(out), "step": str(made), "before": before.grader.model, "grader": grader,
                    "agreement": agreed, **found.plain()})  # fmt: skip
        return
    for line in table_lines(found):
        click.echo(line)
    click.echo(f"\nAgreement of {before.grader.model} (before) and {grader} (now):")
    click.echo(f"{'':<20}{'n':>6}{'kappa':>8}{'same':>8}{'before':>8}{'now':>8}")
    for facet, one in agreed.items():
        numbers = "".join(
            f"{'-':>8}" if one[name] is None else f"{one[name]:>8.2f}" for name in ("kappa", "same", "first", "second")
        )
        click.echo(f"{facet:<20}{one['n']:>6}{numbers}")
    click.echo(f"Verdicts: {out}")
