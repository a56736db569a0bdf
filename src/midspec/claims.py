"""What an experiment claims, written down in its recipe before anything is run. See docs/statistics.md.

A recipe without `claims` claims nothing: its report says so, and calls all that it finds exploratory. No claim is made
up from the form of an experiment, because a claim that nobody made beforehand cannot come out true.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from midspec.config import Config
from midspec.errors import InputError

if TYPE_CHECKING:
    from midspec.arms import ArmConfig
    from midspec.evaluation import Evaluation
    from midspec.experiment import Experiment

CHOICE_MEASURES = ("rate", "shift")
"""What can be claimed of an evaluation by choices; `shift` where answers are scored by likelihood."""


class ClaimConfig(Config):
    """One entry of a recipe's `claims`: two arms, an evaluation, and how they differ."""

    eval: str
    """Name of an evaluation of the recipe, e.g. `plain/affordability`, or its `label`."""
    arm: str
    """The arm that the claim is about; arms of `grid` and `controls` have names too (`midspec plan` shows them)."""
    versus: str
    """The arm it is compared with, on the same items and seeds."""
    kind: Literal["higher", "lower", "equivalent", "efficiency"] = "higher"
    """`higher`, `lower`: than `versus`, by more than `margin`; `equivalent`: the difference is smaller than `margin`
    either way; `efficiency`: better than `versus` though `arm` is fine-tuned on fewer demonstrations."""
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """In the unit of the measure: 0.05 are five percentage points of a share; nats for `shift`; grades; the task's own
    number. (ours: 0, any difference)"""
    better: Literal["higher", "lower"] = "higher"
    """For `efficiency`: which end of the measure is the good one; `lower` for rates of misbehaviour."""
    measure: str | None = None
    """`rate` or `shift` (log-odds, in nats) of an evaluation by choices; of others the name of a measure: `decided`,
    `grade`, `accuracy`, ... None = `rate`, or the headline."""
    part: str | None = None
    """Only one scenario or dimension of the measure; None = all."""
    text: str = ""
    """The claim in words, for the report; empty = made from the fields above."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.arm == self.versus:
            raise ValueError(f"a claim compares {self.arm!r} with itself; give two arms")
        if self.kind == "equivalent" and self.margin == 0:
            raise ValueError("kind 'equivalent' needs a margin above 0: the largest difference that would not matter")
        if self.kind == "efficiency" and self.margin > 0:
            raise ValueError("kind 'efficiency' has no margin: how much less data is said by the two arms' sizes")
        if self.kind != "efficiency" and self.better != "higher":
            raise ValueError(f"better goes with kind 'efficiency'; kind {self.kind!r} says the direction itself")
        return self

    @property
    def direction(self) -> Literal["higher", "lower", "equivalent"]:
        """How `arm` is claimed to differ from `versus`."""
        return self.better if self.kind == "efficiency" else self.kind

    @property
    def sentence(self) -> str:
        """The claim in words: `text`, or one made from the fields."""
        if self.text:
            return self.text
        what = ", ".join(word for word in (self.measure, self.part) if word)
        where = f"on {self.eval}{f' ({what})' if what else ''}"
        if self.kind == "equivalent":
            return f"{self.arm} and {self.versus} differ by less than {self.margin:g} {where}."
        if self.kind == "efficiency":
            return f"{self.arm} is {self.better} than {self.versus} {where}, with fewer demonstrations."
        by = f" by more than {self.margin:g}" if self.margin else ""
        return f"{self.arm} is {self.kind} than {self.versus}{by} {where}."


def check_claims(experiment: Experiment) -> None:
    """Raise InputError where a claim names an arm, an evaluation or a measure that is not there, or is made twice.

    To be called when all arms are known, those of `grid` and `controls` too.
    """
    claims: tuple[ClaimConfig, ...] = experiment.claims
    evals = {entry.name: entry for entry in experiment.evals}
    seen: set[tuple[object, ...]] = set()
    for number, claim in enumerate(claims):
        where = f"recipe {experiment.name!r}: claims.{number}"
        _known(where, "eval", claim.eval, evals)
        for key, arm in (("arm", claim.arm), ("versus", claim.versus)):
            _known(where, key, arm, experiment.arms, " (controls are left out by --no-controls)")
        measure = _checked_measure(where, claim, evals[claim.eval])
        identity = (claim.eval, measure, claim.part, claim.arm, claim.versus, claim.direction, claim.margin)
        if identity in seen:
            raise InputError(f"{where} is made twice; each claim counts once in the correction, so leave one out")
        seen.add(identity)
        if claim.kind == "efficiency":
            _fewer(where, claim, experiment)


def demonstrations_of(experiment: Experiment, arm: ArmConfig) -> int:
    """How many demonstrations an arm is fine-tuned on; 0 for one that is not."""
    if not arm.aft:
        return 0
    if arm.aft_samples is not None:
        return arm.aft_samples
    chosen = experiment.aft[arm.aft] if isinstance(arm.aft, str) else next(iter(experiment.aft.values()))
    return chosen.size


def _fewer(where: str, claim: ClaimConfig, experiment: Experiment) -> None:
    arm, versus = (demonstrations_of(experiment, experiment.arms[name]) for name in (claim.arm, claim.versus))
    if not 0 < arm < versus:
        raise InputError(
            f"{where} is about efficiency, but {claim.arm} has {arm:,} demonstrations and {claim.versus} {versus:,}; "
            "expected both to be fine-tuned, and the first on fewer (`aft_samples`)"
        )


def _known(where: str, key: str, name: str, there: Collection[str], hint: str = "") -> None:
    if name not in there:
        raise InputError(f"{where}.{key} is {name!r}; expected one of: {', '.join(there)}{hint}")


def _checked_measure(where: str, claim: ClaimConfig, entry: Evaluation) -> str | None:
    """The measure's name; None = the headline of an evaluation whose measures only a run tells."""
    if entry.choices:
        measure = claim.measure or CHOICE_MEASURES[0]
        _known(where, "measure", measure, CHOICE_MEASURES)
        if measure == "shift" and getattr(entry, "scoring", "likelihood") not in ("likelihood", "letter"):
            raise InputError(
                f"{where}.measure is 'shift', but {claim.eval} is scored by {getattr(entry, 'scoring', None)!r}, which "
                "gives no log-odds; claim the 'rate', or score by likelihood"
            )
        if claim.part is not None:
            raise InputError(f"{where}.part is {claim.part!r}, but {claim.eval} has no parts; leave it out")
        return measure
    names = [measure.name for measure in entry.measures([])]
    if claim.measure is not None and names:
        _known(where, "measure", claim.measure, names)
    return claim.measure or (names[0] if names else None)
