"""Beside the report: its figures as vector files, its tables as CSV. See docs/report.md."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from midspec.errors import StoreError
from midspec.report.explorer.blocks import Explorer
from midspec.report.figures import Panel
from midspec.report.html import Figures, draw_figures, write_report
from midspec.report.paper import beside_paper, context
from midspec.report.results import Results
from midspec.report.svg import as_pdf
from midspec.report.tables import TABLES, as_csv

FIGURES, TABLES_FOLDER = "figures", "tables"
NAMES = {
    "rates": "rates", "shifts": "shifts", "rate_contrasts": "differences-rate", "shift_contrasts": "differences-shift",
    "measure_panels": "measures", "scaling": "amounts", "curves": "training",
}  # fmt: skip
"""Figure of the page -> what its files are called."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.+_-]+")


def publish(results: Results, report: Path, explorer: Explorer | None = None) -> None:
    """Write the report, `figures/` and `tables/` beside it. Raises StoreError where the folder cannot be written."""
    figures = draw_figures(results)
    write_report(results, report, explorer, figures)
    write_figures(results, report.parent, figures)
    write_tables(results, report.parent)


def write_figures(results: Results, folder: Path, figures: Figures) -> list[Path]:
    """`figures/NAME-NUMBER-TITLE.svg`, one a panel, and `figures/NAME.pdf`, a page a panel; old ones there go."""
    files: dict[str, Callable[[], bytes]] = {}
    for name, panels in [*((NAMES[key], some) for key, some in figures.items()), *_of_paper(results)]:
        drawings = [(panel.title, panel.svg) for panel in panels]
        for at, (title, drawing) in enumerate(drawings, start=1):
            stem = f"{name}-{at:02d}-{_NOT_IN_NAMES.sub('-', title).strip('-')[:60]}"
            files[f"{stem}.svg"] = lambda drawing=drawing: drawing.standalone.encode()
        if drawings:
            files[f"{name}.pdf"] = lambda drawings=drawings: as_pdf([drawing for _, drawing in drawings])
    return _write(folder / FIGURES, files)


def write_tables(results: Results, folder: Path) -> list[Path]:
    """`tables/NAME.csv` for every table that has rows; what a former report left there goes."""
    files: dict[str, Callable[[], bytes]] = {}
    for name, table in TABLES.items():
        header, rows = table(results)
        if rows:
            text = as_csv(header, rows)
            files[f"{name}.csv"] = lambda text=text: text.encode("utf-8", "surrogateescape")
    return _write(folder / TABLES_FOLDER, files)


def _of_paper(results: Results) -> Iterator[tuple[str, list[Panel]]]:
    for one in context(beside_paper(results)).get("beside", []):
        yield f"paper-{_NOT_IN_NAMES.sub('-', one.title).strip('-')[:40]}", one.panels


def _write(folder: Path, files: dict[str, Callable[[], bytes]]) -> list[Path]:
    """All of them or, where one cannot be written, the folder as it was."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, make in files.items():
            (temporary / name).write_bytes(make())
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StoreError(
            f"{folder} cannot be written: {error.strerror}; choose another place for the report"
        ) from error
    return [folder / name for name in files]
