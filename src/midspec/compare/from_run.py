"""A run as a reference for another run, and the empty form of a reference file. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import yaml

from midspec.compare import numbers
from midspec.compare.arms import arms_of, asked_of
from midspec.compare.facts import Known
from midspec.compare.numbers import RATE
from midspec.compare.read import paper
from midspec.compare.reference import Figure, Reference, Setting, Value
from midspec.report.results import Results

_NO_SETTINGS = ("arm.name", "arm.corpus", "eval.name", "eval.label", "eval.items")
"""What two runs may differ in without having been made otherwise, or what names a condition."""
_FORM = """\
# Figures of your own source beside which `midspec compare RUN --with THIS FILE` puts a run. Fill in what the source
# gives and leave null, or take out, what it does not; nothing here is guessed.
#   value: 0.48           one number (shares are fractions), or
#   range: [-0.01, 0.07]  where only a range is given, or, of effects, direction: higher | lower | none
#   low, high             its 95% interval; or n, the answers behind a share; digit: how far the last digit may be off
#   effects               differences: worked out from the values where they have no number of their own
#   settings              how the numbers were made: value, least, most, or unstated: true
"""


def reference_of(results: Results) -> Reference:
    """All numbers of a run, each with its interval, and how they were made."""
    return Reference(
        name=results.name,
        title=f"the run {results.name} of {results.created[:10]}",
        settings=tuple(_settings(results)),
        figures=tuple(_figures(results)),
    )


def _figures(results: Results) -> Iterator[Figure]:
    models = {arm.name: arm.model for arm in arms_of(results)}
    for evaluation, measure, part in _asked(results):
        levels = {arm: numbers.level(results, arm, evaluation, measure, part) for arm in results.arms}
        known = {arm: one for arm, one in levels.items() if one is not None and one.value is not None}
        if not known:
            continue
        values = [
            Value(arm=(arm,), model=models[arm], value=one.value, low=one.low, high=one.high)
            for arm, one in known.items()
        ]
        effects = [
            Value(arm=(arm,), versus=(versus,), model=models[arm], value=one.value, low=one.low, high=one.high)
            for arm, versus in _pairs(results, evaluation)
            if arm in known and versus in known
            and (one := numbers.difference(results, arm, versus, evaluation, measure, part)) is not None
        ]  # fmt: skip
        named = f"{evaluation}: {measure}{f' ({part})' if part else ''}"
        yield Figure(
            id=re.sub(r"[^a-z0-9]+", "-", named.lower()).strip("-"), title=named, recipes=(results.name,),
            eval=(evaluation,), measure=measure, part=part, scale=next(iter(known.values())).scale, digit=0.0,
            certainty="exact", values=tuple(values), effects=tuple(effects),
        )  # fmt: skip


def _asked(results: Results) -> Iterator[tuple[str, str, str | None]]:
    """(evaluation, measure, part): rates of choices, headlines of the others with their parts."""
    for name, one in asked_of(results).items():
        if one.choices:
            yield name, RATE, None
            continue
        shown = [each for arm in results.arms.values() for each in arm.measures.get(name, [])]
        first = shown[0].measure if shown else None
        for part in dict.fromkeys(each.part for each in shown if each.measure == first):
            assert first is not None
            yield name, first, part


def _pairs(results: Results, evaluation: str) -> list[tuple[str, str]]:
    told = [(one.arm, one.versus) for one in results.contrasts if one.eval == evaluation]
    told += [(one.arm, one.versus) for one in results.differences if one.eval == evaluation]
    return list(dict.fromkeys(told))


def _settings(results: Results) -> Iterator[Setting]:
    """One for each fact that is the same for all arms and evaluations; else one for each arm or evaluation."""
    known, found = Known(results), defaultdict[str, dict[tuple[str, str], Any]](dict)
    for arm in arms_of(results):
        for evaluation in asked_of(results):
            for key, value in known.of(arm, evaluation).items():
                if key not in _NO_SETTINGS and isinstance(value, str | int | float | bool):
                    found[key][arm.name, evaluation] = value
    words = {setting.key: setting.words for setting in paper().settings}
    for key, values in found.items():
        shared: dict[str, Any] = {
            "key": key, "words": words.get(key, key), "voids": key == "model", "levels_only": key == "trainer",
        }  # fmt: skip
        place = 1 if key.startswith("eval.") else 0
        own = {condition[place]: value for condition, value in values.items()}
        if len(set(values.values())) == 1:
            yield Setting(value=next(iter(values.values())), **shared)
            continue
        for name, value in own.items():
            yield Setting(value=value, when={"eval.name" if place else "arm.name": name}, **shared)


def template(results: Results) -> str:
    """A reference file without numbers, for the arms and evaluations of a run."""
    whole = reference_of(results)
    told = {setting.key for setting in whole.settings}
    settings = {setting.key: setting for setting in paper().settings if setting.key in told}
    data = {
        "name": f"beside-{results.name}",
        "title": "Where the figures come from",
        "levels": "",
        "settings": [
            {"key": one.key, "words": one.words, "value": None, "unstated": True} for one in settings.values()
        ],
        "figures": [_empty(figure) for figure in whole.figures],
        "remarks": [],
        "absent": [],
    }
    return _FORM + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=118)


def _empty(figure: Figure) -> dict[str, Any]:
    assert figure.eval is not None
    return {
        "id": figure.id,
        "title": figure.title,
        "recipes": list(figure.recipes),
        "eval": figure.eval[0],
        "measure": figure.measure,
        "part": figure.part,
        "scale": figure.scale,
        "digit": 0.01,
        "certainty": "last digit",
        "source": None,
        "values": [{"arm": one.arm[0], "value": None} for one in figure.values],
        "effects": [{"arm": one.arm[0], "versus": one.versus[0]} for one in figure.effects if one.versus],
    }
