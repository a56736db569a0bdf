"""Options that several commands share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from midspec.experiment import ComputeConfig, WriterConfig
    from midspec.steps import Step
    from midspec.steps.step import Spending

F = TypeVar("F", bound=Callable[..., Any])


def workspace_option(command: F) -> F:
    """`--workspace`."""
    return click.option(
        "--workspace",
        "-w",
        type=click.Path(path_type=Path),
        default=Path(),
        envvar="MIDSPEC_WORKSPACE",
        help="Folder that holds steps/ and runs/. Default: the current folder.",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)


def identity_options(command: F) -> F:
    """`--model-name` and `--provider-name`."""
    command = click.option("--provider-name", default="Northfield Labs", help="Fills {provider_name}.")(command)
    return click.option("--model-name", default="Aria", help="Fills {model_name}.")(command)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def copy_out(source: Path, target: Path) -> None:
    """Copy a file, or a folder into a new or empty one, through a temporary name, so that no half copy is left."""
    from midspec.errors import InputError
    from midspec.steps.store import explained

    if source.is_dir() and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} exists and is not an empty folder; choose another --out or remove it")
    if source.is_file() and target.is_dir():
        raise InputError(f"{target} is a folder; expected a file name")
    with explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".part")
        if source.is_dir():
            if temporary.exists():
                shutil.rmtree(temporary)
            shutil.copytree(source, temporary)
            if target.exists():
                target.rmdir()
        else:
            shutil.copyfile(source, temporary)
        temporary.replace(target)


def writer_options(command: F) -> F:
    """Who writes and judges outside a recipe, and how it is asked: `asked_as` reads them."""
    for option in (
        click.option("--yes", "-y", is_flag=True, help="Do not ask before spending."),
        click.option("--usd", type=float, help="Stop before spending more than so many dollars."),
        click.option("--batch", is_flag=True, help="Batch jobs: half the price, hours of waiting."),
        click.option("--concurrency", type=int, default=50, show_default=True, help="Most requests in flight."),
        click.option(
            "--deadline",
            type=float,
            default=600.0,
            show_default=True,
            help="Seconds before an unanswered request is given up and sent again.",
        ),
        click.option("--judge-url", help="Where the judge answers, if not at its provider's address."),
        click.option("--writer-url", help="The same for the writer, e.g. a local OpenAI-compatible server."),
        click.option("--structured", is_flag=True, help="Hold replies to a JSON schema (small local models)."),
        click.option("--max-tokens", type=int, default=8192, show_default=True, help="Longest reply."),
        click.option("--temperature", type=float, default=1.0, show_default=True, help="Of the writer."),
        click.option("--judge", default="offline", show_default=True, help="Who judges: like --writer."),
        click.option(
            "--writer",
            default="offline",
            show_default=True,
            help="Who writes: an Inspect AI model name (anthropic/claude-opus-4-6, openai-api/local/NAME), or "
            "`offline`, the writer without a model.",
        ),
    ):
        command = option(command)
    return command


def asked_as(options: dict[str, Any]) -> tuple[WriterConfig, WriterConfig, ComputeConfig, Spending]:
    """(writer, judge, compute, spending) from what `writer_options` parsed. Asks before anybody is paid."""
    from midspec.experiment import ComputeConfig, WriterConfig
    from midspec.llm.desk import check_writer
    from midspec.recipe import validated
    from midspec.steps.step import Spending

    shared = {"max_tokens": options["max_tokens"], "structured": options["structured"]}
    writer = validated(WriterConfig, model=options["writer"], temperature=options["temperature"], **shared)
    judge = validated(WriterConfig, model=options["judge"], temperature=0.0, **shared)
    compute = validated(
        ComputeConfig,
        concurrency=options["concurrency"],
        deadline=options["deadline"],
        batch=options["batch"],
        writer_url=options["writer_url"],
        judge_url=options["judge_url"],
    )
    paid = sorted({config.model for config in (writer, judge)} - {"offline"})
    check_writer(writer, compute.writer_url)
    check_writer(judge, compute.judge_url)
    if paid and not options["yes"]:
        cap = f"at most ${options['usd']:,.2f}" if options["usd"] is not None else "without a cap (--usd sets one)"
        click.confirm(f"{' and '.join(paid)} will be asked and paid for, {cap}. Go on?", abort=True, err=True)
    return writer, judge, compute, Spending(usd=options["usd"])


def make_step(
    step: Step, workspace: Path, compute: ComputeConfig | None = None, spending: Spending | None = None
) -> Path:
    """Make one step of a command outside a recipe, with what it needs; returns its folder in the workspace's store.

    What it pays is added up under the step's own fingerprint: the same command goes on under its cap after an
    interruption, and nothing that another command paid counts against it.
    """
    from dataclasses import replace

    from midspec.experiment import ComputeConfig
    from midspec.steps import Store
    from midspec.steps.local import run_steps
    from midspec.steps.progress import Reporter
    from midspec.steps.step import Spending

    store = Store(workspace)
    account = replace(spending or Spending(), run=f"by-hand-{step.fingerprint}")
    with Reporter() as reporter:
        run_steps([step], store, compute or ComputeConfig(), reporter, account)
    folder = store.find(step)
    assert folder is not None
    return folder


def make_and_copy(
    step: Step,
    workspace: Path,
    out: Path,
    as_json: bool,
    *,
    file: str = ".",
    compute: ComputeConfig | None = None,
    spending: Spending | None = None,
) -> None:
    """Make a step, copy its `file` (by default all of it) to `out`, and say what it holds."""
    from midspec.steps import Store

    folder = make_step(step, workspace, compute, spending)
    copy_out(folder / file, out)
    record = Store(workspace).record(folder)
    if as_json:
        print_json({"out": str(out), "step": str(folder), "fingerprint": record.fingerprint, "summary": record.summary})
    else:
        facts = ", ".join(
            f"{key} {value}" for key, value in record.summary.items() if value and not isinstance(value, dict)
        )
        click.echo(f"{out}: {facts} (step {folder})")
