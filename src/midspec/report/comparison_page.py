"""One self-contained HTML file from one comparison: what `midspec compare --out FILE.html` writes."""

from __future__ import annotations

from importlib.resources import files

from midspec.compare.compare import Comparison
from midspec.report.html import environment, policy
from midspec.report.palette import stylesheet
from midspec.report.paper import context


def page(comparison: Comparison) -> str:
    """The section of the report as a page of its own, with everything drawn, comparable or not."""
    from markupsafe import Markup

    css = stylesheet() + files("midspec.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    shown = context(comparison, everything=True)
    return environment().get_template("compare.html.jinja").render(css=Markup(css), policy=policy(""), **shown)
