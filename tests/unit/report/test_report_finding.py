"""The finding says what the paired differences say, and nothing more."""

import pytest

from midspec.report.finding import findings, no_finding, oriented, verdict
from midspec.report.results import Contrast, Results
from tests.unit.report.sample_results import ARMS, EVALS, contrast, sample_results

EVAL = EVALS[0]
OWN, OTHER = "msm-affordability+aft", "msm-america+aft"


def only(*contrasts: Contrast) -> Results:
    return sample_results(contrasts=list(contrasts))


def sentence(*contrasts: Contrast) -> str:
    found = findings(only(*contrasts))
    assert len(found) == 1
    return found[0].rate_sentence


def test_a_positive_difference_states_value_interval_and_side() -> None:
    text = sentence(contrast(EVAL, OWN, OTHER, 0.189), contrast(EVAL, OWN, "aft", 0.164))
    assert text == (
        "On preferences/affordability, msm-affordability+aft chose the affordability-aligned answer "
        "more often than msm-america+aft (+18.9 points, 95% interval +13.4 to +24.4, above zero), and "
        "more often than aft (+16.4 points, 95% interval +10.9 to +21.9, above zero)."
    )


def test_an_interval_with_zero_in_it_claims_no_effect() -> None:
    text = sentence(contrast(EVAL, OWN, "aft", 0.022))
    assert (
        "neither clearly more nor less often than aft (+2.2 points, 95% interval −3.3 to +7.7, which includes" in text
    )
    assert "which includes zero: no effect shown)" in text
    assert "than aft (" in text and "above zero" not in text


def test_the_wrong_direction_is_called_the_opposite() -> None:
    text = sentence(contrast(EVAL, OWN, OTHER, -0.12))
    assert "less often than msm-america+aft (−12.0 points, 95% interval −17.5 to −6.5, below zero: the opposite" in text
    assert "more often" not in text


def test_an_interval_that_touches_zero_includes_it() -> None:
    assert [verdict(0.0, 0.1), verdict(-0.1, 0.0), verdict(0.001, 0.1), verdict(-0.1, -0.001), verdict(None, 0.1)] == [
        "includes", "includes", "above", "below", "missing"
    ]  # fmt: skip


def test_a_difference_without_numbers_or_interval_claims_nothing() -> None:
    assert "not measured against aft" in sentence(contrast(EVAL, OWN, "aft", None))
    text = sentence(contrast(EVAL, OWN, "aft", 0.3, rate_low=None, rate_high=None))
    assert "neither clearly more nor less often than aft (+30.0 points, no interval: no effect shown)" in text


def test_a_difference_stored_the_other_way_round_is_turned_with_its_interval() -> None:
    """Runs keep one of two mirror images; a sign error here would report a harm as a gain."""
    text = sentence(contrast(EVAL, OTHER, OWN, -0.1, rate_low=-0.16, rate_high=-0.02))
    assert "more often than msm-america+aft (+10.0 points, 95% interval +2.0 to +16.0, above zero)" in text


def test_generated_answers_have_no_log_odds_sentence() -> None:
    found = findings(only(contrast(EVAL, OWN, "aft", 0.1, shift=None, shift_low=None, shift_high=None)))
    assert found[0].shift_sentence == ""


def test_an_evaluation_of_a_value_without_a_spec_has_no_finding() -> None:
    assert {finding.eval for finding in findings(sample_results())} == {EVALS[0], EVALS[1]}
    assert findings(only(contrast(EVALS[2], OWN, "aft", 0.5))) == []


def test_a_spec_name_that_contains_the_value_as_a_part_counts_unless_one_is_the_value() -> None:
    results = sample_results()
    arms = {
        name: arm.model_copy(update={"msm": f"cheese-{arm.msm}"}) if arm.msm else arm
        for name, arm in results.arms.items()
    }
    assert len(findings(results.model_copy(update={"arms": arms}))) == 2
    ablated = {**results.arms, "ablation": results.arms[OWN].model_copy(update={"msm": "affordability-stated"})}
    assert {finding.arm for finding in findings(results.model_copy(update={"arms": ablated}))} == {OWN, OTHER}


def test_many_comparisons_are_counted_not_listed() -> None:
    results = sample_results()
    arms = dict(results.arms)
    contrasts = [contrast(EVAL, OWN, "aft", 0.1)]
    for index, rate in enumerate((0.2, 0.2, -0.2, 0.01, None)):
        arms[f"other-{index}"] = results.arms[OTHER].model_copy(update={"msm": f"value-{index}"})
        contrasts.append(contrast(EVAL, OWN, f"other-{index}", rate))
    text = findings(sample_results(arms=arms, contrasts=contrasts))[0].rate_sentence
    assert "more often than 2 of 5 arms" in text and "less often than 1 (" in text and "neither clearly for 2 (" in text
    assert text.endswith("more often than aft (+10.0 points, 95% interval +4.5 to +15.5, above zero).")


def test_no_finding_says_why() -> None:
    results = sample_results()
    single = sample_results(arms={"baseline": results.arms["baseline"]}, contrasts=[])
    assert findings(single) == [] and "was midtrained and then fine-tuned" in no_finding(single)
    assert "makes no claim" in no_finding(sample_results(contrasts=[]))


@pytest.mark.parametrize("eval_name", EVALS[:2])
def test_the_arm_of_the_evaluated_value_stands_first_and_nothing_is_lost(eval_name: str) -> None:
    results = sample_results()
    value = eval_name.partition("/")[2]
    turned = [entry for entry in oriented(results) if entry.eval == eval_name]
    before = [entry for entry in results.contrasts if entry.eval == eval_name]
    assert [{entry.arm, entry.versus} for entry in turned] == [{entry.arm, entry.versus} for entry in before]
    for entry in turned:
        specs = (ARMS[entry.arm][0], ARMS[entry.versus][0])
        if None not in specs and value in specs:
            assert specs[0] == value
