"""What the run shows, in sentences made from its paired differences and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from midspec.report.claim_cards import claimed_pairs
from midspec.report.format import amount, amount_interval, nats, points, unit
from midspec.report.results import Contrast, Difference, Results

Verdict = Literal["above", "below", "includes", "missing"]
"""Where a 95% interval lies as seen from zero."""

MOST_NAMED = 3
"""Arms midtrained on something else that a sentence names one by one; more are counted."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """All key comparisons of one arm on one evaluation."""

    eval: str
    arm: str
    rate_sentence: str
    """In percentage points of value-aligned choices."""
    shift_sentence: str
    """In nats; empty where answers were generated."""


def verdict(low: float | None, high: float | None) -> Verdict:
    """An interval that touches zero includes it."""
    if low is None or high is None:
        return "missing"
    if low > 0:
        return "above"
    return "below" if high < 0 else "includes"


def eval_names(results: Results) -> list[str]:
    """Evaluations by choices in the order asked, then any that only an arm or a contrast knows."""
    others = set(measure_names(results))
    asked = [name for name in (*results.asked, *results.split) if name not in others]
    names: dict[str, None] = dict.fromkeys(asked)
    for arm in results.arms.values():
        names.update(dict.fromkeys(arm.evals))
    names.update(dict.fromkeys(contrast.eval for contrast in results.contrasts))
    return list(names)


def measure_names(results: Results) -> list[str]:
    """Evaluations that have measures, in the order asked."""
    named = [name for arm in results.arms.values() for name in arm.measures]
    return list(dict.fromkeys([*(name for name, asked in results.asked.items() if not asked.choices), *named]))


def find_contrast(results: Results, eval_name: str, arm: str, versus: str) -> Contrast | None:
    """`arm` minus `versus`; turned round where the run holds the opposite difference."""
    for contrast in results.contrasts:
        if contrast.eval != eval_name:
            continue
        if (contrast.arm, contrast.versus) == (arm, versus):
            return contrast
        if (contrast.arm, contrast.versus) == (versus, arm):
            return _turned(contrast)
    return None


def findings(results: Results) -> list[Finding]:
    """One per evaluation and arm that was midtrained on a spec for the evaluated value and then fine-tuned.

    Compared with every arm fine-tuned after midtraining on a spec for something else, and with fine-tuning alone; what
    a claim is about is left to its card.
    """
    claimed = claimed_pairs(results)
    found: list[Finding] = []
    for name in eval_names(results):
        own = specs_for(name, results)
        others = [arm for arm, form in results.arms.items() if form.aft and form.msm and form.msm not in own]
        alone = [arm for arm, form in results.arms.items() if form.aft and form.msm is None]
        for arm, form in results.arms.items():
            if not form.aft or form.msm not in own:
                continue
            apart, without = (
                _present(results, name, arm, [versus for versus in some if (name, arm, versus) not in claimed])
                for some in (others, alone)
            )
            if apart or without:
                found.append(_finding(name, _value(name, results), arm, apart, without))
    return found


def measure_findings(results: Results) -> list[str]:
    """One sentence for each evaluation by measures and arm that was both midtrained and fine-tuned: its headline
    against fine-tuning alone, and against the baseline; what a claim is about is left to its card."""
    claimed = claimed_pairs(results)
    sentences: list[str] = []
    for name in measure_names(results):
        for arm, form in results.arms.items():
            shown = form.measures.get(name)
            if not form.aft or form.msm is None or not shown:
                continue
            first = shown[0]
            clauses = [
                _difference_clause(one, "fine-tuning alone" if results.arms[one.versus].aft else "the baseline")
                for one in results.differences
                if (one.eval, one.measure, one.arm) == (name, first.measure, arm)
                and results.arms[one.versus].msm is None
                and (name, arm, one.versus) not in claimed
            ]
            if clauses:
                value = f"{amount(first.value, first.scale)}{' %' if first.scale == 'share' else ''}"
                sentences.append(f"On {name}, {arm} has {first.measure} {value}: {'; '.join(clauses)}.")
    return sentences


def _difference_clause(one: Difference, what: str) -> str:
    size = f"{amount(one.value, one.scale, signed=True)} {unit(one.scale, difference=True)}".rstrip()
    where = {
        "above": "above zero",
        "below": "below zero",
        "includes": "which includes zero: no effect shown",
        "missing": "no interval: no effect shown",
    }[verdict(one.low, one.high)]
    ends = amount_interval(one.low, one.high, one.scale, signed=True)
    return f"{size} against {what}, {one.versus} ({f'95% interval {ends}, ' if ends else ''}{where})"


def oriented(results: Results) -> list[Contrast]:
    """The run's contrasts; of two midtrained arms the one midtrained on the evaluated value stands first."""
    turned: list[Contrast] = []
    for contrast in results.contrasts:
        own = specs_for(contrast.eval, results)
        arm, versus = (
            form.msm if (form := results.arms.get(name)) else None for name in (contrast.arm, contrast.versus)
        )
        turn = arm is not None and arm not in own and versus in own
        turned.append(_turned(contrast) if turn else contrast)
    return turned


