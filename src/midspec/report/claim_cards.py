"""Claims in words: one card each in the report, one line each in the terminal.

Everything here follows from `Results.claims`. Verdicts are written out; no colour or sign stands for one.
"""

from __future__ import annotations

from typing import NamedTuple

from midspec.report import format as numbers
from midspec.report.parts_claims import ClaimResult, DataSaved, SpreadSource
from midspec.report.results import Results

NOTHING_CLAIMED = (
    "Nothing was claimed before this run: what follows is exploratory. Each interval is for its own comparison and "
    "corrected for nothing, so that of many comparisons some look like effects by chance."
)


class Fact(NamedTuple):
    """One line of a card."""

    name: str
    text: str


class Card(NamedTuple):
    """One claim for the page."""

    anchor: str
    claim: str
    """In words."""
    verdict: str
    """`Supported`, `Contradicted`, `Undecided`, `No data`."""
    why: str
    """How the verdict is read from the corrected interval."""
    what: str
    """What is compared: measure, evaluation and part."""
    levels: tuple[str, str]
    """Values of arm and versus; empty where there are none."""
    facts: list[Fact]
    warnings: list[str]
    """What must be known before the verdict is relied on."""
    spread: list[SpreadSource]
    result: ClaimResult


def cards(results: Results) -> list[Card]:
    """In the order of the recipe."""
    trained = {(one.arm, one.versus): one.words for one in results.matches}
    return [
        _card(number, claim, trained.get((claim.arm, claim.versus), ""))
        for number, claim in enumerate(results.claims, start=1)
    ]


def tally(results: Results) -> str:
    """How the claims came out, in one sentence; empty without any."""
    found = [claim.verdict for claim in results.claims]
    if not found:
        return ""
    ends = {
        "supported": "supported", "contradicted": "contradicted", "undecided": "undecided", "no data": "without data",
    }  # fmt: skip
    counts = [f"{found.count(verdict)} {words}" for verdict, words in ends.items() if verdict in found]
    made = "1 claim was" if len(found) == 1 else f"{len(found)} claims were"
    return f"{made} written down before the run: {', '.join(counts)}."


def lines(results: Results) -> list[str]:
    """For the terminal: the tally, and one line a claim."""
    return [
        tally(results) or "No claims: the recipe made none, so all that the report finds is exploratory.",
        *(f"  {claim.verdict:<13}{claim.text} {_in_brackets(claim)}".rstrip() for claim in results.claims),
    ]


def spread_share(source: SpreadSource) -> str:
    """`12.5%`, or what stands for nothing."""
    return numbers.MISSING if source.share is None else f"{numbers.percent(source.share)}%"


def claimed_pairs(results: Results) -> set[tuple[str, str, str]]:
    """(evaluation, arm, versus), in both directions, of all comparisons that a claim is about."""
    pairs = [(claim.eval, claim.arm, claim.versus) for claim in results.claims]
    return {*pairs, *((name, versus, arm) for name, arm, versus in pairs)}


def _card(number: int, claim: ClaimResult, trained: str) -> Card:
    return Card(
        anchor=f"claim-{number}",
        claim=claim.text,
        verdict=claim.verdict.capitalize(),
        why=_why(claim),
        what=f"{claim.measure} on {claim.eval}".strip() + (f", {claim.part}" if claim.part else ""),
        levels=(_level(claim.arm_value, claim.scale), _level(claim.versus_value, claim.scale)),
        facts=[fact for fact in _facts(claim, trained) if fact.text],
        warnings=[*([claim.saturation] if claim.saturation else []), *claim.notes],
        spread=claim.spread,
        result=claim,
    )


def _in_brackets(claim: ClaimResult) -> str:
    if claim.value is None:
        return f"({claim.notes[0].rstrip('.')})" if claim.notes else ""
    interval = _interval(claim.corrected_low, claim.corrected_high, claim.scale)
    return f"({_apart(claim.value, claim.scale)}{f', corrected interval {interval}' if interval else ''})"


def _why(claim: ClaimResult) -> str:
    if claim.verdict == "no data" or claim.corrected_low is None:
        return "There is nothing that the claim could be judged by."
    interval = _interval(claim.corrected_low, claim.corrected_high, claim.scale)
    edge, nearer = _edges(claim)
    if claim.direction == "equivalent":
        return {
            "supported": f"The whole corrected interval, {interval}, lies within the margin of {edge} either way.",
            "contradicted": f"The whole corrected interval, {interval}, lies outside the margin of {edge}.",
        }.get(
            claim.verdict,
            f"The corrected interval, {interval}, lies neither wholly within the margin of {edge} nor wholly outside "
            "it: the data neither support nor contradict the claim. That is no sign of a difference.",
        )
    claimed, other = ("above", "below") if claim.direction == "higher" else ("below", "above")
    return {
        "supported": f"The whole corrected interval, {interval}, lies {claimed} {nearer}.",
        "contradicted": f"The whole corrected interval, {interval}, lies {other} {nearer}.",
    }.get(
        claim.verdict,
        f"The corrected interval, {interval}, contains {nearer}: the data neither support nor contradict the claim. "
        "That is no sign of equality.",
    )


