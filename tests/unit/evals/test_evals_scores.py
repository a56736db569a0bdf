"""From rows to the numbers of a report."""

import pytest

from midspec.evals.scores import ArmScore, Difference, contrast, score
from midspec.records import EvalRow
from midspec.report.results import Contrast, Score


def row(number: int, log_odds: float | None, *, aligned: bool | None = None, order: tuple[float, ...] = ()) -> EvalRow:
    return EvalRow(
        eval="opinions/x",
        item=f"i{number:02}",
        domain="d",
        topic=f"t{number % 4}",
        difficulty="easy",
        log_odds=log_odds,
        aligned=aligned if log_odds is None else (None if log_odds == 0 else log_odds > 0),
        by_order=order or (log_odds, log_odds),
    )


LOW = [row(n, -1.0 + 0.1 * n) for n in range(16)]
HIGH = [row(n, -0.5 + 0.1 * n) for n in range(16)]


def test_fields_are_those_of_the_report() -> None:
    """The report fills its models from these by name."""
    assert set(ArmScore._fields) == set(Score.model_fields)
    assert set(Difference._fields) == set(Contrast.model_fields) - {"eval", "arm", "versus"}
    Score(**score({0: LOW}, {0: LOW})._asdict())


def test_rate_shift_and_counts() -> None:
    found = score({0: HIGH, 1: HIGH}, {0: LOW, 1: LOW})
    # Row 5 is an exact tie, undecided in both seeds; 10 of the 15 others are above 0.
    assert (found.n, found.items, found.undecided) == (32, 16, 2)
    assert found.rate == pytest.approx(10 / 15)
    assert found.shift == pytest.approx(0.5)
    assert (found.shift_low, found.shift_high) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.rate < found.high <= 1
    assert found.position_bias == 0


def test_the_baseline_shifts_by_nothing_and_no_baseline_gives_no_shift() -> None:
    own = score({0: LOW}, {0: LOW})
    assert (own.shift, own.shift_low, own.shift_high) == (0, 0, 0)
    assert score({0: LOW}, None).shift is None


def test_excluded_items_count_nowhere() -> None:
    """A leaked item that stays in one of the numbers is worse than one that stays in all."""
    leaked = {f"i{number:02}" for number in range(8)}
    clean = score({0: HIGH[8:]}, {0: LOW[8:]})
    assert score({0: HIGH}, {0: LOW}, leaked) == clean
    assert contrast({0: HIGH}, {0: LOW}, leaked) == contrast({0: HIGH[8:]}, {0: LOW[8:]})


def test_generated_answers_have_no_shift_and_undecided_are_left_out_of_the_rate() -> None:
    """An undecided answer counted as a no would make the vaguer arm look less aligned."""
    rows = [row(n, None, aligned=(None, True, False, True)[n % 4], order=(1.0, 0.0)) for n in range(16)]
    found = score({0: rows}, {0: rows})
    assert (found.n, found.undecided, found.shift) == (16, 4, None)
    assert found.rate == pytest.approx(8 / 12)
    assert found.position_bias == 1
    assert contrast({0: rows}, {0: rows}).n == 12


def test_missing_verdicts_are_counted_and_bound_the_rate() -> None:
    """The report once filled these beside the score, so that the two could leave out different items."""
    unread = [one.model_copy(update={"unscored": "judge refused", "aligned": None}) for one in HIGH[12:]]
    found = score({0: [*HIGH[:12], *unread]}, None, {"i15"})
    # Row 5 is a tie; of the others 6 are above 0, and 3 of the 4 unread ones count.
    assert (found.missing, found.undecided) == (3, 1)
    assert (found.least, found.most) == (pytest.approx(6 / 14), pytest.approx(9 / 14))


def test_a_contrast_is_minus_its_mirror_even_with_unequal_seeds() -> None:
    several = {0: HIGH, 1: HIGH[::-1], 2: HIGH}
    one, two = contrast(several, {0: LOW}), contrast({0: LOW}, several)
    assert one.n == two.n
    assert one.shift == pytest.approx(-(two.shift or 0))
    assert one.rate == pytest.approx(-(two.rate or 0))
    assert one.rate_low == pytest.approx(-(two.rate_high or 0))


def test_nothing_to_score_is_no_number() -> None:
    """0 of 0 is not 0."""
    empty = score({0: []}, {0: []})
    assert empty == ArmScore(0, 0, None, None, None, None, None, None, 0, None, 0, None, None)
    everything = {f"i{number:02}" for number in range(16)}
    assert score({0: LOW}, {0: LOW}, everything) == empty
