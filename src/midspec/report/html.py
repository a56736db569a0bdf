"""One self-contained HTML file from one `Results`: no network, no fonts, readable without script."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from midspec.errors import StoreError
from midspec.report import format as numbers
from midspec.report.claim_cards import NOTHING_CLAIMED, cards, spread_share, tally
from midspec.report.curves import curve_name, curve_panels, losses
from midspec.report.explorer.blocks import Explorer, held
from midspec.report.figures import Panel, arm_panels, contrast_panels, measure_panels
from midspec.report.finding import (
    eval_names,
    findings,
    measure_findings,
    measure_names,
    no_finding,
    oriented,
    verdict,
)
from midspec.report.notes import notes
from midspec.report.palette import NO_SPEC, families, stylesheet
from midspec.report.results import Results, StepSummary

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

_EVALS_PER_TABLE = 3
"""As many as fit on a page beside the arms."""
_MEASURES_PER_TABLE = 5

T = TypeVar("T")


def render(results: Results, explorer: Explorer | None = None) -> str:
    """The report. The same results and rows give the same bytes (with the same Matplotlib).

    `explorer`: rows and texts behind the numbers; without it, the page has the numbers alone.
    """
    return _environment().get_template("report.html.jinja").render(_context(results, explorer))


def _context(results: Results, explorer: Explorer | None) -> dict[str, Any]:
    """What the templates show."""
    from markupsafe import Markup

    css = stylesheet() + "".join(_read(name) for name in ("report.css", "explorer.css"))
    script = "".join(_read(name) for name in ("report.js", "explorer.js"))
    packed = {} if explorer is None else explorer.packed()
    return {
        "r": results,
        "css": Markup(css),
        "script": Markup(script),
        "policy": _policy(script),
        "blocks": packed,
        "explorer": None if explorer is None else held(explorer, packed),
        "notes": notes(results),
        "claim_cards": cards(results),
        "claims_tally": tally(results),
        "nothing_claimed": NOTHING_CLAIMED,
        "findings": findings(results),
        "measure_findings": measure_findings(results),
        "measures": measure_tables(results),
        "measure_panels": _safe(measure_panels(results)),
        "reasoning": results.reasoning,
        "shares": {(one.theme, one.arm): one for one in results.reasoning.shares} if results.reasoning else {},
        "apart": {(one.theme, one.arm): one for one in results.reasoning.differences} if results.reasoning else {},
        "contrasts": oriented(results),
        "no_finding": no_finding(results),
        "evals": [*eval_names(results), *measure_names(results)],
        "eval_groups": even_groups(eval_names(results), _EVALS_PER_TABLE),
        "looks": families(results),
        "no_spec": NO_SPEC,
        "rates": _safe(arm_panels(results, "rate")),
        "shifts": _safe(arm_panels(results, "shift")),
        "rate_contrasts": _safe(contrast_panels(results, "rate")),
        "shift_contrasts": _safe(contrast_panels(results, "shift")),
        "curves": _safe(curve_panels(results)),
        "recipe": _yaml(results.recipe),
    }


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


class MeasureTable(NamedTuple):
    """Columns of one table of one evaluation."""

    eval: str
    columns: list[tuple[str, str | None, str, str]]
    """(measure, part, heading, what it is)"""


def measure_tables(results: Results) -> list[MeasureTable]:
    """The measures of each evaluation, a few to a table; the headline with its parts comes first."""
    tables: list[MeasureTable] = []
    for name in measure_names(results):
        columns: dict[tuple[str, str | None], str] = {}
        headings: dict[tuple[str, str | None], str] = {}
        for form in results.arms.values():
            for one in form.measures.get(name, []):
                columns.setdefault((one.measure, one.part), one.words)
                whole = f"{one.measure}, {numbers.unit(one.scale)}".rstrip(", ")
                headings[one.measure, one.part] = whole if one.part is None else f"{one.measure}: {one.part}"
        entries = [(*key, headings[key], words) for key, words in columns.items()]
        tables += [MeasureTable(name, group) for group in even_groups(entries, _MEASURES_PER_TABLE)]
    return tables


def write_report(results: Results, path: Path, explorer: Explorer | None = None) -> Path:
    """Write the report whole or not at all. Raises StoreError where the folder cannot be written."""
    page = render(results, explorer)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written: {error.strerror}; choose another place for the report") from error
    return path


def even_groups(items: Sequence[T], most: int) -> list[list[T]]:
    """`items` in order, in the fewest groups of at most `most`, sizes as equal as can be."""
    groups = math.ceil(len(items) / most)
    bounds = [round(index * len(items) / groups) for index in range(groups + 1)] if groups else []
    return [list(items[start:end]) for start, end in itertools.pairwise(bounds)]


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        # On for every template, whatever its suffix: most strings here come from models or users.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = environment.filters
    functions: dict[str, Any] = environment.globals
    for name in ("percent", "points", "nats", "count", "duration", "dollars", "moment", "plain", "size"):
        filters[name] = getattr(numbers, name)
    for name in ("percent_interval", "points_interval", "nats_interval", "amount", "amount_interval", "bounds", "unit"):
        functions[name] = getattr(numbers, name)
    filters["spent"] = _spent
    filters["details"] = _details
    filters["losses"] = losses
    filters["spread_share"] = spread_share
    filters["named"] = curve_name
    functions["verdict"] = verdict
    return environment


def _safe(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """SVG is ours and was escaped when it was serialised; titles are not and stay plain strings."""
    from markupsafe import Markup

    return [{"title": panel.title, "svg": Markup(panel.svg)} for panel in panels]


def _policy(script: str) -> str:
    """A Content Security Policy: nothing is fetched, and no script runs but ours."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _spent(step: StepSummary, what: str) -> float | None:
    """`tokens` or `dollars` of a step, where its summary has them as numbers."""
    value = step.summary.get(what)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _details(step: StepSummary) -> str:
    """The plain rest of a step's summary in one line; tables and lists in it have sections of their own."""
    return ", ".join(
        f"{key} {numbers.plain(value)}"
        for key, value in step.summary.items()
        if key not in {"tokens", "dollars"} and not isinstance(value, dict | list)
    )


def _yaml(recipe: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100)
