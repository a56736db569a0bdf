"""Options of commands that ask a judge and no writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from midspec.experiment import ComputeConfig, WriterConfig
    from midspec.steps.step import Spending

F = TypeVar("F", bound=Callable[..., Any])


def judge_options(command: F) -> F:
    """How judges are asked: `judged_as` reads them. The judges themselves are options of the command."""
    for option in (
        click.option("--yes", "-y", is_flag=True, help="Do not ask before spending."),
        click.option("--usd", type=float, help="Stop before spending more than so many dollars."),
        click.option("--batch", is_flag=True, help="Batch jobs: half the price, hours of waiting."),
        click.option("--concurrency", type=int, default=50, show_default=True, help="Most requests in flight."),
        click.option("--judge-url", help="Where the judge answers, if not at its provider's address."),
        click.option(
            "--serve",
            default="transformers",
            show_default=True,
            help="Who writes a local model's answers: transformers, vllm, or a server's http://HOST:PORT/v1.",
        ),
        click.option("--structured", is_flag=True, help="Hold replies to a JSON schema (small local models)."),
    ):
        command = option(command)
    return command


def judged_as(
    options: dict[str, Any], judges: Sequence[str]
) -> tuple[tuple[WriterConfig, ...], ComputeConfig, Spending]:
    """(judges, compute, spending) from what `judge_options` parsed. Asks before anybody is paid.

    Raises InputError for a judge nobody answers to.
    """
    from midspec.experiment import ComputeConfig, WriterConfig
    from midspec.llm.desk import OFFLINE, check_writer
    from midspec.recipe import validated
    from midspec.steps.step import Spending

    configs = tuple(
        validated(WriterConfig, model=name, temperature=0.0, structured=options["structured"]) for name in judges
    )
    compute = validated(
        ComputeConfig,
        concurrency=options["concurrency"],
        batch=options["batch"],
        judge_url=options["judge_url"],
        serve=options["serve"],
    )
    for config in configs:
        check_writer(config, options["judge_url"])
    paid = sorted(set(judges) - {OFFLINE})
    if paid and not options["yes"]:
        cap = f"at most ${options['usd']:,.2f}" if options["usd"] is not None else "without a cap (--usd sets one)"
        click.confirm(f"{' and '.join(paid)} will be asked and paid for, {cap}. Go on?", abort=True, err=True)
    return configs, compute, Spending(usd=options["usd"])
