"""`midspec eval TASK/VALUE`: one model on one bank, outside a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from midspec.cli.options import copy_out, json_option, make_step, print_json, workspace_option


@click.command("bank")
@click.argument("name", metavar="TASK/VALUE")
@click.option("--model", required=True, help="Hub id, local folder or bundled name.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Result of `midspec train`; none = the base model.")
@click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format.")
@click.option("--split", type=click.Choice(["dev", "test", "all"]), default="dev", show_default=True)
@click.option("--scoring", type=click.Choice(["likelihood", "generate"]), default="likelihood", show_default=True)
@click.option("--form", type=click.Choice(["open", "choice"]), default="choice", show_default=True)
@click.option("--limit", type=int, help="At most so many pairs, spread over topics.")
@click.option("--out", type=click.Path(path_type=Path), help="JSONL file for the rows.")
@workspace_option
@json_option
def bank(
    name: str, model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, split: str, scoring: str,
    form: str, limit: int | None, out: Path | None, workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate a model, e.g. `midspec eval opinions/america --model smollm2-135m-instruct`."""
    from midspec.cli.training import checkpoint_folder
    from midspec.errors import InputError
    from midspec.evals.config import evaluate_step
    from midspec.evals.scores import score
    from midspec.experiment import EvalConfig
    from midspec.recipe import validated
    from midspec.records import EvalRow, read_rows
    from midspec.steps.imported import import_step
    from midspec.train.models import resolve

    task, slash, value = name.partition("/")
    if not slash:
        raise InputError(
            f"{name!r} is not an evaluation; expected task/value, e.g. opinions/america, or a command of "
            "`midspec eval --help`"
        )
    config = validated(EvalConfig, task=task, value=value, split=split, scoring=scoring, form=form, limit=limit)
    source = import_step("import", "checkpoint", checkpoint_folder(checkpoint), "checkpoint") if checkpoint else None
    step = evaluate_step(config.name.replace("/", "-"), resolve(model, chat_template), config, source)
    folder = make_step(step, workspace)
    if out:
        copy_out(folder / "rows.jsonl", out)
    result = score({0: list(read_rows(folder / "rows.jsonl", EvalRow))}, None)
    if as_json:
        print_json({"eval": config.name, "step": str(folder), **result._asdict()})
    else:
        interval = f"[{result.low:.3f}, {result.high:.3f}]" if result.low is not None else "[no interval]"
        rate = f"{result.rate:.3f}" if result.rate is not None else "-"
        click.echo(f"{config.name} ({split}): rate {rate} {interval}, n {result.n}, undecided {result.undecided}")
        click.echo(f"Rows: {folder / 'rows.jsonl'}; logs for Inspect's viewer: {folder / 'logs'}")
