"""`midspec eval TASK/VALUE`: one model on one bank, outside a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, identity_options, json_option, make_step, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.evals.scores import ArmScore
    from midspec.stats.intervals import Estimate


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
@click.option("--system", metavar="TEXT|@FILE", help="System prompt before every question; default: the model's own.")
@click.option("--out", type=click.Path(path_type=Path), help="JSONL file for the rows.")
@judge_options
@identity_options
@workspace_option
@json_option
def bank(
    name: str, model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, split: str, scoring: str,
    form: str, limit: int | None, judge: str, system: str | None, out: Path | None, model_name: str,
    provider_name: str, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Evaluate a model, e.g. `midspec eval opinions/america --model smollm2-135m-instruct`."""
    from midspec.cli.training import checkpoint_step
    from midspec.errors import InputError
    from midspec.evals.bank_entry import BankEntry
    from midspec.evals.config import evaluate_step
    from midspec.evals.scores import mean_log_odds, score
    from midspec.llm.desk import OFFLINE
    from midspec.recipe import validated
    from midspec.records import EvalRow, read_rows
    from midspec.spec.document import Identity
    from midspec.train.models import resolve

    task, slash, value = name.partition("/")
    if not slash:
        raise InputError(
            f"{name!r} is not an evaluation; expected task/value, e.g. opinions/america, or a command of "
            "`midspec eval --help`"
        )
    entry = validated(
        BankEntry, task=task, value=value, split=split, scoring=scoring, form=form, limit=limit, system=_text_of(system)
    )
    told = entry.told(validated(Identity, model_name=model_name, provider_name=provider_name))
    source = checkpoint_step(checkpoint)
    [reader], compute, spending = judged_as(asking, [judge if scoring == "judge" else OFFLINE])
    step = evaluate_step(
        entry.name.replace("/", "-"), resolve(model, chat_template), entry.settings, source, judge=reader, system=told
    )
    folder = make_step(step, workspace, compute, spending)
    if out:
        copy_out(folder / "rows.jsonl", out)
    rows = list(read_rows(folder / "rows.jsonl", EvalRow))
    result, log_odds = score({0: rows}, None), mean_log_odds(rows)
    if as_json:
        about = {"eval": entry.name, "system": told, "step": str(folder)}
        print_json({**about, **result._asdict(), "log_odds": log_odds._asdict()})
    else:
        rate = f"{result.rate:.3f}" if result.rate is not None else "-"
        follows = f"{result.position_bias:.0%}" if result.position_bias is not None else "-"
        under = ", under a system prompt" if told is not None else ""
        click.echo(f"{entry.name} ({split}, {scoring}{under}): rate {rate} {_interval(result)}, n {result.n}")
        if log_odds.value is not None:
            click.echo(f"Mean log-odds of the aligned answer {log_odds.value:+.3f} {_interval(log_odds, '+')} nats")
        click.echo(f"Undecided {result.undecided} of {result.n}; choice follows the order in {follows} of pairs")
        if result.missing:
            click.echo(f"Not judged {result.missing}: the rate lies between {result.least:.3f} and {result.most:.3f}")
        click.echo(f"Rows: {folder / 'rows.jsonl'}; logs for Inspect's viewer: {folder / 'logs'}")


def _text_of(system: str | None) -> str | None:
    """What `--system` says: itself, or the file after `@`. Raises InputError for a file that cannot be read."""
    from midspec.errors import InputError

    if system is None or not system.startswith("@"):
        return system
    try:
        return Path(system[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"--system {system!r} cannot be read: {reason}; expected @ and the path of a file") from error


def _interval(found: ArmScore | Estimate, sign: str = "") -> str:
    if found.low is None or found.high is None:
        return "[no interval]"
    return f"[{found.low:{sign}.3f}, {found.high:{sign}.3f}]"
