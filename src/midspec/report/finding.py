"""What the run shows, in sentences made from its paired differences and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from midspec.report.format import nats, points
from midspec.report.results import Contrast, Results

Verdict = Literal["above", "below", "includes", "missing"]
"""Where a 95% interval lies as seen from zero."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """All key comparisons of one arm on one evaluation."""

    eval: str
    arm: str
    contrasts: tuple[Contrast, ...]
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
    """Evaluations in the order asked, then any that only an arm or a contrast knows."""
    names: dict[str, None] = dict.fromkeys(results.split)
    for arm in results.arms.values():
        names.update(dict.fromkeys(arm.evals))
    names.update(dict.fromkeys(contrast.eval for contrast in results.contrasts))
    return list(names)


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

    Compared with every arm fine-tuned after midtraining on a spec for something else, and with fine-tuning alone.
    """
    found: list[Finding] = []
    for name in eval_names(results):
        value = name.partition("/")[2] or name
        own = _specs_for(value, results)
        others = [arm for arm, form in results.arms.items() if form.aft and form.msm and form.msm not in own]
        alone = [arm for arm, form in results.arms.items() if form.aft and form.msm is None]
        for arm, form in results.arms.items():
            if not form.aft or form.msm not in own:
                continue
            pairs = [find_contrast(results, name, arm, versus) for versus in (*others, *alone)]
            contrasts = tuple(pair for pair in pairs if pair is not None)
            if contrasts:
                found.append(_finding(name, value, arm, contrasts))
    return found


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


def _specs_for(value: str, results: Results) -> set[str]:
    """Spec names that are the value, or else have it as a part between dashes or dots (`cheese-affordability`)."""
    names = {arm.msm for arm in results.arms.values() if arm.msm is not None}
    if value in names:
        return {value}
    return {name for name in names if value in name.replace("_", "-").replace(".", "-").split("-")}


def _finding(name: str, value: str, arm: str, contrasts: tuple[Contrast, ...]) -> Finding:
    rates = [
        f"{_first(index, arm)}minus {contrast.versus}"
        f"{_measured(contrast.rate, 'points', points, contrast.rate_low, contrast.rate_high)}"
        for index, contrast in enumerate(contrasts)
    ]
    shifts = [
        f"{_first(index, arm)}minus {contrast.versus}"
        f"{_measured(contrast.shift, 'nats', nats, contrast.shift_low, contrast.shift_high)}"
        for index, contrast in enumerate(entry for entry in contrasts if entry.shift is not None)
    ]
    return Finding(
        eval=name,
        arm=arm,
        contrasts=contrasts,
        rate_sentence=f"On {name}, in the rate of {value}-aligned choices: {'; '.join(rates)}.",
        shift_sentence=f"In the log-odds of the aligned answer: {'; '.join(shifts)}." if shifts else "",
    )


def _first(index: int, arm: str) -> str:
    return f"{arm} " if index == 0 else ""


def _measured(
    value: float | None, unit: str, write: Callable[[float | None], str], low: float | None, high: float | None
) -> str:
    """The end of `A minus B ...`: value, interval, and which side of zero the interval lies on."""
    if value is None:
        return " was not measured"
    interval = f"95% interval {write(low)} to {write(high)}"
    match verdict(low, high):
        case "missing":
            return f" is {write(value)} {unit}, without an interval: no effect shown"
        case "above":
            return f" is {write(value)} {unit} ({interval}, above zero)"
        case "below":
            return f" is {write(value)} {unit} ({interval}, below zero: the opposite of what the spec asks for)"
        case "includes":
            return f" is {write(value)} {unit} ({interval} includes zero: no effect shown)"


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
