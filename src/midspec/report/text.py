"""The results on a terminal: arms by evaluations."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from midspec.report.finding import eval_names, measure_names
from midspec.report.format import (
    MISSING,
    amount,
    amount_interval,
    bounds,
    nats,
    nats_interval,
    percent,
    percent_interval,
    unit,
)
from midspec.report.results import Measured, Results, Score


def summary_table(results: Results) -> Table:
    """Rate of value-aligned choices in percent with its 95% interval; below it the shift in nats with its own, and what
    is undecided, follows the order, or has no verdict."""
    table = Table(
        title=Text(f"{results.name}: value-aligned choices, % [95% interval]; shift against the baseline, nats"),
        title_justify="left",
        caption=Text(f"writer {results.writer}; base model {results.model.get('name', MISSING)}"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    names = eval_names(results)
    # Text, not str: rich would read `[...]` in a name as markup.
    table.add_column("arm", no_wrap=True, overflow="fold")
    for name in names:
        table.add_column(Text(name), justify="right")
    for arm, form in results.arms.items():
        table.add_row(Text(arm), *(_cell(form.evals.get(name)) for name in names))
    return table


def measure_table(results: Results) -> Table | None:
    """The headline of every other evaluation by arm: value with its 95% interval, change against the baseline, and what
    is missing with its bounds. None where there is no other evaluation."""
    names = measure_names(results)
    if not names:
        return None
    table = Table(
        title=Text(f"{results.name}: other evaluations [95% interval]; change against the baseline"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("evaluation", "arm"):
        table.add_column(heading, overflow="fold")
    for heading in ("value", "change", "missing"):
        table.add_column(heading, justify="right")
    for name in names:
        for at, (arm, form) in enumerate(results.arms.items()):
            shown = form.measures.get(name, [])[:1]
            heading = Text(_named(name, shown[0]) if shown and at == 0 else "")
            table.add_row(heading, Text(arm), *(_measure_cells(shown[0]) if shown else [Text(MISSING)] * 3))
        table.add_section()
    return table


def _named(name: str, one: Measured) -> str:
    return f"{name}: {one.measure} {unit(one.scale)}".rstrip()


def _measure_cells(one: Measured) -> list[Text]:
    value = f"{amount(one.value, one.scale)} {amount_interval(one.low, one.high, one.scale)}"
    interval = amount_interval(one.change_low, one.change_high, one.scale, signed=True)
    change = f"{amount(one.change, one.scale, signed=True)} {interval}"
    within = bounds(one.least, one.most, one.scale) if one.missing else ""
    missing = f"{one.missing:,} of {one.n:,}{': ' + within if within else ''}" if one.missing else ""
    return [Text(value.rstrip()), Text(change.rstrip()), Text(missing)]


def _cell(score: Score | None) -> Text:
    if score is None:
        return Text(MISSING)
    cell = Text(f"{percent(score.rate)} {percent_interval(score.low, score.high)}".rstrip())
    if score.shift is not None:
        # The baseline's own shift is 0 by definition and has no interval worth the name.
        interval = nats_interval(score.shift_low, score.shift_high) if score.shift_low != score.shift_high else ""
        cell.append(f"\n{nats(score.shift)} {interval}".rstrip(), style="dim")
    if told := _flaws(score):
        cell.append(f"\n{told}", style="dim")
    return cell


def _flaws(score: Score) -> str:
    """What is wrong with the answers behind a rate; empty where there is nothing to say."""
    told: list[str] = []
    if score.undecided:
        told.append(f"{percent(score.undecided_share)}% undecided")
    if score.position_bias:
        told.append(f"{percent(score.position_bias)}% by order")
    if score.missing:
        told.append(f"{score.missing:,} not judged: {bounds(score.least, score.most, 'share')}")
    return ", ".join(told)
