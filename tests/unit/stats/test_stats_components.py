"""Variance split, and what it means for the next experiment."""

import math

import numpy as np
import pytest

from midspec.errors import InputError
from midspec.stats.components import split
from midspec.stats.power import Components, components, detectable, enough, minimum_detectable
from midspec.stats.spread import Cells, half_width, spread

SIZES = (60, 4, 2, 2)


def judged(rng: np.random.Generator) -> tuple[np.ndarray, list[list[int]]]:
    """Item 0.25, seed 0.04, item x seed 0.09, decoding 0.16, judging 0.01."""
    items, seeds, samples = SIZES[:3]
    values = (
        rng.normal(0, 0.5, (items, 1, 1, 1))
        + rng.normal(0, 0.2, (1, seeds, 1, 1))
        + rng.normal(0, 0.3, (items, seeds, 1, 1))
        + rng.normal(0, 0.4, (items, seeds, samples, 1))
        + rng.normal(0, 0.1, SIZES)
    )
    return values.ravel(), [axis.ravel().tolist() for axis in np.indices(SIZES)]


def test_split_finds_every_source() -> None:
    rng = np.random.default_rng(1)
    found = np.mean([[p.variance for p in split(v, *lab).parts] for v, lab in (judged(rng) for _ in range(60))], axis=0)
    assert found == pytest.approx([0.25, 0.04, 0.09, 0.16, 0.01], rel=0.2)


def test_split_is_the_analysis_of_variance_in_balanced_data() -> None:
    values = np.random.default_rng(2).normal(size=(12, 5)) + 2 * np.arange(12)[:, None] + np.arange(5)
    rows, columns = (axis.ravel().tolist() for axis in np.indices((12, 5)))
    left = values - values.mean(1)[:, None] - values.mean(0) + values.mean()
    residual = (left**2).sum() / 44
    found = split(values.ravel(), rows, columns)
    assert found.item_by_seed.variance == pytest.approx(residual)
    assert found.item.variance == pytest.approx(values.mean(1).var(ddof=1) - residual / 5)
    assert found.seed.variance == pytest.approx(values.mean(0).var(ddof=1) - residual / 12)
    assert sum(part.share or 0 for part in found.parts) == pytest.approx(1)


def test_what_cannot_be_estimated_says_so() -> None:
    """A seed variance of 0 from one seed would be a claim that training runs do not differ."""
    values, (items, seeds, samples, judgings) = judged(np.random.default_rng(3))
    first = [at for at, seed in enumerate(seeds) if seed == 0]
    one = split(values[first], *([column[at] for at in first] for column in (items, seeds, samples, judgings)))
    assert one.seed.variance is None
    assert "two or more seeds" in one.seed.note
    assert "Includes item x seed" in one.item.note
    assert one.decode.variance is not None
    greedy = [at for at in range(len(values)) if samples[at] == 0 and judgings[at] == 0]
    plain = split(values[greedy], [items[at] for at in greedy], [seeds[at] for at in greedy])
    assert plain.decode.variance is None
    assert plain.judge.variance is None
    assert "re-decode and re-judge" in plain.item_by_seed.note


def test_an_estimate_below_zero_is_shown_as_zero_with_its_value() -> None:
    found = split([0.0, 1.0, 1.0, 0.0], ["a", "a", "b", "b"], [0, 1, 0, 1])
    assert found.item.variance == 0
    assert "The estimate is -" in found.item.note


def test_split_refuses_what_it_cannot_tell_apart() -> None:
    with pytest.raises(InputError, match="samples"):
        split([1.0, 2.0], ["a", "a"], [0, 0])
    with pytest.raises(InputError, match="1 item"):
        split([1.0, 2.0], ["a", "a"], [0, 1])
    with pytest.raises(InputError, match="one of each"):
        split([1.0, 2.0], ["a"], [0, 1])


@pytest.mark.parametrize(("items", "seeds", "comparisons"), [(60, 3, 1), (60, 1, 1), (100, 5, 10)])
def test_an_effect_of_the_detectable_size_is_detected(items: int, seeds: int, comparisons: int) -> None:
    variances = Components(0.25, 0.002 if seeds > 1 else 0.0, 0.25)
    least = float(minimum_detectable(variances, items=items, seeds=seeds, comparisons=comparisons))
    rng, size = np.random.default_rng(4), (3000, seeds, items)
    values = least + rng.normal(0, 0.5, (3000, 1, items)) + rng.normal(0, 0.5, size)
    values += rng.normal(0, variances.seed**0.5, (3000, seeds, 1))
    found = spread(Cells(values, np.ones_like(values)))
    shown = found.mean - half_width(found, 0.05 / comparisons, strict=True) > 0
    assert 0.72 <= shown.mean() <= 0.88


def test_more_items_do_not_help_against_seeds() -> None:
    variances = Components(0.2, 0.01, 0.2)
    designs = {design.seeds: design for design in enough(variances, 0.2, seeds=(1, 2, 5, 10))}
    assert designs[1].holds_for == "these checkpoints"
    assert designs[2].items is None
    assert designs[5].items is not None
    assert designs[10].items is not None
    assert designs[10].items < designs[5].items
    got = float(minimum_detectable(variances, items=designs[10].items, seeds=10))
    assert got <= 0.2 < float(minimum_detectable(variances, items=designs[10].items * 0.9, seeds=10))
    with pytest.raises(InputError, match="effect 0"):
        enough(variances, 0)
    with pytest.raises(InputError, match="seeds 0"):
        minimum_detectable(variances, items=10, seeds=0)


def test_planning_from_a_split() -> None:
    values, labels = judged(np.random.default_rng(5))
    found = components(split(values, *labels))
    assert found.residual == pytest.approx(0.26, rel=0.2)
    assert found.item == pytest.approx(0.25, rel=0.5)


def test_no_spread_says_nothing_about_what_is_detectable() -> None:
    assert math.isnan(float(detectable(spread(Cells(np.zeros((2, 9)), np.ones((2, 9)))))))
