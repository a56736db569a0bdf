"""Options and output that `midspec eval capability | knowledge | beliefs` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midspec.cli.options import copy_out, make_step, print_json

if TYPE_CHECKING:
    from midspec.evals.battery.results import Change, Measure
    from midspec.experiment import ComputeConfig
    from midspec.steps import Step
    from midspec.steps.step import Spending

F = TypeVar("F", bound=Callable[..., Any])
SETTINGS = ("split", "limit", "samples", "temperature", "max_tokens", "letter_tokens", "seed")
"""Options that are fields of a BatteryConfig."""


def battery_options(command: F) -> F:
    """Who is asked, how, and what the result is compared with."""
    for option in (
        click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for rows and logs."),
        click.option(
            "--parent",
            type=click.Path(path_type=Path),
            help="Result of the same command for another model: show what changed against it.",
        ),
        click.option("--by-domain", is_flag=True, help="Show the domains of each part too."),
        click.option("--seed", type=int, help="Of sampling."),
        click.option("--letter-tokens", type=int, help="Longest answer that is to be a letter."),
        click.option("--max-tokens", type=int, help="Longest free answer."),
        click.option("--temperature", type=float, help="Of free answers."),
        click.option("--samples", type=int, help="Free answers to each prompt."),
        click.option("--limit", type=int, help="At most so many items of each part, spread over its domains."),
        click.option("--split", type=click.Choice(["dev", "test", "all"]), help="Items of one half only."),
        click.option("--judge", default="offline", show_default=True, help="Who reads answers: `offline` or a model."),
        click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format."),
        click.option(
            "--checkpoint", type=click.Path(path_type=Path), help="Result of `midspec train`; none = the model as is."
        ),
        click.option("--model", required=True, help="Hub id, folder, bundled name, or an Inspect AI model name."),
    ):
        command = option(command)
    return command


def settings_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as fields of a BatteryConfig."""
    return {name: options[name] for name in SETTINGS if options.get(name) is not None}


def ask_and_tell(
    step: Step,
    workspace: Path,
    compute: ComputeConfig,
    spending: Spending,
    out: Path,
    parent: Path | None,
    as_json: bool,
    by_domain: bool,
) -> None:
    """Make the step, copy it to `out`, and show its measures, and what changed against `parent`."""
    from midspec.records import EvalRow, read_rows

    before = list(read_rows(_rows_file(parent), EvalRow)) if parent else []
    folder = make_step(step, workspace, compute, spending)
    copy_out(folder, out)

    from midspec.evals.battery.results import changes, measures
    from midspec.steps import Store

    rows = list(read_rows(folder / "rows.jsonl", EvalRow))
    found = measures(rows)
    changed = changes(rows, before)
    summary = Store(workspace).record(folder).summary
    if as_json:
        told = {
            "step": str(folder),
            "out": str(out),
            "measures": [one._asdict() for one in found],
            "changes": [one._asdict() for one in changed],
            "summary": summary,
        }
        print_json(told)
        return
    for one in found:
        if by_domain or not one.group:
            click.echo(_measure(one))
    if parent:
        click.echo(f"Against {parent}, on the items that both answered:")
        for one in changed:
            if by_domain or not one.group:
                click.echo(_change(one))
    for name, reason in summary["not_run"].items():
        click.echo(f"{name}: not run, {reason}")
    click.echo(f"Rows and logs for Inspect's viewer: {out}")


def _rows_file(parent: Path) -> Path:
    return parent / "rows.jsonl" if parent.is_dir() else parent


def _measure(one: Measure) -> str:
    mean = f"{one.mean:.3f}" if one.mean is not None else "-"
    interval = f"[{one.low:.3f}, {one.high:.3f}]" if one.low is not None else "[no interval]"
    bounds = f" between {one.least:.3f} and {one.most:.3f}" if one.least is not None else ""
    missing = f", {one.missing} missing:{bounds}" if one.missing else ""
    return f"{_name(one.eval, one.group)} {mean:>6} {interval}  n {one.n}{missing}"


def _change(one: Change) -> str:
    difference = f"{one.difference:+.3f}" if one.difference is not None else "-"
    interval = f"[{one.low:+.3f}, {one.high:+.3f}]" if one.low is not None else "[no interval]"
    shift = f", log-odds {one.shift:+.2f}" if one.shift is not None else ""
    return f"{_name(one.eval, one.group)} {difference:>6} {interval}  n {one.n}{shift}"


def _name(evaluation: str, group: str) -> str:
    return f"  {group:32}" if group else f"{evaluation:34}"
