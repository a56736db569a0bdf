"""One number, its interval at every level, and its p-value."""

import numpy as np
import pytest
from benchmarks.statistics import SETTINGS, covered, draw, limits
from scipy import stats

from midspec.errors import InputError
from midspec.stats.effect import Effect, Form, effect
from midspec.stats.spread import Cells, cells, half_width, spread


def drawn(seed: int, *, items: int = 50, seeds: int = 3, seed_sd: float = 0.1, mean: float = 0.0) -> Effect:
    rng = np.random.default_rng(seed)
    values = (
        mean + rng.normal(0, 0.5, (1, items)) + rng.normal(0, seed_sd, (seeds, 1)) + rng.normal(size=(seeds, items))
    )
    made = effect(values.ravel(), list(range(items)) * seeds, [run for run in range(seeds) for _ in range(items)])
    assert made is not None
    return made


def test_variance_is_that_of_the_two_way_analysis_of_variance() -> None:
    """Balanced and with seeds that differ: (MS items + MS seeds - MS residual) / answers."""
    values = np.random.default_rng(1).normal(size=(4, 30)) + np.arange(4)[:, None]
    by_item, by_seed = values.mean(0), values.mean(1)
    left = values - by_item - by_seed[:, None] + values.mean()
    squares = 4 * by_item.var(ddof=1) + 30 * by_seed.var(ddof=1) - (left**2).sum() / (3 * 29)
    found = spread(Cells(values, np.ones_like(values)))
    assert float(found.variance) == pytest.approx(squares / 120)
    assert (found.cluster_freedom, found.seed_freedom, found.overlap_freedom) == (29, 3, 87)


def test_one_seed_is_the_t_interval_over_items() -> None:
    values = np.random.default_rng(2).normal(size=40)
    found = effect(values, list(range(40)))
    assert found is not None
    expected = stats.t.interval(0.9, 39, values.mean(), stats.sem(values))
    assert found.interval(0.9)[1:] == pytest.approx(expected)
    assert found.interval(0.9, strict=True) == found.interval(0.9)
    assert found.p_value(0.3) == pytest.approx(stats.ttest_1samp(values, 0.3).pvalue, rel=0.02)
    assert not found.covers_seeds


def test_missing_cells_are_no_zeros() -> None:
    """A seed without an answer to an item must not pull the mean to 0 or count as an agreeing seed."""
    table = cells([1.0, 2.0, 3.0], ["a", "b", "a"], [0, 0, 1])
    assert table.counts.tolist() == [[1, 1], [1, 0]]
    found = spread(table)
    assert found.mean == 2.0
    assert np.isfinite(found.variance)


@pytest.mark.parametrize("form", ["mean", "share", "difference"])
@pytest.mark.parametrize("strict", [True, False])
def test_p_values_and_intervals_say_the_same(form: Form, strict: bool) -> None:
    """p < alpha exactly where the 1 - alpha interval excludes the null; a table with both must agree with itself."""
    rng = np.random.default_rng(3)
    values = {"mean": rng.normal(size=90), "share": rng.random(90) < 0.3, "difference": rng.integers(-1, 2, 90)}[form]
    found = effect(values.astype(float), list(range(30)) * 3, [run for run in range(3) for _ in range(30)], form=form)
    assert found is not None
    for null in (-0.2, 0.05, 0.2, 0.25, 0.5, 0.9):
        p = found.p_value(null, strict=strict)
        assert p is not None
        if 1e-10 < p < 0.9:
            wider, narrower = found.interval(1 - p / 1.02, strict=strict), found.interval(1 - p * 1.02, strict=strict)
            assert wider.low is not None
            assert wider.high is not None
            assert narrower.low is not None
            assert narrower.high is not None
            assert wider.low <= null <= wider.high
            assert not narrower.low <= null <= narrower.high
    assert found.p_value(found.value, strict=strict) == 1.0


def test_strict_intervals_are_wider_and_both_grow_with_the_level() -> None:
    found = drawn(4)
    widths = [float(half_width(found.spread, alpha)) for alpha in (0.2, 0.05, 0.01)]
    strict = [float(half_width(found.spread, alpha, strict=True)) for alpha in (0.2, 0.05, 0.01)]
    assert widths == sorted(widths)
    assert all(wide >= narrow for wide, narrow in zip(strict, widths, strict=True))


def test_one_sided_p_values_add_up_to_one() -> None:
    found = drawn(5, mean=0.2)
    above, below = found.one_sided(0.0, "above"), found.one_sided(0.0, "below")
    assert above is not None
    assert below is not None
    assert above < below
    assert above + below == pytest.approx(1)


def test_arms_that_agree_on_all_items_may_still_differ() -> None:
    """A width of 0 from 20 equal pairs would claim to know that the arms are the same."""
    found = effect([0.0] * 20, list(range(20)), form="difference")
    assert found is not None
    low, high = found.interval()[1:]
    assert low is not None
    assert high is not None
    assert low < -0.05
    assert high > 0.05


def test_what_cannot_be_used_is_refused() -> None:
    assert effect([], []) is None
    with pytest.raises(InputError, match="one of each"):
        effect([1.0, 2.0], ["a"])
    with pytest.raises(InputError, match="finite"):
        effect([1.0, float("nan")], ["a", "b"])
    with pytest.raises(InputError, match=r"0\.5"):
        effect([0.0, 0.5], ["a", "b"], form="share")
    with pytest.raises(InputError, match="level 95"):
        drawn(6).interval(95)
    alone = effect([1.0, 0.0], ["a", "a"])
    assert alone is not None
    assert alone.p_value() is None


def test_seed_variance_from_other_arms_counts_only_where_it_is_larger() -> None:
    found = drawn(7, seed_sd=1.0)
    smaller = found.with_seed_variance(1e-9, 12)
    assert smaller.spread.seed == found.spread.seed
    larger = found.with_seed_variance(100.0, 12)
    assert larger.spread.seed == 100
    assert larger.spread.seed_freedom == 12
    assert drawn(8, seeds=1).with_seed_variance(1.0, 12) == drawn(8, seeds=1)


@pytest.mark.parametrize("of", SETTINGS, ids=lambda of: of.name)
def test_95_percent_intervals_cover(of: object) -> None:
    """The small version of `python -m benchmarks.statistics`; 1,000 draws have a standard error of 0.7 points."""
    setting = next(known for known in SETTINGS if known is of)
    mine, theirs, truth = draw(np.random.default_rng(9), setting, 1000, 3, 100)
    assert 0.93 <= covered(limits(setting, mine, theirs, 0.05, strict=False), truth) <= 0.99
    assert covered(limits(setting, mine, theirs, 0.005, strict=True), truth) >= 0.985


def test_answers_counted_one_by_one_would_not_cover() -> None:
    """The benchmark can tell a wrong method from a right one."""
    setting = SETTINGS[-1]
    mine, theirs, truth = draw(np.random.default_rng(10), setting, 500, 3, 100)
    apart = mine - theirs
    half = 1.96 * apart.std((1, 2)) / np.sqrt(300)
    assert covered((apart.mean((1, 2)) - half, apart.mean((1, 2)) + half), truth) < 0.8