def no_finding(results: Results) -> str:
    """Why `findings` is empty, and what that means."""
    if not any(arm.aft and arm.msm for arm in results.arms.values()):
        return (
            "No arm of this run was midtrained and then fine-tuned, so it makes no claim about what midtraining does "
            "to fine-tuning."
        )
    return (
        "No evaluation of this run compares an arm midtrained on the evaluated value and then fine-tuned with another "
        "fine-tuned arm, so it makes no claim about what midtraining does to fine-tuning."
    )


def specs_for(eval_name: str, results: Results) -> set[str]:
    """Specs for the evaluated value: the one of its name, or else those with it between dashes (`cheese-america`)."""
    value = _value(eval_name, results)
    names = {arm.msm for arm in results.arms.values() if arm.msm is not None}
    if value in names:
        return {value}
    return {name for name in names if value in name.replace("_", "-").replace(".", "-").split("-")}


def _value(eval_name: str, results: Results) -> str:
    """The value that a bank is about; evaluations of files before `asked` say it in their names."""
    asked = results.asked.get(eval_name)
    if asked is not None and asked.value is not None:
        return asked.value
    return eval_name.partition("/")[2] or eval_name


def _present(results: Results, name: str, arm: str, others: list[str]) -> list[Contrast]:
    pairs = [find_contrast(results, name, arm, versus) for versus in others]
    return [pair for pair in pairs if pair is not None]


def _finding(name: str, value: str, arm: str, apart: list[Contrast], without: list[Contrast]) -> Finding:
    """`apart`: against arms midtrained on something else; `without`: against fine-tuning alone."""
    many = len(apart) > MOST_NAMED
    named = without if many else [*apart, *without]
    rates = [_rate_clause(contrast) for contrast in named]
    shifts = [_shift_clause(contrast) for contrast in named if contrast.shift is not None]
    if many:
        rates.insert(0, _rate_tally(apart))
    return Finding(
        eval=name,
        arm=arm,
        rate_sentence=f"On {name}, {arm} chose the {value}-aligned answer {', and '.join(rates)}.",
        shift_sentence=f"Log-odds of that answer: {'; '.join(shifts)}." if shifts else "",
    )


def _rate_tally(contrasts: list[Contrast]) -> str:
    """One clause for more comparisons than a sentence can hold; the table of differences has each."""
    readings = [verdict(contrast.rate_low, contrast.rate_high) for contrast in contrasts]
    more, less = readings.count("above"), readings.count("below")
    rest = len(readings) - more - less
    return (
        f"more often than {more} of {len(readings)} arms fine-tuned after midtraining on something else (intervals "
        f"above zero), less often than {less} (intervals below zero) and neither clearly for {rest} (intervals include "
        "zero or are missing: no effect shown)"
    )


def _rate_clause(contrast: Contrast) -> str:
    """What follows `A chose the aligned answer`."""
    if contrast.rate is None:
        return f"in a share that was not measured against {contrast.versus}"
    reading = verdict(contrast.rate_low, contrast.rate_high)
    direction = {"above": "more often than", "below": "less often than"}.get(
        reading, "neither clearly more nor less often than"
    )
    ends = f"{points(contrast.rate_low)} to {points(contrast.rate_high)}"
    return f"{direction} {contrast.versus} ({points(contrast.rate)} points, {_interval(ends, reading)})"


def _shift_clause(contrast: Contrast) -> str:
    ends = f"{nats(contrast.shift_low)} to {nats(contrast.shift_high)}"
    reading = _interval(ends, verdict(contrast.shift_low, contrast.shift_high))
    return f"{nats(contrast.shift)} nats against {contrast.versus} ({reading})"


def _interval(ends: str, reading: Verdict) -> str:
    return {
        "above": f"95% interval {ends}, above zero",
        "below": f"95% interval {ends}, below zero: the opposite of what the spec asks for",
        "includes": f"95% interval {ends}, which includes zero: no effect shown",
        "missing": "no interval: no effect shown",
    }[reading]


def _turned(contrast: Contrast) -> Contrast:
    def negative(number: float | None) -> float | None:
        return None if number is None else -number

    return Contrast(
        eval=contrast.eval,
        arm=contrast.versus,
        versus=contrast.arm,
        n=contrast.n,
        rate=negative(contrast.rate),
        rate_low=negative(contrast.rate_high),
        rate_high=negative(contrast.rate_low),
        shift=negative(contrast.shift),
        shift_low=negative(contrast.shift_high),
        shift_high=negative(contrast.shift_low),
    )
