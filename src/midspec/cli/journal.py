"""`midspec journal`: what language models were asked and answered in this workspace, and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.llm.batch_recover import LeftOver
    from midspec.llm.journal_stats import Numbers, Stats


@click.group()
def journal() -> None:
    """Look at, copy and repair the journal of language-model calls."""


@journal.command("stats")
@workspace_option
@json_option
def journal_stats(workspace: Path, as_json: bool) -> None:
    """Requests, replies, tokens, dollars, failures and times, by run, step, template and model."""
    from midspec.llm.journal_file import NAME
    from midspec.llm.journal_stats import read_stats

    stats = read_stats(workspace / NAME)
    if as_json:
        print_json(stats.as_dict())
    else:
        _show(stats)


def _show(stats: Stats) -> None:
    total = stats.total
    click.echo(
        f"{total.requests:,} requests answered ({total.imported:,} of them imported), "
        f"{total.failures.total():,} attempts failed, {_dollars(total.dollars)} paid, {stats.bytes / 1e6:,.1f} MB."
    )
    if total.unpriced:
        click.echo(
            f"{total.unpriced:,} replies came from models without a known price, and are not in the dollars; "
            "a prices.yaml in the workspace tells them for the next ones."
        )
    for title, counts in (
        ("Stop reasons", total.stop_reasons),
        ("Not usable", total.verdicts),
        ("Failed attempts", total.failures),
    ):
        if counts:
            click.echo(f"{title}: " + ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) + ".")
    if stats.open_batches:
        click.echo(
            f"{stats.open_batches} batch jobs with {stats.open_requests:,} requests are not collected yet: "
            "the next run does it, or `midspec journal recover`."
        )
    for kind, group in stats.groups.items():
        click.echo("\n" + click.style(f"{kind:<34}", bold=True) + _HEADER)
        for name, numbers in group.items():
            click.echo(f"{name[:33]:<34}" + _line(numbers))


def _dollars(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.4f}"


_HEADER = (
    f"{'requests':>10}{'unusable':>10}{'failures':>10}{'tokens in':>14}{'cached':>14}{'tokens out':>13}"
    f"{'dollars':>11}{'median s':>10}{'p95 s':>9}"
)


def _line(numbers: Numbers) -> str:
    from midspec.llm.journal_stats import percentile

    times = [percentile(numbers.seconds, share) for share in (0.5, 0.95)]
    median, p95 = ("-" if time is None else f"{time:,.1f}" for time in times)
    fresh = numbers.input_tokens + numbers.cache_write_tokens
    return (
        f"{numbers.requests:>10,}{numbers.verdicts.total():>10,}{numbers.failures.total():>10,}"
        f"{fresh:>14,}{numbers.cached_tokens:>14,}{numbers.output_tokens:>13,}"
        f"{_dollars(numbers.dollars):>11}{median:>10}{p95:>9}"
    )


@journal.command("export")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", help="Only what this run asked.")
@click.option("--template", help="Only requests of this prompt, e.g. corpus/document.")
@workspace_option
@json_option
def journal_export(out: Path, run: str | None, template: str | None, workspace: Path, as_json: bool) -> None:
    """Write whole requests and replies to OUT (.jsonl or .jsonl.gz), so that a run can be replayed elsewhere.

    The file holds every prompt and reply as it is, the spec included, and no key.
    """
    from midspec.errors import InputError
    from midspec.llm.journal_copy import export_journal
    from midspec.llm.journal_file import NAME

    if not out.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError(f"{out} is neither .jsonl nor .jsonl.gz; the ending tells whether the file is packed")
    count = export_journal(workspace / NAME, out, run, template)
    if as_json:
        print_json({"out": str(out), "replies": count, "bytes": out.stat().st_size})
    else:
        click.echo(f"{out}: {count:,} replies, {out.stat().st_size / 1e6:,.1f} MB")


@journal.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
@json_option
def journal_import(file: Path, workspace: Path, as_json: bool) -> None:
    """Take up the replies in FILE, which `midspec journal export` wrote. What is in the journal stays.

    They are used like replies of this workspace, and do not count as spent by its runs.
    """
    from midspec.llm.journal_copy import import_journal
    from midspec.llm.journal_file import NAME

    found = import_journal(workspace / NAME, file)
    if as_json:
        print_json({"new": found.new, "known": found.known, "conflicting": found.conflicting})
        return
    click.echo(
        f"{found.new:,} new replies, {found.known:,} known, {len(found.conflicting):,} conflicting "
        "(another reply to the same request is here, and stays)."
    )


@journal.command("recover")
@click.option("--wait", is_flag=True, help="Wait for batch jobs that have not ended, for up to a day or two.")
@click.option("--cancel", is_flag=True, help="End open batch jobs at the provider; what they have done is collected.")
@workspace_option
@json_option
def journal_recover(wait: bool, cancel: bool, workspace: Path, as_json: bool) -> None:
    """Check the journal, save what is readable of a damaged one, and collect batch jobs of an earlier process.

    A damaged file is kept under another name. Collecting needs the provider's key.
    """
    from midspec.llm.journal_file import NAME
    from midspec.llm.journal_recover import recover

    path = workspace / NAME
    found = recover(path)
    jobs = _collect(path, wait, cancel)
    if as_json:
        print_json(
            {
                "problems": found.problems,
                "old": None if found.old is None else str(found.old),
                "replies": found.replies,
                "incomplete": found.incomplete,
                "batches": [job._asdict() for job in jobs],
            }
        )
        return
    if found.old is None:
        click.echo(f"{path}: nothing is wrong, {found.replies:,} replies.")
    else:
        click.echo(f"{path}: damaged ({found.problems[0]}). {found.replies:,} replies were saved; lost ones are asked")
        click.echo(f"again by the next run. The damaged file is {found.old}.")
        if found.incomplete:
            click.echo(f"{found.incomplete:,} of the replies have lost their request: they are used, but not exported.")
    for job in jobs:
        click.echo(f"batch jobs of {job.provider}: {job.collected} collected, {job.open} left. {job.note}".rstrip())


def _collect(path: Path, wait: bool, cancel: bool) -> list[LeftOver]:
    import asyncio

    from midspec.llm.journal import Journal
    from midspec.llm.prices import load_prices

    journal = Journal(path)
    try:
        if not journal.read("SELECT 1 FROM batches WHERE state IN ('creating', 'open') LIMIT 1"):
            return []
        from midspec.llm.batch_recover import collect_left_over

        return asyncio.run(collect_left_over(journal, load_prices(path.parent), wait=wait, cancel=cancel))
    finally:
        journal.close()
