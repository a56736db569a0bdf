"""Corrections for many comparisons, equivalence, saturation, and bounds for missing values."""

import numpy as np
import pytest

from midspec.errors import InputError
from midspec.stats.effect import Effect, effect
from midspec.stats.equivalence import equivalence
from midspec.stats.families import false_discovery, family, holm
from midspec.stats.missing import bounded
from midspec.stats.pooling import pooled
from midspec.stats.saturation import saturation


def shifted(mean: float, seed: int = 0, items: int = 50) -> Effect:
    found = effect(mean + np.random.default_rng(seed).normal(0, 0.5, items), list(range(items)))
    assert found is not None
    return found


def test_holm_and_false_discovery_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert false_discovery([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([]) == []


def test_a_family_corrects_all_of_its_members_and_nobody_else() -> None:
    effects = {f"arm {number}": shifted(0.0, number) for number in range(9)} | {"real": shifted(0.6, 99)}
    found = {member.name: member for member in family("against the baseline", effects).members}
    real = found["real"]
    assert real.p is not None
    assert real.p_holm == pytest.approx(10 * real.p)
    assert real.simultaneous == effects["real"].interval(1 - 0.05 / 10, strict=True)
    assert real.selected is not None
    assert real.simultaneous.low is not None
    assert real.selected.low is not None
    assert real.simultaneous.low <= real.selected.low
    alone = effect([1.0], ["a"])
    assert alone is not None
    with_silent = {m.name: m for m in family("x", effects | {"silent": alone}).members}
    assert with_silent["silent"].p is None
    assert with_silent["real"].p_holm == real.p_holm
    with pytest.raises(InputError, match="alpha 5"):
        family("x", effects, alpha=5)


def test_equivalence_needs_data_not_their_absence() -> None:
    """An interval from -0.6 to 0.7 includes zero and shows no equivalence within 0.2."""
    few, many = shifted(0.0, 1, items=5), shifted(0.0, 1, items=2000)
    assert not equivalence(few, 0.2).equivalent
    found = equivalence(many, 0.2)
    assert found.equivalent
    assert found.interval.low is not None
    assert found.interval.high is not None
    assert -0.2 < found.interval.low < found.interval.high < 0.2
    assert not equivalence(shifted(0.3, 2, items=2000), 0.2).equivalent
    with pytest.raises(InputError, match="margin 0"):
        equivalence(many, 0)


def test_the_interval_of_an_equivalence_agrees_with_its_verdict() -> None:
    for seed in range(40):
        found = equivalence(shifted(0.05, seed, items=60), 0.2)
        assert found.interval.low is not None
        assert found.interval.high is not None
        assert found.equivalent == (found.interval.low > -0.2 and found.interval.high < 0.2)


def test_saturation() -> None:
    assert saturation(0.99, 0.97, towards="higher").at == "ceiling"
    assert saturation(0.01, 0.0, towards="lower").at == "floor"
    assert "Both arms are at the floor" in saturation(1.1, 1.0, towards="lower", floor=1, ceiling=10).warning
    # 0.95 -> 0.80 moved: not saturated, although one arm is at the end.
    assert saturation(0.80, 0.96, towards="lower", detectable=0.1) == (None, pytest.approx(0.96), 0.1, "")
    tight = saturation(0.92, 0.91, towards="higher", detectable=0.2)
    assert tight.at is None
    assert "could not have been shown" in tight.warning
    with pytest.raises(InputError, match="within it"):
        saturation(7.0, 5.0, towards="higher")


def test_missing_values_are_put_at_both_ends() -> None:
    values: list[float | None] = [1.0, 0.0, None, 1.0, None, 0.0, 1.0, 0.0]
    found = bounded(values, list(range(8)))
    assert found is not None
    assert found.read is not None
    assert (found.least.value, found.read.value, found.most.value, found.missing) == (3 / 8, 0.5, 5 / 8, 2)
    ends = found.interval()
    assert (ends.low, ends.high) == (found.least.interval().low, found.most.interval().high)
    assert found.p_value(0.5) == 1.0
    complete = bounded([1.0, 0.0, 1.0, 1.0], list(range(4)))
    assert complete is not None
    assert complete.interval() == complete.least.interval() == complete.most.interval()
    assert bounded([], []) is None
    with pytest.raises(InputError, match="outside the scale"):
        bounded([2.0, None], [0, 1])


def test_bounds_cover_where_a_judge_refuses_only_one_kind_of_answer() -> None:
    """Leaving refused answers out covers about 80% here."""
    rng = np.random.default_rng(3)
    inside = naive = 0
    for _ in range(200):
        answers = (rng.random(200) < 0.5).astype(float)
        lost = (answers == 1) & (rng.random(200) < 0.15)
        found = bounded([None if gone else value for gone, value in zip(lost, answers, strict=True)], list(range(200)))
        assert found is not None
        assert found.read is not None
        for kept, part in ((True, found.interval()), (False, found.read.interval())):
            assert part.low is not None
            assert part.high is not None
            hit = part.low <= 0.5 <= part.high
            inside, naive = inside + (hit and kept), naive + (hit and not kept)
    assert inside / 200 >= 0.95
    assert naive / 200 < 0.9


def test_seed_variance_is_pooled_over_arms() -> None:
    found = pooled({"a": {0: 0.1, 1: 0.3}, "b": {0: 0.5, 1: 0.5, 2: 0.8}, "base": {0: 0.2}})
    assert found is not None
    assert found.freedom == 3
    assert found.variance == pytest.approx((0.02 + 0.06) / 3)
    assert found.of_difference(3, 3) == pytest.approx(found.variance * 2 / 3)
    assert found.of_difference(3, None) == pytest.approx(found.variance / 3)
    assert pooled({"a": {0: 0.1}}) is None
