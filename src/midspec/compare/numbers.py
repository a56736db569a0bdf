"""A run's numbers by condition: what is held against a reference. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from midspec.compare.reference import Scale
from midspec.report.results import Measured, Results, Score

REASONING = "reasoning"
"""Stands for the analysis of reasoning where an evaluation is named."""
RATE = "rate"
EFFICIENCY = "efficiency"
"""Measure of how much less data an arm needs."""


class Number(NamedTuple):
    """One number of ours with its 95% interval, which holds whatever missing verdicts would have been."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Answers, or pairs of them."""
    scale: Scale
    paired: bool = True
    """Of a difference: over the same items; else from the two arms' own intervals, as if they shared nothing."""


def level(results: Results, arm: str, evaluation: str, measure: str | None, part: str | None) -> Number | None:
    """What an arm has on an evaluation; None where that was not measured. `measure` None: the headline."""
    if evaluation == REASONING:
        return _theme(results, arm, measure)
    form = results.arms[arm]
    score = form.evals.get(evaluation)
    if score is not None and measure in (None, RATE):
        return _widened(Number(score.rate, score.low, score.high, score.n, "share"), score)
    one = _measured(results, arm, evaluation, measure, part)
    return None if one is None else _widened(Number(one.value, one.low, one.high, one.n, one.scale), one)


def difference(
    results: Results, arm: str, versus: str, evaluation: str, measure: str | None, part: str | None
) -> Number | None:
    """`arm` minus `versus`; None where one of both was not measured."""
    mine, theirs = (level(results, name, evaluation, measure, part) for name in (arm, versus))
    if mine is None or theirs is None or mine.value is None or theirs.value is None:
        return None
    found = _paired(results, arm, versus, evaluation, measure, part)
    if found is None:
        return _unpaired(mine, theirs)
    # What missing verdicts could do to either arm, they could do to the difference.
    slack = [_slack(results, name, evaluation, measure, part) for name in (arm, versus)]
    below, above = slack[0][0] + slack[1][1], slack[0][1] + slack[1][0]
    return found._replace(
        low=None if found.low is None else found.low - below, high=None if found.high is None else found.high + above
    )


def efficiency(results: Results, arm: str, versus: str) -> Number | None:
    """How many times fewer demonstrations the curve of `arm` needs than that of `versus`; from the claim that asks it.

    An end that the data do not set is 0 or infinite.
    """
    for claim in results.claims:
        saved = claim.data_saved
        if (claim.kind, claim.arm, claim.versus) != (EFFICIENCY, arm, versus) or saved is None or saved.times is None:
            continue
        low = 0.0 if saved.low is None else saved.low
        high = math.inf if saved.high is None else saved.high
        return Number(saved.times, min(low, saved.times), max(high, saved.times), claim.pairs, "times")
    return None


def _paired(
    results: Results, arm: str, versus: str, evaluation: str, measure: str | None, part: str | None
) -> Number | None:
    if evaluation == REASONING:
        shown = results.reasoning.differences if results.reasoning else []
        for one in shown:
            if (one.theme, one.arm, one.versus) == (measure, arm, versus):
                return Number(one.value, one.low, one.high, one.items, "share")
        return None
    for names, sign in (((arm, versus), 1.0), ((versus, arm), -1.0)):
        for one in results.contrasts:
            if measure in (None, RATE) and (one.eval, one.arm, one.versus) == (evaluation, *names):
                return _signed(Number(one.rate, one.rate_low, one.rate_high, one.n, "share"), sign)
        for one in results.differences:
            same = part is None and (measure is None or one.measure == measure)
            if same and (one.eval, one.arm, one.versus) == (evaluation, *names):
                return _signed(Number(one.value, one.low, one.high, one.n, one.scale), sign)
    return None


def _signed(number: Number, sign: float) -> Number:
    if sign > 0:
        return number
    value, low, high = (None if end is None else -end for end in (number.value, number.low, number.high))
    return number._replace(value=value, low=high, high=low)


def _unpaired(mine: Number, theirs: Number) -> Number:
    assert mine.value is not None
    assert theirs.value is not None
    value = mine.value - theirs.value
    low = high = None
    if None not in (mine.low, mine.high, theirs.low, theirs.high):
        assert mine.low is not None and mine.high is not None and theirs.low is not None and theirs.high is not None
        low = value - math.hypot(mine.value - mine.low, theirs.high - theirs.value)
        high = value + math.hypot(mine.high - mine.value, theirs.value - theirs.low)
    return Number(value, low, high, min(mine.n, theirs.n), mine.scale, paired=False)


def _measured(results: Results, arm: str, evaluation: str, measure: str | None, part: str | None) -> Measured | None:
    shown = results.arms[arm].measures.get(evaluation, [])
    wanted = measure or (shown[0].measure if shown else None)
    return next((one for one in shown if (one.measure, one.part) == (wanted, part)), None)


def _theme(results: Results, arm: str, theme: str | None) -> Number | None:
    for one in results.reasoning.shares if results.reasoning else []:
        if (one.theme, one.arm) == (theme, arm):
            low, high = _ends(one.value, one.low, one.high, one.least, one.most)
            return Number(one.value, low, high, one.read, "share")
    return None


def _widened(number: Number, one: Score | Measured) -> Number:
    if not one.missing:
        return number
    low, high = _ends(number.value, number.low, number.high, one.least, one.most)
    return number._replace(low=low, high=high)


def _ends(
    value: float | None, low: float | None, high: float | None, least: float | None, most: float | None
) -> tuple[float | None, float | None]:
    if value is None or least is None or most is None:
        return low, high
    return None if low is None else low - (value - least), None if high is None else high + (most - value)


def _slack(results: Results, arm: str, evaluation: str, measure: str | None, part: str | None) -> tuple[float, float]:
    """How far missing verdicts could lower and raise an arm's number."""
    one: Score | Measured | None = results.arms[arm].evals.get(evaluation)
    value = one.rate if isinstance(one, Score) else None
    if one is None:
        one = _measured(results, arm, evaluation, measure, part)
        value = one.value if one is not None else None
    if one is None or not one.missing or value is None or one.least is None or one.most is None:
        return 0.0, 0.0
    return value - one.least, one.most - value