def _edges(claim: ClaimResult) -> tuple[str, str]:
    """The margin's size, and the value that the interval is held against, in words."""
    size = _apart(claim.margin, claim.scale).lstrip("+")
    if claim.margin == 0:
        return size, "zero"
    return size, f"the margin of {_apart(claim.margin if claim.direction == 'higher' else -claim.margin, claim.scale)}"


def _facts(claim: ClaimResult, trained: str) -> list[Fact]:
    if claim.value is None and claim.pairs == 0:
        return []
    level = "" if claim.corrected_level is None else f"{100 * claim.corrected_level:.4g}%"
    of = "the only claim" if claim.family == 1 else f"one of {claim.family} claims corrected together"
    runs = f"runs: {claim.seeds[0]} of {claim.arm}, {claim.seeds[1]} of {claim.versus}"
    return [
        Fact("Difference", _apart(claim.value, claim.scale)),
        Fact("95% interval", _interval(claim.low, claim.high, claim.scale)),
        Fact("Corrected interval", _corrected(claim, level, of)),
        Fact("p", _p(claim)),
        Fact("Data", f"{claim.pairs:,} pairs of answers over {claim.clusters:,} {claim.unit}; {runs}"),
        Fact("Training", trained),
        Fact("Holds for", f"the {claim.holds_for}" if claim.holds_for == "training recipe" else claim.holds_for),
        Fact("Could have been seen", _detectable(claim)),
        Fact("Would be enough", _enough(claim)),
        Fact("Estimated saving", _saved(claim.data_saved) if claim.data_saved else ""),
    ]


def _runs(count: int) -> str:
    return f"{count} training run{'' if count == 1 else 's'}"


def _corrected(claim: ClaimResult, level: str, of: str) -> str:
    interval = _interval(claim.corrected_low, claim.corrected_high, claim.scale)
    return f"{interval}, at {level} as {of}" if interval else ""


def _p(claim: ClaimResult) -> str:
    if claim.p is None or claim.p_adjusted is None:
        return ""
    return f"{_chance(claim.p)} alone, {_chance(claim.p_adjusted)} corrected"


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "under 0.0001"


def _detectable(claim: ClaimResult) -> str:
    if claim.detectable is None:
        return ""
    beyond = " beyond the margin" if claim.margin else ""
    size = _apart(claim.detectable, claim.scale).lstrip("+")
    return f"a true difference of {size}{beyond} in 80% of repetitions, with this correction"


def _enough(claim: ClaimResult) -> str:
    if claim.verdict != "undecided":
        return ""
    if claim.wanted is None:
        return "nothing, by these data: the measured difference is not on the claimed side"
    parts = [
        f"no number of {claim.unit} with {_runs(design.seeds)}"
        if design.clusters is None
        else f"{design.clusters:,} {claim.unit} with {_runs(design.seeds)}"
        for design in claim.enough
    ]
    if not parts:
        return ""
    only = " Nothing can be said of more training runs: there was one." if len(claim.enough) == 1 else ""
    return f"{'; '.join(parts)} (80% power, if the truth is what was measured, which is a hopeful guess).{only}"


def _saved(saved: DataSaved) -> str:
    sizes = " and ".join(", ".join(f"{size:,}" for size in some) for some in (saved.arm_sizes, saved.versus_sizes))
    how = " The interval is corrected for nothing." if saved.low is not None or saved.high is not None else ""
    return f"{saved.sentence}{how} Measured with {sizes} demonstrations."


def _apart(value: float | None, scale: str) -> str:
    """A difference with its unit."""
    if value is None:
        return numbers.MISSING
    if scale == "nats":
        return f"{numbers.nats(value)} nats"
    return f"{numbers.amount(value, scale, signed=True)} {numbers.unit(scale, difference=True)}".rstrip()


def _level(value: float | None, scale: str) -> str:
    if value is None:
        return ""
    if scale == "nats":
        return f"{numbers.nats(value)} nats"
    return f"{numbers.amount(value, scale)}{'%' if scale == 'share' else ''}"


def _interval(low: float | None, high: float | None, scale: str) -> str:
    if low is None or high is None:
        return ""
    first = numbers.nats(low) if scale == "nats" else numbers.amount(low, scale, signed=True)
    return f"{first} to {_apart(high, scale)}"
