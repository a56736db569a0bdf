"""Plans as text: a table of kinds for one recipe, a table of recipes for several, and a drawing as a tree."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from midspec.bill.overview import Part, by_kind, together, trained, unmatched
from midspec.graph import draw

if TYPE_CHECKING:
    from midspec.cli.plan import Plan

MOST_NAMED = 40
"""Arms that are named without --all (ours)."""
WIDTH = 118


def show_one(plan: Plan, *, graph: bool, every: bool) -> None:
    """Kinds, arms, drawing or steps where they are asked for, and the sentences of the bill."""
    experiment, bill = plan.flow.experiment, plan.bill
    models = f", {len(plan.flow.models)} models" if len(plan.flow.models) > 1 else ""
    click.echo(
        f"{bill.name}: {len(experiment.arms)} arms{models}, {_count(experiment.seeds, 'seed')}, "
        f"{_count(experiment.evals, 'evaluation')}: {len(bill.lines)} steps"
    )
    _table(("steps", "shared", "to do", "done"), [(part.kind, _counts(part), part) for part in _parts(plan)])
    named = list(experiment.arms) if every else list(experiment.arms)[:MOST_NAMED]
    more = len(experiment.arms) - len(named)
    names = ", ".join(named) + (f" and {more} more (--all names them)" if more else "")
    click.echo(textwrap.fill(f"Arms: {names}", WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    if graph:
        click.echo("\n".join(draw(plan.flow, {line.fingerprint: line.state for line in bill.lines}, plan.users)))
    if every:
        for line in bill.lines:
            seconds = f"~{line.seconds:,.0f} s" if line.seconds is not None else ""
            arms = f"{len(plan.users.get(line.fingerprint, ())) or 'all':>4} arms"
            name = f"{line.kind} {line.name}"
            click.echo(f"  {line.state:<12}{name:<60} {line.fingerprint}  {arms}  {line.work:<34}{seconds}")
    apart = unmatched(plan.flow, bill)
    for text in [*bill.totals, *([apart] if apart else [])]:
        click.echo(text)


def show_several(plans: Sequence[Plan], left_out: Sequence[str]) -> None:
    """One line a recipe, and all together."""
    rows: list[tuple[str, tuple[int, ...], Part]] = []
    for plan in plans:
        total = _total(_parts(plan))._replace(tokens=trained(plan.bill.lines))
        rows.append((plan.bill.name, (len(plan.flow.experiment.arms), *_counts(total)), total))
    all_of_it = together([plan.bill for plan in plans])
    last = Part(
        "together", all_of_it.steps, all_of_it.shared, all_of_it.to_do, all_of_it.steps - all_of_it.to_do,
        all_of_it.tokens, all_of_it.requests, all_of_it.dollars, all_of_it.gpu_hours,
    )  # fmt: skip
    arms = sum(len(plan.flow.experiment.arms) for plan in plans)
    _table(("arms", "steps", "shared", "to do", "done"), [*rows, ("together", (arms, *_counts(last)), last)])
    click.echo("Tokens are those trained on. `shared`: by arms of the recipe; of all together: by recipes.")
    for text in left_out:
        click.echo(text)


def _parts(plan: Plan) -> list[Part]:
    parts = by_kind(plan.bill.lines, plan.users)
    return [*parts, _total(parts)]


def _total(parts: Sequence[Part]) -> Part:
    parts = [part for part in parts if part.kind != "all"]
    dollars = [part.dollars for part in parts]
    hours = [part.gpu_hours for part in parts if part.gpu_hours is not None]
    return Part(
        "all",
        steps=sum(part.steps for part in parts),
        shared=sum(part.shared for part in parts),
        to_do=sum(part.to_do for part in parts),
        done=sum(part.done for part in parts),
        tokens=0,
        requests=sum(part.requests for part in parts),
        dollars=None if None in dollars else sum(one or 0.0 for one in dollars),
        gpu_hours=sum(hours) if hours else None,
    )


def _counts(part: Part) -> tuple[int, ...]:
    return (part.steps, part.shared, part.to_do, part.done)


def _table(counts: tuple[str, ...], rows: Sequence[tuple[str, tuple[int, ...], Part]]) -> None:
    width = max(len(name) for name, _, _ in rows) + 2
    head = "".join(f"{name:>8}" for name in counts)
    click.echo(f"  {'':<{width}}{head}{'tokens':>12}{'requests':>11}{'dollars':>12}{'GPU h':>9}")
    for name, numbers, part in rows:
        dollars = "unknown" if part.dollars is None else f"{part.dollars:,.2f}" if part.dollars else ""
        hours = f"{part.gpu_hours:,.1f}" if part.gpu_hours is not None and part.gpu_hours >= 0.05 else ""
        requests = f"{part.requests:,}" if part.requests else ""
        click.echo(
            f"  {name:<{width}}{''.join(f'{number:>8,}' for number in numbers)}"
            f"{_short(part.tokens):>12}{requests:>11}{dollars:>12}{hours:>9}"
        )


def _short(tokens: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if tokens >= size:
            return f"{tokens / size:,.1f}{unit}"
    return str(tokens or "")


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' if len(things) != 1 else ''}"
