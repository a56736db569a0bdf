"""A comparison on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from midspec.compare import words
from midspec.compare.compare import Comparison
from midspec.compare.entries import Kind
from midspec.compare.verdict import Verdict

_STYLES: dict[Verdict, str] = {
    "agrees": "green", "differs": "bold red", "undecided": "yellow", "not comparable": "dim", "not measured": "dim",
}  # fmt: skip
_HEADINGS = ("what", "ours", "reference", "apart", "verdict")
"""`apart` has the tolerance behind it: five columns fit an old terminal."""
_RIGHT = ("ours", "reference", "apart")


def text(comparison: Comparison) -> RenderableType:
    """Warnings first, then what agrees, then tables figure by figure, then everything that is otherwise."""
    return Group(*_parts(comparison))


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(f"{comparison.run} beside {comparison.reference.title}", style="bold")
    for at, line in enumerate(comparison.warnings):
        yield Text(line, style="bold red" if at == 0 else "red")
    for line in comparison.notes:
        yield Text(line, style="yellow")
    for kind in words.KINDS:
        yield Text(words.tally(comparison, kind))
    if comparison.reference.levels:
        yield Text(f"Go by the differences: {comparison.reference.levels}.", style="dim")
    for figure in comparison.figures:
        yield Text(f"\n{figure.title}", style="bold")
        for kind in words.KINDS:
            rows = comparison.rows_of(figure, kind)
            for table in words.tables([row for row in rows if row.ours is not None], comparison):
                yield _table(kind, table)
            if missing := [row for row in rows if row.ours is None]:
                yield Padding(Text(words.missing(missing), style="dim"), (0, 2))
        for one in words.remarks_of(figure, comparison):
            yield Padding(Text(words.remark(one), style="yellow" if one.kind == "tension" else "dim"), (0, 2))
    if comparison.deviations:
        yield Text("\nWhat is otherwise", style="bold")
    for one, name in comparison.deviations.items():
        yield Padding(Text(f"{name} {words.deviation(one)}", style="red" if one.voids else ""), (0, 2))
    for one in words.general_remarks(comparison):
        yield Padding(Text(words.remark(one), style="dim"), (0, 2))
    if comparison.reference.absent:
        yield Text("\nNot in the reference", style="bold")
    for line in comparison.reference.absent:
        yield Padding(Text(line, style="dim"), (0, 2))


def _table(kind: Kind, of: words.TableOf) -> Table:
    told = f"{words.KINDS[kind]} on {of.on}, {of.units}"
    table = Table(title=Text(told), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    below = [*words.reasons(of.rows), *([f"otherwise in all rows: {of.shared}"] if of.shared else [])]
    table.caption, table.caption_justify = Text("\n".join(below)), "left"
    for heading in _HEADINGS:
        folds = heading in ("what", "ours")
        table.add_column(heading, justify="right" if heading in _RIGHT else "left", overflow="fold", no_wrap=not folds)
    if any(of.own):
        table.add_column("also")
    for row, cells, own in zip(of.rows, of.cells, of.own, strict=True):
        within = f" ({cells['tolerance']})" if row.judged.tolerance is not None else ""
        shown = [Text(cells[heading] + (within if heading == "apart" else "")) for heading in _HEADINGS]
        shown[0].append(f"\n{row.model}" if of.several_models else "", style="dim")
        shown[-1].stylize(_STYLES[row.judged.verdict])
        table.add_row(*shown, *([Text(own)] if any(of.own) else []))
    return table
