"""How much less data."""

import numpy as np
import pytest
from scipy.special import expit

from midspec.errors import InputError
from midspec.stats.efficiency import efficiency, monotone

SIZES = [1250.0 * 2**step for step in range(7)]


def curve(rng: np.random.Generator, shift: float, *, seeds: int = 3, items: int = 80, run: float = 0.01) -> np.ndarray:
    """Sizes x seeds x items; the level that 80,000 reach is reached with 2^shift times less."""
    level = expit(0.7 * np.log(np.array(SIZES) * 2**shift / 10_000))[:, None, None]
    return level + rng.normal(0, run, (7, seeds, 1)) + rng.normal(0, 0.2, (7, seeds, items))


def test_finds_the_factor_with_an_interval_around_it() -> None:
    rng = np.random.default_rng(1)
    found = efficiency(SIZES, curve(rng, 4), SIZES, curve(rng, 0))
    assert found.outcome == "times less"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 16 < found.high
    assert found.low < found.times < found.high
    assert found.covers_seeds


def test_intervals_cover() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(100):
        found = efficiency(SIZES, curve(rng, 2, items=40), SIZES, curve(rng, 0, items=40))
        inside += (found.low or 0) <= 4 <= (found.high or np.inf)
    assert inside / 100 >= 0.9


def test_a_level_that_is_never_reached_is_not_extrapolated() -> None:
    rng = np.random.default_rng(3)
    found = efficiency(SIZES, curve(rng, -2), SIZES, curve(rng, 0))
    assert found.outcome == "not reached"
    assert found.low is None
    assert found.times == pytest.approx(1)
    assert found.sentence.startswith("Not reached: with 80000 the score is surely short")


def test_a_level_reached_at_once_gives_a_least_factor() -> None:
    rng = np.random.default_rng(4)
    found = efficiency(SIZES, curve(rng, 9), SIZES, curve(rng, 0))
    assert (found.outcome, found.high) == ("at least", None)
    assert found.times == pytest.approx(64)
    assert "at least 64 times less" in found.sentence


def test_lower_may_be_better() -> None:
    rng = np.random.default_rng(5)
    mine, theirs = curve(rng, 3), curve(rng, 0)
    assert efficiency(SIZES, 1 - mine, SIZES, 1 - theirs, better="lower").times == pytest.approx(
        efficiency(SIZES, mine, SIZES, theirs).times
    )


def test_missing_scores_and_topics() -> None:
    rng = np.random.default_rng(6)
    mine, theirs = curve(rng, 3), curve(rng, 0)
    mine[2, 1, :10] = np.nan
    found = efficiency(SIZES, mine, SIZES, theirs, clusters=[item // 4 for item in range(80)])
    assert found.low is not None
    assert found.low < 8 < (found.high or np.inf)


def test_a_dip_does_not_count_as_reached_twice() -> None:
    assert monotone([1, 2, 3, 4], [0.1, 0.5, 0.3, 0.6]).tolist() == pytest.approx([0.1, 0.4, 0.4, 0.6])


def test_bad_curves_are_refused() -> None:
    rng = np.random.default_rng(7)
    good = curve(rng, 0)
    with pytest.raises(InputError, match="same seeds and items"):
        efficiency(SIZES, good[:, :2], SIZES, good)
    with pytest.raises(InputError, match="above 0"):
        efficiency([0, *SIZES[1:]], good, SIZES, good)
    with pytest.raises(InputError, match="sizes rising"):
        efficiency(SIZES[::-1], good, SIZES, good)
    broken = good.copy()
    broken[3] = np.nan
    with pytest.raises(InputError, match="no score at all"):
        efficiency(SIZES, broken, SIZES, good)
