"""A spec diff as text for a terminal and as an HTML fragment for a report."""

from __future__ import annotations

from importlib.resources import files

from midspec.spec.diff import SpecDiff

_SIGNS = {"same": " ", "changed": "~", "removed": "-", "added": "+", "moved": ">"}


def as_text(diff: SpecDiff, *, everything: bool = False) -> str:
    """Figures, then every section that changed with its sentences: `-` removed, `+` added, `~` changed with
    [-old-]{+new+} words, `>` moved here. `everything`: the sentences that stayed as well."""
    lines = [
        f"{diff.a.name}: {diff.a.words:,} words, {diff.a.sentences} sentences, {diff.a.sections} sections",
        f"{diff.b.name}: {diff.b.words:,} words, {diff.b.sentences} sentences, {diff.b.sections} sections",
        f"length {diff.length_ratio:.2f}, sentences kept {diff.kept:.0%}, word sequences shared {diff.overlap:.0%}; "
        + ", ".join(f"{count} {op}" for op, count in diff.counts.items()),
    ]
    if diff.equal:
        return "\n".join([*lines, "The two are the same, byte by byte."])
    for section in diff.sections:
        if section.status == "same" and not everything:
            continue
        was = f", was {section.was!r}" if section.was else ""
        lines += ["", f"## {section.title} ({section.status}{was})"]
        for change in section.changes:
            if change.op == "changed":
                words = " ".join(
                    {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}[piece.op].format(piece.text)
                    for piece in change.pieces
                )
                lines.append(f"~ {words}")
            elif change.op != "same" or everything:
                lines.append(f"{_SIGNS[change.op]} {change.b or change.a}")
    return "\n".join(lines)


def as_html(diff: SpecDiff) -> str:
    """One `<section class="spec-diff">` without styles or scripts; every text of the specs is escaped."""
    from jinja2 import Environment, StrictUndefined

    template = files("midspec").joinpath("spec", "diff.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template).render(diff=diff)
