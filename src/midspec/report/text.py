"""The results on a terminal: arms by evaluations."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from midspec.report.finding import eval_names
from midspec.report.format import MISSING, nats, nats_interval, percent, percent_interval
from midspec.report.results import Results, Score


def summary_table(results: Results) -> Table:
    """Rate of value-aligned choices in percent with its 95% interval; below it the shift in nats with its own."""
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


def _cell(score: Score | None) -> Text:
    if score is None:
        return Text(MISSING)
    cell = Text(f"{percent(score.rate)} {percent_interval(score.low, score.high)}".rstrip())
    if score.shift is not None:
        # The baseline's own shift is 0 by definition and has no interval worth the name.
        interval = nats_interval(score.shift_low, score.shift_high) if score.shift_low != score.shift_high else ""
        cell.append(f"\n{nats(score.shift)} {interval}".rstrip(), style="dim")
    return cell
