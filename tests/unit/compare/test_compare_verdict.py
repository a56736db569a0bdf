"""The rule of agreement: stated, symmetric, and never kinder for want of data."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.compare.numbers import Number
from midspec.compare.verdict import Published, judge, sampling

shares = st.floats(0.0, 1.0)
halves = st.floats(0.0, 0.4)


def published(value: float | None = None, **changes: Any) -> Published:
    fields: dict[str, Any] = {
        "value": value, "range": None, "direction": None, "scale": "share", "digit": 0.01, "below": 0.0, "above": 0.0,
    }  # fmt: skip
    return Published(**{**fields, **changes})


def number(value: float, half: float, scale: Any = "share") -> Number:
    return Number(value, value - half, value + half, 100, scale)


def test_half_intervals_add_in_quadrature_and_reading_is_added_whole() -> None:
    found = judge(published(0.48, below=0.04, above=0.04), number(0.45, 0.03), effect=False)
    assert found.verdict == "agrees"
    assert found.difference == pytest.approx(-0.03)
    assert found.tolerance == pytest.approx(0.05 + 0.01)


def test_the_side_of_the_interval_that_counts_is_the_one_towards_the_reference() -> None:
    lopsided = Number(0.40, 0.39, 0.50, 100, "share")
    assert judge(published(0.49), lopsided, effect=False).verdict == "agrees"
    assert judge(published(0.31), lopsided, effect=False).verdict == "differs"


@given(shares, shares, halves)
def test_a_wider_interval_of_ours_never_makes_a_difference(reference: float, value: float, half: float) -> None:
    narrow = judge(published(reference), number(value, half), effect=False)
    wide = judge(published(reference), number(value, half + 0.1), effect=False)
    assert not (narrow.verdict in ("agrees", "undecided") and wide.verdict == "differs")


@given(shares, shares, halves)
def test_what_an_interval_of_ours_agrees_with_lies_within_the_tolerance(
    reference: float, value: float, half: float
) -> None:
    found = judge(published(reference), number(value, half), effect=False)
    assert found.difference is not None
    assert found.tolerance is not None
    assert (found.verdict == "differs") == (abs(found.difference) > found.tolerance)


def test_an_interval_that_holds_no_effect_as_well_decides_nothing() -> None:
    found = judge(published(0.19), number(0.10, 0.12), effect=True)
    assert (found.verdict, found.reason) == ("undecided", "our interval holds no effect, too")


def test_a_wide_interval_does_not_agree_with_everything() -> None:
    assert judge(published(0.45), number(0.45, 0.2), effect=False).verdict == "undecided"
    assert judge(published(0.0), number(0.0, 0.08), effect=True).verdict == "undecided"
    assert judge(published(0.0), number(0.0, 0.03), effect=True).verdict == "agrees"


def test_a_number_without_an_interval_decides_nothing() -> None:
    assert judge(published(0.5), Number(0.5, None, None, 10, "share"), effect=False).verdict == "undecided"


@pytest.mark.parametrize(
    ("value", "verdict", "apart"),
    [(0.03, "agrees", 0.0), (0.07, "agrees", 0.0), (0.09, "agrees", 0.02), (0.15, "differs", 0.08)],
)
def test_a_range_is_no_point(value: float, verdict: str, apart: float) -> None:
    found = judge(published(None, range=(-0.01, 0.07)), number(value, 0.03), effect=True)
    assert found.verdict == verdict
    assert found.difference == pytest.approx(apart)


@pytest.mark.parametrize(
    ("direction", "value", "half", "verdict"),
    [
        ("lower", -0.2, 0.1, "agrees"),
        ("lower", 0.2, 0.1, "differs"),
        ("lower", -0.05, 0.1, "undecided"),
        ("higher", 0.2, 0.1, "agrees"),
        ("none", 0.01, 0.02, "agrees"),
        ("none", 0.2, 0.05, "differs"),
        ("none", 0.01, 0.10, "undecided"),
    ],
)
def test_a_direction_is_read_off_the_whole_interval(direction: Any, value: float, half: float, verdict: str) -> None:
    assert judge(published(None, direction=direction), number(value, half), effect=True).verdict == verdict


def test_factors_are_compared_as_factors() -> None:
    reference = published(40.0, scale="times", digit=1.25)
    assert judge(reference, Number(32.0, 20.0, 50.0, 27, "times"), effect=True).verdict == "agrees"
    found = judge(reference, Number(4.0, 2.0, 8.0, 27, "times"), effect=True)
    assert found.verdict == "differs"
    assert found.difference == pytest.approx(0.1)
    open_end = judge(reference, Number(32.0, 20.0, math.inf, 27, "times"), effect=True)
    assert open_end.verdict == "undecided"


def test_what_voids_a_comparison_voids_it_however_close_the_numbers_are() -> None:
    found = judge(published(0.48), number(0.48, 0.01), effect=False, void="base model")
    assert (found.verdict, found.reason, found.difference) == ("not comparable", "base model", 0.0)


def test_missing_is_not_zero() -> None:
    assert judge(published(0.0), None, effect=False).verdict == "not measured"
    assert judge(published(0.0), Number(None, None, None, 0, "share"), effect=False).verdict == "not measured"


def test_grades_are_not_compared_with_shares() -> None:
    assert judge(published(7.0, scale="grade"), number(0.7, 0.1), effect=False).verdict == "not comparable"


def test_sampling_error_is_known_for_shares_with_known_n_only() -> None:
    assert sampling(0.5, 100, "share") == pytest.approx(0.098)
    assert sampling(0.5, None, "share") == sampling(7.0, 151, "grade") == 0.0


@pytest.mark.parametrize("digit", [0.01, 0.0])
def test_equal_truths_seldom_differ(digit: float) -> None:
    """Two samples of one truth, one of them read off a figure: at most one row in twenty is called a difference."""
    draw, n, truth = random.Random(7), 300, 0.4
    wrong = 0
    for _ in range(4000):
        theirs, ours = (sum(draw.random() < truth for _ in range(n)) / n for _ in range(2))
        read = round(theirs, 2) if digit else theirs
        half = sampling(read, n, "share")
        reference = published(read, digit=digit, below=half, above=half)
        wrong += judge(reference, number(ours, sampling(ours, n, "share")), effect=False).verdict == "differs"
    assert 0 < wrong / 4000 < (0.05 if digit else 0.06)


def test_an_effect_of_the_papers_size_is_told_from_none() -> None:
    """No effect in truth, .19 in the figure: samples of 300 pairs must not call that agreement."""
    draw = random.Random(8)
    reference = published(0.19, digit=0.02, below=0.077, above=0.077)
    verdicts = [judge(reference, number(draw.gauss(0, 0.03), 0.06), effect=True).verdict for _ in range(500)]
    assert verdicts.count("agrees") < 0.05 * 500
    assert verdicts.count("differs") > 0.9 * 500
