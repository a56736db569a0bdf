"""Pairing and what follows from it."""

import pytest

from midspec.stats.compare import Pair, paired, paired_difference, position_bias
from midspec.stats.intervals import Estimate

TOPICS = {"a": 1, "b": 1, "c": 2, "d": 2}


def test_pairs_are_by_item_and_seed() -> None:
    """Rows are paired by what they are, never by where they stand in a file."""
    arm = {0: {"a": 1.0, "b": 2.0}, 1: {"b": 3.0, "a": 4.0}}
    versus = {1: {"a": 10.0, "b": 20.0}, 0: {"b": 30.0, "a": 40.0}}
    assert set(paired(arm, versus)) == {
        Pair("a", 0, 1.0, 40.0),
        Pair("b", 0, 2.0, 30.0),
        Pair("a", 1, 4.0, 10.0),
        Pair("b", 1, 3.0, 20.0),
    }


def test_unanswered_items_make_no_pair() -> None:
    """0 (the other answer was chosen) is an answer, None is not."""
    pairs = paired({0: {"a": 0.0, "b": None, "c": 1.0}}, {0: {"a": 0.0, "b": 1.0, "c": None}})
    assert pairs == [Pair("a", 0, 0.0, 0.0)]


def test_a_single_seed_stands_against_every_seed() -> None:
    pairs = paired({0: {"a": 1.0}, 1: {"a": 2.0}, 2: {"a": 3.0}}, {0: {"a": 1.0}})
    assert [(pair.seed, pair.arm - pair.versus) for pair in pairs] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_seeds_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="none in common"):
        paired({0: {}, 1: {}}, {2: {}, 3: {}})
    assert paired({}, {0: {"a": 1.0}}) == []


def test_pairing_removes_what_items_share() -> None:
    """Unpaired, the spread between items (0 to 300) would bury a difference of one."""
    versus: dict[str, float | None] = {"a": 0.0, "b": 100.0, "c": 200.0, "d": 300.0}
    arm: dict[str, float | None] = {item: (value or 0.0) + 1 for item, value in versus.items()}
    assert paired_difference(paired({0: arm}, {0: versus}), TOPICS) == Estimate(1.0, 1.0, 1.0)
    assert paired_difference([], TOPICS) == Estimate(None, None, None)


def test_position_bias_counts_choices_that_follow_the_order() -> None:
    follows, steady, tied, unread, single = (2.0, -1.0), (2.0, 1.0), (0.0, 1.0), (None, 1.0), (3.0,)
    assert position_bias([follows, steady, tied, unread, single], 0.0) == 0.5
    assert position_bias([tied, unread, single], 0.0) is None
    assert position_bias([(1.0, 0.0), (0.0, 0.0)], 0.5) == 0.5
