"""Options that several commands share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from midspec.steps import Step

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


def make_step(step: Step, workspace: Path) -> Path:
    """Make one step of a command outside a recipe, with what it needs; returns its folder in the workspace's store."""
    from midspec.experiment import ComputeConfig
    from midspec.steps import Store
    from midspec.steps.local import run_steps
    from midspec.steps.progress import Reporter

    store = Store(workspace)
    with Reporter() as reporter:
        run_steps([step], store, ComputeConfig(), reporter)
    folder = store.find(step)
    assert folder is not None
    return folder


def make_and_copy(step: Step, workspace: Path, out: Path, as_json: bool, *, file: str = ".") -> None:
    """Make a step, copy its `file` (by default all of it) to `out`, and say what it holds."""
    from midspec.steps import Store

    folder = make_step(step, workspace)
    copy_out(folder / file, out)
    record = Store(workspace).record(folder)
    if as_json:
        print_json({"out": str(out), "step": str(folder), "fingerprint": record.fingerprint, "summary": record.summary})
    else:
        facts = ", ".join(
            f"{key} {value}" for key, value in record.summary.items() if value and not isinstance(value, dict)
        )
        click.echo(f"{out}: {facts} (step {folder})")
