"""One self-contained HTML file from one `Results`: no network, no fonts, readable without script."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from midspec.errors import StoreError
from midspec.report import format as numbers
from midspec.report import paper as beside
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
from midspec.report.methods import bibtex, methods
from midspec.report.notes import notes
from midspec.report.palette import NO_SPEC, families, heat_step, stylesheet
from midspec.report.results import Results, StepSummary
from midspec.report.scaling import scaling_panels
from midspec.report.spec_changes import spec_changes
from midspec.spec.diff import SpecDiff
from midspec.spec.diff_show import as_html

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

_EVALS_PER_TABLE = 3
"""As many as fit on a page beside the arms."""
_MEASURES_PER_TABLE = 5
_ARMS_PER_TABLE = 8
"""Columns of a table that has arms side by side."""
MOST_DIFFERENCES = 1000
"""Rows of a table of differences; all of them are in `tables/`. (ours)"""

T = TypeVar("T")


Figures = Mapping[str, Sequence[Panel]]
"""Name of a figure -> its panels."""


def draw_figures(results: Results) -> Figures:
    """Every figure of the report but those beside the paper's; empty ones too."""
    return {
        "rates": arm_panels(results, "rate"),
        "shifts": arm_panels(results, "shift"),
        "rate_contrasts": contrast_panels(results, "rate"),
        "shift_contrasts": contrast_panels(results, "shift"),
        "measure_panels": measure_panels(results),
        "scaling": scaling_panels(results),
        "curves": curve_panels(results),
    }


def render(results: Results, explorer: Explorer | None = None, figures: Figures | None = None) -> str:
    """The report. The same results and rows give the same bytes (with the same Matplotlib).

    `explorer`: rows and texts behind the numbers; without it, the page has the numbers alone. `figures`: where they are
    drawn already.
    """
    context = _context(results, explorer) | dict(figures or draw_figures(results))
    return environment().get_template("report.html.jinja").render(context)


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
        "policy": policy(script),
        "blocks": packed,
        "explorer": None if explorer is None else held(explorer, packed),
        "notes": notes(results),
        "claim_cards": cards(results),
        "claims_tally": tally(results),
        "nothing_claimed": NOTHING_CLAIMED,
        "findings": findings(results),
        "measure_findings": measure_findings(results),
        "measures": measure_tables(results),
        "reasoning": results.reasoning,
        "shares": {(one.theme, one.arm): one for one in results.reasoning.shares} if results.reasoning else {},
        "apart": {(one.theme, one.arm): one for one in results.reasoning.differences} if results.reasoning else {},
        "contrasts": oriented(results),
        "no_finding": no_finding(results),
        "evals": [*eval_names(results), *measure_names(results)],
        "eval_groups": even_groups(eval_names(results), _EVALS_PER_TABLE),
        "looks": families(results),
        "no_spec": NO_SPEC,
        "spec_changes": spec_changes(results),
        "health_checks": list(dict.fromkeys(check.name for one in results.health for check in one.checks)),
        "matched": {(one.arm, one.versus): one for one in results.matches},
        "kinds": _by_kind(results),
        "most_differences": MOST_DIFFERENCES,
        "methods": methods(results),
        "bibtex": bibtex(results),
        "recipe": _yaml(results.recipe),
        **beside.context(beside.beside_paper(results)),
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


def write_report(
    results: Results, path: Path, explorer: Explorer | None = None, figures: Figures | None = None
) -> Path:
    """Write the report whole or not at all. Raises StoreError where the folder cannot be written."""
    page = render(results, explorer, figures)
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


def environment() -> Environment:
    """Where all templates are rendered: nothing undefined, everything escaped."""
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
    filters["heat"] = heat_step
    filters["spec_html"] = _spec_html
    filters["arm_groups"] = _arm_groups
    filters["details"] = _details
    filters["losses"] = losses
    filters["spread_share"] = spread_share
    filters["named"] = curve_name
    functions["verdict"] = verdict
    return environment


def policy(script: str) -> str:
    """A Content Security Policy: nothing is fetched, and no script runs but ours."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


class KindCost(NamedTuple):
    """All steps of one kind together."""

    kind: str
    steps: int
    seconds: float
    tokens: float | None
    dollars: float | None


def _by_kind(results: Results) -> list[KindCost]:
    kinds: dict[str, list[StepSummary]] = {}
    for step in results.steps:
        kinds.setdefault(step.kind, []).append(step)
    return [
        KindCost(kind, len(steps), sum(step.seconds for step in steps), _sum(steps, "tokens"), _sum(steps, "dollars"))
        for kind, steps in kinds.items()
    ]


def _sum(steps: Sequence[StepSummary], what: str) -> float | None:
    known = [value for step in steps if (value := _spent(step, what)) is not None]
    return sum(known) if known else None


def _spec_html(diff: SpecDiff) -> Any:
    """Escaped where it is made."""
    from markupsafe import Markup

    return Markup(as_html(diff))


def _arm_groups(arms: Sequence[str]) -> list[list[str]]:
    return even_groups(list(arms), _ARMS_PER_TABLE)


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
