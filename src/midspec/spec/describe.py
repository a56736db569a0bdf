"""The page about the packaged specs, written from their files: `python -m midspec.spec.describe > docs/specs.md`."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from midspec.errors import InputError
from midspec.spec.diff import diff
from midspec.spec.document import packaged_specs, read_spec
from midspec.spec.origin import Origin, read_origin
from midspec.spec.prose import blocks, word_count
from midspec.spec.rules import find_rules


class Row(NamedTuple):
    """One packaged spec in figures."""

    name: str
    words: int
    characters: int
    sections: int
    sentences: int
    rules: int
    origin: Origin | None
    kept: float
    """Share of the parent's sentences that a variant still has; 0 for a spec of its own."""


def rows() -> list[Row]:
    """The packaged specs by name."""
    found: list[Row] = []
    for name in packaged_specs():
        spec = read_spec(name)
        origin = read_origin(name)
        try:
            rules = len(find_rules(spec))
        except InputError:
            rules = 0
        found.append(
            Row(
                name=name,
                words=word_count(spec.text),
                characters=len(spec.text),
                sections=len(spec.sections),
                sentences=sum(len(block.sentences) for block in blocks(spec)),
                rules=rules,
                origin=origin,
                kept=diff(read_spec(origin.parent), spec).kept if origin else 0.0,
            )
        )
    return found


def page() -> str:
    """The page as Markdown."""
    template = files("midspec").joinpath("spec", "describe.md.jinja").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(template).render(rows=rows())


if __name__ == "__main__":
    sys.stdout.write(page())
