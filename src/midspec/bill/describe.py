"""The page about the recipes and their bills: `python -m midspec.bill.describe recipes/*.yaml > docs/recipes.md`."""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from midspec.bill.estimate import Bill, estimate
from midspec.bill.overview import together, trained
from midspec.compare.read import paper
from midspec.experiment import Experiment
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe, profiles_of
from midspec.steps import Store

PROFILE = "paper"
_FIGURES = re.compile(r"Figs?\.? \d+(?:(?:, | and )\d+)*")


class Group(NamedTuple):
    """Arms that a recipe has on each of some models."""

    models: tuple[str, ...]
    arms: tuple[str, ...]
    """Names without the model's."""


class Row(NamedTuple):
    """One recipe in figures."""

    file: str
    experiment: Experiment
    figures: str
    """Of the paper; empty for an experiment of our own."""
    groups: tuple[Group, ...]
    corpora: int
    written: int
    """Tokens of corpora, about."""
    bill: Bill
    tokens: int
    """Trained on in all."""
    gpu_hours: float | None
    """Of one H100."""


def rows(recipes: Sequence[Path]) -> list[Row]:
    """The recipes that have a profile `paper`, in that profile, nothing of them made yet."""
    with tempfile.TemporaryDirectory() as empty:
        return [_row(path, Store(Path(empty))) for path in recipes if PROFILE in profiles_of(path)]


def _row(path: Path, store: Store) -> Row:
    flow = build(load_recipe(path, profile=PROFILE).with_controls())
    bill = estimate(flow, store)
    all_of_it = together([bill])
    corpora = {step.fingerprint for step in flow.corpora.values()}
    return Row(
        file=path.stem,
        experiment=flow.experiment,
        figures=figures(path.stem),
        groups=tuple(groups(flow)),
        corpora=len(flow.corpora),
        written=sum(line.tokens for line in bill.lines if line.fingerprint in corpora),
        bill=bill,
        tokens=trained(bill.lines),
        gpu_hours=all_of_it.gpu_hours,
    )


def figures(recipe: str) -> str:
    """Numbers of the paper's figures that the recipe repeats, e.g. `7, 14`; empty for none."""
    titles = [figure.title for figure in paper().figures if recipe in figure.recipes]
    found = [
        number for title in titles for match in _FIGURES.finditer(title) for number in re.findall(r"\d+", match[0])
    ]
    return ", ".join(sorted(dict.fromkeys(found), key=int))


def groups(flow: Pipeline) -> list[Group]:
    """The arms, those that several models have together."""
    arms = flow.experiment.arms
    of_model = {
        model: tuple(name.removesuffix(f".{model}") for name, arm in arms.items() if arm.model == model)
        for model in flow.models
    }
    called = {model: flow.experiment.for_model(model).model.rpartition("/")[2] for model in of_model}
    same = Counter(frozenset(names) for names in of_model.values())
    first = {frozenset(names): names for names in reversed(of_model.values())}
    return [
        Group(tuple(called[model] for model, names in of_model.items() if frozenset(names) == stems), first[stems])
        for stems in same
    ]


def page(recipes: Sequence[Path]) -> str:
    """The page as Markdown."""
    found = rows(recipes)
    template = files("midspec").joinpath("bill", "describe.md.jinja").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"short": short, "whole": whole}
    return environment.from_string(template).render(rows=found, together=together([row.bill for row in found]))


def whole(number: float | None) -> str:
    """Without a fraction; a question mark where it is not known."""
    return "?" if number is None else f"{number:,.0f}"


def short(count: float | None) -> str:
    """About so many, in three digits: 8M, 41.2M, 1.34B."""
    if count is None:
        return "?"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"


if __name__ == "__main__":
    sys.stdout.write(page([Path(name) for name in sorted(sys.argv[1:])]))
