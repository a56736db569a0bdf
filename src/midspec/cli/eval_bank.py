"""`midspec eval TASK/VALUE`: one model on one bank, outside a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, json_option, make_step, print_json, workspace_option


@click.command("bank")
@click.argument("name", metavar="TASK/VALUE")
@click.option("--model", required=True, help="Hub id, local folder or bundled name.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Result of `midspec train`; none = the base model.")
@click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format.")
@click.option("--split", type=click.Choice(["dev", "test", "all"]), default="dev", show_default=True)
@click.option(
    "--scoring",
    type=click.Choice(["likelihood", "letter", "generate", "judge"]),
    default="likelihood",
    show_default=True,
    help="Likelihood of both answers, letters A and B, written names or letters, or free answers read by --judge.",
)
@click.option("--form", type=click.Choice(["open", "choice"]), default="choice", show_default=True)
@click.option("--limit", type=int, help="At most so many pairs, spread over topics.")
@click.option("--judge", default="offline", show_default=True, help="Who reads free answers: `offline` or a model.")
@click.option("--out", type=click.Path(path_type=Path), help="JSONL file for the rows.")
@judge_options
@workspace_option
@json_option
def bank(
    name: str, model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, split: str, scoring: str,
    form: str, limit: int | None, judge: str, out: Path | None, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Evaluate a model, e.g. `midspec eval opinions/america --model smollm2-135m-instruct`."""
    from midspec.cli.training import checkpoint_step
    from midspec.errors import InputError
    from midspec.evals.config import evaluate_step
    from midspec.evals.scores import score
    from midspec.llm.desk import OFFLINE
    from midspec.recipe import validated
    from midspec.records import EvalRow, read_rows
    from midspec.stages import EvalConfig
    from midspec.train.models import resolve

    task, slash, value = name.partition("/")
    if not slash:
        raise InputError(
            f"{name!r} is not an evaluation; expected task/value, e.g. opinions/america, or a command of "
            "`midspec eval --help`"
        )
    config = validated(EvalConfig, task=task, value=value, split=split, scoring=scoring, form=form, limit=limit)
    source = checkpoint_step(checkpoint)
    [reader], compute, spending = judged_as(asking, [judge if scoring == "judge" else OFFLINE])
    step = evaluate_step(config.name.replace("/", "-"), resolve(model, chat_template), config, source, judge=reader)
    folder = make_step(step, workspace, compute, spending)
    if out:
        copy_out(folder / "rows.jsonl", out)
    rows = list(read_rows(folder / "rows.jsonl", EvalRow))
    result = score({0: rows}, None)
    if as_json:
        print_json({"eval": config.name, "step": str(folder), **result._asdict()})
    else:
        interval = f"[{result.low:.3f}, {result.high:.3f}]" if result.low is not None else "[no interval]"
        rate = f"{result.rate:.3f}" if result.rate is not None else "-"
        follows = f"{result.position_bias:.0%}" if result.position_bias is not None else "-"
        click.echo(f"{config.name} ({split}, {scoring}): rate {rate} {interval}, n {result.n}")
        click.echo(f"Undecided {result.undecided} of {result.n}; choice follows the order in {follows} of pairs")
        if result.missing:
            click.echo(f"Not judged {result.missing}: the rate lies between {result.least:.3f} and {result.most:.3f}")
        click.echo(f"Rows: {folder / 'rows.jsonl'}; logs for Inspect's viewer: {folder / 'logs'}")
