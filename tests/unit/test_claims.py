"""What a recipe may claim, and what it is told when it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from midspec.claims import ClaimConfig, check_claims
from midspec.errors import InputError
from midspec.experiment import Experiment

RECIPE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"affordability": "cheese-affordability"},
    "aft": {"samples": 24},
    "arms": {
        "baseline": {},
        "aft": {"aft": True},
        "aft-8": {"aft": True, "aft_samples": 8},
        "msm+aft": {"msm": "affordability", "aft": True},
    },
    "evals": [
        "plain/affordability",
        {"task": "preferences", "value": "affordability", "scoring": "generate"},
        "agentic",
    ],
}
CLAIM = {"eval": "plain/affordability", "arm": "msm+aft", "versus": "aft"}


def checked(*claims: dict[str, Any]) -> None:
    check_claims(Experiment.model_validate({**RECIPE, "claims": list(claims)}))


def test_what_can_be_claimed_is_let_through() -> None:
    checked(
        CLAIM,
        {**CLAIM, "measure": "shift", "kind": "equivalent", "margin": 0.3},
        {**CLAIM, "eval": "agentic", "kind": "lower", "measure": "harmful", "part": "leaking"},
        {**CLAIM, "arm": "aft-8", "kind": "efficiency"},
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eval": "plain/america"}, "claims.0.eval is 'plain/america'; expected one of: plain/affordability"),
        ({"arm": "msm"}, "claims.0.arm is 'msm'; expected one of: baseline, aft, aft-8, msm+aft"),
        ({"versus": "msm"}, "left out by --no-controls"),
        ({"measure": "decided"}, "expected one of: rate, shift"),
        ({"eval": "agentic", "measure": "rate"}, "expected one of: decided, harmful"),
        ({"eval": "preferences/affordability", "measure": "shift"}, "gives no log-odds; claim the 'rate'"),
        ({"part": "leaking"}, "has no parts; leave it out"),
        ({"kind": "efficiency"}, "msm+aft has 24 demonstrations and aft 24"),
        ({"kind": "efficiency", "versus": "baseline"}, "baseline 0; expected both to be fine-tuned"),
    ],
)
def test_a_claim_about_what_there_is_not_is_refused_before_anything_runs(change: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as told:
        checked({**CLAIM, **change})
    assert words in str(told.value)


def test_a_claim_made_twice_is_refused_however_it_is_written() -> None:
    """The statistics refuse it at the end of a run that took a day; an efficiency claim is a `higher` one to them."""
    for again in (CLAIM, {**CLAIM, "measure": "rate"}):
        with pytest.raises(InputError, match="made twice"):
            checked(CLAIM, again)
    with pytest.raises(InputError, match="made twice"):
        checked({**CLAIM, "arm": "aft-8", "kind": "efficiency"}, {**CLAIM, "arm": "aft-8"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versus": "msm+aft"}, "with itself"),
        ({"kind": "equivalent"}, "needs a margin above 0"),
        ({"kind": "efficiency", "margin": 0.1}, "has no margin"),
        ({"better": "lower"}, "goes with kind 'efficiency'"),
        ({"margin": -0.1}, "greater than or equal to 0"),
        ({"margin": float("nan")}, "greater than or equal to 0|finite"),
        ({"kind": "more"}, "'higher', 'lower', 'equivalent' or 'efficiency'"),
    ],
)
def test_a_claim_that_contradicts_itself_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClaimConfig.model_validate({**CLAIM, **change})


def test_a_claim_says_itself_in_words() -> None:
    assert ClaimConfig(**CLAIM).sentence == "msm+aft is higher than aft on plain/affordability."
    assert ClaimConfig(**CLAIM, text="It works.").sentence == "It works."
    same = ClaimConfig.model_validate({**CLAIM, "kind": "equivalent", "margin": 0.3, "measure": "shift"})
    assert same.sentence == "msm+aft and aft differ by less than 0.3 on plain/affordability (shift)."


def test_claims_do_not_change_what_is_made() -> None:
    """They are written down beforehand; adding one must not train anything again."""
    from midspec.pipeline import build

    one, other = (
        build(Experiment.model_validate({**RECIPE, "evals": RECIPE["evals"][:1], "claims": claims})).steps
        for claims in ([], [CLAIM])
    )
    assert [step.fingerprint for step in one] == [step.fingerprint for step in other]
