"""`midspec serve`: a base model and the adapters trained on it, on one vLLM server, for evaluations to ask."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Literal

import click

from midspec.cli.options import json_option, print_json, workspace_option


@click.command("serve")
@click.argument("model")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@click.option("--adapter", "adapters", multiple=True, metavar="[NAME=]FOLDER", help="Result of a training; repeatable.")
@click.option("--trained", is_flag=True, help="All adapters that training steps of the workspace made.")
@click.option("--rank", type=int, help="Largest rank of adapters that are loaded later; default: those given.")
@click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may ask: 0.0.0.0 for other machines.")
@click.option("--port", type=int, default=8000, show_default=True)
@click.option("--log", type=click.Path(path_type=Path), default=Path("vllm.log"), show_default=True)
@click.option("--dry-run", is_flag=True, help="Show the command and start nothing.")
@workspace_option
@json_option
def serve(
    model: str, more: tuple[str, ...], adapters: tuple[str, ...], trained: bool, rank: int | None,
    chat_template: Literal["chatml"] | None, host: str, port: int, log: Path, dry_run: bool, workspace: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Serve MODEL and its adapters until Ctrl-C. MORE, after `--`, are flags of vLLM's own.

    Evaluations find an adapter by its weights: `compute: {serve: http://127.0.0.1:8000/v1}` in a recipe. With the
    environment variable MIDSPEC_SERVE_KEY set, requests must bring it.
    """
    from midspec.errors import StepError
    from midspec.evals.serving import vllm
    from midspec.evals.serving.adapters import named_adapters, trained_adapters
    from midspec.evals.serving.endpoint import NO_KEY, Endpoint
    from midspec.evals.serving.pool import KEY_VARIABLE, template_file
    from midspec.evals.serving.process import running
    from midspec.steps.progress import Reporter
    from midspec.train.models import ensure, resolve

    ref = resolve(model, chat_template)
    base = ensure(ref)
    found = {adapter.name: adapter for adapter in named_adapters(adapters)}
    if trained:
        found |= {adapter.name: adapter for adapter in trained_adapters(workspace)}
    command = vllm.arguments(
        base, ref.name, list(found.values()), port, host=host, rank=rank, more=more,
        chat_template=template_file(ref, base, log.with_suffix(".jinja")),
    )  # fmt: skip
    key = os.environ.get(KEY_VARIABLE)
    endpoint = Endpoint(
        f"http://127.0.0.1:{port}/v1" if host == "0.0.0.0" else f"http://{host}:{port}/v1", key or NO_KEY
    )
    served = {adapter.name: str(adapter.folder) for adapter in found.values()}
    facts = {"url": endpoint.url, "base": ref.name, "adapters": served, "command": command}
    if dry_run:
        if as_json:
            print_json(facts)
        else:
            click.echo(shlex.join(command))
        return
    with (
        suppress(KeyboardInterrupt),
        Reporter() as reporter,
        running(command, endpoint, log, environment=vllm.environment(key), progress=reporter) as process,
    ):
        if as_json:
            print_json(facts)
        else:
            click.echo(f"{ref.name} answers at {endpoint.url}; Ctrl-C stops it.")
            for name, folder in served.items():
                click.echo(f"  {name}  {folder}")
        raise StepError(f"the server ended by itself with status {process.wait()}; its log: {log}")
