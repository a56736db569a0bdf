"""Pages of one file each: no network, readable without script. All that a model wrote is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from midspec.evals.reasoning.results import SHOWN, Results, anchor, quote_rows
from midspec.records import Span

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


class Piece(NamedTuple):
    """A run of a transcript: plain, or a quote."""

    text: str
    anchors: tuple[str, ...]
    """Names of the quotes that begin here."""
    marked: bool


def quotes_page(results: Results, per_arm: int = SHOWN) -> str:
    """The quotes of every theme by arm, each linked to its transcript, which stands below with the quotes marked."""
    rows = quote_rows(results, per_arm)
    by_transcript: defaultdict[str, list[Span]] = defaultdict(list)
    for row in rows:
        by_transcript[row.transcript].append(row.span)
    lines = [line for line in results.table["lines"] if line["of"] == "all"]
    return render(
        "quotes.html.jinja",
        results=results,
        arms=list(results.table["transcripts"]),
        shares={(line["theme"], line["arm"]): line["share"] for line in lines},
        differences={(one["theme"], one["arm"]): one for one in results.table["differences"]},
        rows=rows,
        anchor=anchor,
        transcripts=[
            (results.transcripts[name], pieces(name, results.transcripts[name].text, spans))
            for name, spans in sorted(by_transcript.items())
        ],
    )


def pieces(transcript: str, text: str, spans: Sequence[Span]) -> list[Piece]:
    """`text` cut at the ends of quotes, which may overlap; put together again it is `text`."""
    cuts = sorted({0, len(text), *(end for span in spans for end in span)})
    return [
        Piece(
            text[first:last],
            tuple(dict.fromkeys(anchor(transcript, span) for span in spans if span[0] == first)),
            any(span[0] <= first and last <= span[1] for span in spans),
        )
        for first, last in pairwise(cuts)
    ]


def render(template: str, script: str = "", **values: Any) -> str:
    """A page with its style, its script (a file beside the templates) and a policy that runs nothing else."""
    from markupsafe import Markup

    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    code = (_TEMPLATES / script).read_text(encoding="utf-8") if script else ""
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    policy += f"; script-src {_hash(code)}" if code else ""
    return (
        _environment().get_template(template).render(style=Markup(style), script=Markup(code), policy=policy, **values)
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, points=_points)
    return environment


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _points(difference: float | None) -> str:
    return "–" if difference is None else f"{100 * difference:+.0f}"
