"""What is different between the specs of compared arms, and what difference that made."""

from __future__ import annotations

from typing import NamedTuple

from midspec.report.finding import oriented
from midspec.report.format import amount, amount_interval, nats, nats_interval, points, points_interval, unit
from midspec.report.results import Results
from midspec.spec.diff import SpecDiff, diff
from midspec.spec.document import ModelSpec

MOST_PAIRS = 12
"""Pairs of specs that a page shows sentence by sentence. (ours)"""


class Effect(NamedTuple):
    """One difference of two arms whose specs differ."""

    eval: str
    measure: str
    arm: str
    versus: str
    value: str
    interval: str
    low: float | None
    high: float | None


class SpecChange(NamedTuple):
    """Two specs and the differences between the arms that were midtrained on them."""

    a: str
    """The spec of `Effect.versus`."""
    b: str
    """The spec of `Effect.arm`."""
    diff: SpecDiff
    effects: list[Effect]


def spec_changes(results: Results) -> list[SpecChange]:
    """By pair of specs, in the order of the differences; at most MOST_PAIRS of them."""
    about = {corpus.spec: corpus.about or corpus.spec for corpus in results.corpora}
    found: dict[tuple[str, str], list[Effect]] = {}
    for effect in _effects(results):
        specs = tuple(about.get(results.arms[name].msm or "", "") for name in (effect.versus, effect.arm))
        versus, arm = specs
        if versus != arm and versus in results.specs and arm in results.specs and _alike(results, effect):
            key = (arm, versus) if (arm, versus) in found else (versus, arm)
            found.setdefault(key, []).append(effect)
    shown = list(found.items())[:MOST_PAIRS]
    return [
        SpecChange(a, b, diff(ModelSpec(a, results.specs[a].text), ModelSpec(b, results.specs[b].text)), effects)
        for (a, b), effects in shown
    ]


def _alike(results: Results, effect: Effect) -> bool:
    """Whether the arms differ in nothing but their corpus, as far as the recipe tells."""
    configs = results.recipe.get("arms", {})
    forms = [dict(configs.get(name) or {}) for name in (effect.arm, effect.versus)]
    for form in forms:
        form.pop("msm", None)
    return forms[0] == forms[1] and results.arms[effect.arm].aft == results.arms[effect.versus].aft


def _effects(results: Results) -> list[Effect]:
    known = results.arms
    found: list[Effect] = []
    for one in oriented(results):
        if one.arm not in known or one.versus not in known:
            continue
        names = (one.arm, one.versus)
        rate, ends = f"{points(one.rate)} points", points_interval(one.rate_low, one.rate_high)
        found.append(Effect(one.eval, "rate", *names, rate, ends, one.rate_low, one.rate_high))
        if one.shift is not None:
            shift, ends = f"{nats(one.shift)} nats", nats_interval(one.shift_low, one.shift_high)
            found.append(Effect(one.eval, "shift", *names, shift, ends, one.shift_low, one.shift_high))
    for one in results.differences:
        if one.arm not in known or one.versus not in known:
            continue
        value = f"{amount(one.value, one.scale, signed=True)} {unit(one.scale, difference=True)}".rstrip()
        interval = amount_interval(one.low, one.high, one.scale, signed=True)
        found.append(Effect(one.eval, one.measure, one.arm, one.versus, value, interval, one.low, one.high))
    return found
