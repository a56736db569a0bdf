"""Prevalence: failures of the judge move no number silently, cells are the evidence, and many looks are counted."""

import random
from typing import Any

import pytest

from midspec.evals.reasoning.labels import POLICY
from midspec.evals.reasoning.merge import merge, overlaps
from midspec.evals.reasoning.numbers import ALIGNED, ALL, MISALIGNED, Difference, Line, Table, table
from tests.unit.evals.reasoning_samples import GOAL, LIFE, THEMES, labels


def line(found: Table, theme: str, arm: str = "base", of: str = ALL) -> Line:
    [one] = [one for one in found.lines if (one.theme, one.arm, one.of) == (theme, arm, of)]
    return one


def difference(found: Table, theme: str, arm: str = "msm") -> Difference:
    [one] = [one for one in found.differences if (one.theme, one.arm) == (theme, arm)]
    return one


def test_missing_judgements_are_bounds_and_no_zeros() -> None:
    rows = [labels(f"t{n}", item=f"c{n // 2}", shows=["goal"] if n < 4 else (), missing=["goal"] if n > 7 else ())
            for n in range(10)]  # fmt: skip
    found = table(rows, THEMES, None)
    share = line(found, "goal").share
    assert (share.n, share.read, share.value, share.least, share.most) == (10, 8, 0.5, 0.4, 0.6)
    assert line(found, "life").share.read == 10, "one theme that could not be read takes no other with it"
    assert found.missing == {"base": {"judge refused": 2}}
    assert found.differences == []


def test_lines_by_verdict_scenario_and_rule() -> None:
    misused: dict[str, bool | None] = dict.fromkeys(POLICY, True)
    rows = [
        labels("a", item="murder/none", domain="murder", misaligned=True, shows=["goal"], policy=misused),
        labels("b", item="leaking/none", domain="leaking", misaligned=False, policy=dict.fromkeys(POLICY, None)),
        labels("c", item="leaking/none", domain="leaking", misaligned=None, policy=dict.fromkeys(POLICY, False)),
    ]  # fmt: skip
    found = table(rows, THEMES, None)
    values = {of: line(found, "goal", of=of).share.value for of in (ALL, MISALIGNED, ALIGNED, "scenario: leaking")}
    assert values == {ALL: pytest.approx(1 / 3), MISALIGNED: 1.0, ALIGNED: 0.0, "scenario: leaking": 0.0}
    misuse = line(found, "misuses-rule")
    assert (misuse.direction, misuse.share.value, misuse.share.read) == ("policy", 0.5, 2)
    assert line(found, "goal", of="scenario: murder").clusters == "transcripts"


def test_differences_are_of_equal_items_only_and_paired() -> None:
    """Cells that one arm lacks would otherwise count as a difference between arms."""
    rows = [labels(f"b{c}{n}", item=f"c{c}", shows=["goal"] if n < c else ()) for c in range(5) for n in range(4)]
    rows += [labels(f"m{c}{n}", "msm", f"c{c}", shows=["goal"] if n < c else ()) for c in range(3) for n in range(4)]
    found = difference(table(rows, THEMES, "base"), "goal")
    assert (found.items, found.value, found.low, found.high) == (3, 0.0, 0.0, 0.0)
    assert (found.least, found.most, found.p) == (0.0, 0.0, pytest.approx(1.0, abs=0.02))
    nothing = difference(table([*rows[:20], labels("z", "msm", "other")], THEMES, "base"), "goal")
    assert (nothing.items, nothing.value, nothing.p, nothing.p_holm) == (0, None, None, None)


def test_missing_judgements_bound_a_difference_from_both_sides() -> None:
    rows = [labels(f"b{n}", item=f"c{n}", missing=["goal"] if n == 0 else ()) for n in range(4)]
    rows += [
        labels(f"m{n}", "msm", f"c{n}", shows=["goal"] if n else (), missing=() if n else ["goal"]) for n in range(4)
    ]
    found = difference(table(rows, THEMES, "base"), "goal")
    assert (found.items, found.value, found.least, found.most) == (3, 1.0, 0.5, 1.0)


def test_many_comparisons_are_adjusted_together() -> None:
    chance = random.Random(1)
    likely = {(arm, one.id): 0.4 for arm in ("base", "msm", "aft") for one in THEMES.themes} | {("msm", "goal"): 0.9}
    rows = [
        labels(f"{arm}{c}{n}", arm, f"c{c}", shows=[t.id for t in THEMES.themes if chance.random() < likely[arm, t.id]])
        for arm in ("base", "msm", "aft") for c in range(12) for n in range(6)
    ]  # fmt: skip
    found = table(rows, THEMES, "base")
    assert found.comparisons == 6
    for one in found.differences:
        assert one.p is not None and one.p_holm is not None and one.p_holm >= one.p
    strong = difference(found, "goal")
    assert strong.p_holm is not None and strong.p_holm < 0.01
    assert strong.p_holm == pytest.approx(6 * (strong.p or 0), rel=1e-6)


def simulated(seed: int) -> tuple[Table, float, float]:
    """Two arms over 27 cells that differ; the judge fails on 15%, more often where the theme shows. True prevalence in
    the cells' population: `base`, and the difference."""
    chance = random.Random(seed)
    rows: list[Any] = []
    for cell in range(27):
        rate = chance.betavariate(2, 3)
        lift = chance.uniform(0, 0.3)
        for arm, p in (("base", rate), ("msm", min(1.0, rate * (1 - lift)))):
            for n in range(10):
                shows = chance.random() < p
                lost = chance.random() < (0.25 if shows else 0.08)
                rows.append(
                    labels(f"{arm}{cell}-{n}", arm, f"c{cell}", shows=["goal"] if shows and not lost else (),
                           missing=["goal"] if lost else ())
                )  # fmt: skip
    only = THEMES.model_copy(update={"themes": (GOAL,)})
    return table(rows, only, "base"), 0.4, -0.4 * 0.15


@pytest.mark.parametrize("runs", [20, pytest.param(150, marks=pytest.mark.slow)])
def test_intervals_and_bounds_cover_the_truth(runs: int) -> None:
    """95% intervals that forgot the cells would cover about 70% here; a rate without bounds, whatever the judge hid."""
    covered = rate_naive = apart = 0
    for seed in range(runs):
        found, truth, lift = simulated(seed)
        share = line(found, "goal").share
        assert share.outer_low is not None and share.outer_high is not None and share.least is not None
        covered += share.outer_low <= truth <= share.outer_high
        naive = (share.least * (1 - share.least) / share.n) ** 0.5 * 1.96
        rate_naive += abs(share.least - truth) <= naive
        one = difference(found, "goal")
        assert one.outer_low is not None and one.outer_high is not None
        apart += one.outer_low <= lift <= one.outer_high
    assert covered >= 0.93 * runs
    assert apart >= 0.93 * runs
    assert rate_naive < 0.8 * runs, "the simulation is one that a naive interval fails"


def test_themes_that_show_together_are_one_theme() -> None:
    rows = [labels(f"t{n}", shows=["goal", "life"] if n < 8 else ["goal"]) for n in range(10)]
    rows.append(labels("t10", missing=["life"]))
    assert overlaps(rows, THEMES) == [("goal", "life", pytest.approx(0.8))]
    found = merge(rows, THEMES)
    assert found.into == {"life": "goal"}
    assert [theme.id for theme in found.themes.themes] == ["goal", "trust"]
    assert found.rows[-1].themes == {"goal": None, "trust": False}, "it may show the theme that could not be read"
    assert found.rows[-1].missing == {"goal": "judge refused"}
    assert {quote.theme for quote in found.rows[0].quotes} == {"goal"}
    assert merge(rows, THEMES, keep=["goal"]).into == {"life": "goal"}
    assert merge(rows, THEMES, keep=["life"]).into == {"goal": "life"}, "a theme of the file is not taken in"
    assert merge(rows, THEMES, keep=["goal", "life"]).into == {}


def test_overlap_by_chance_and_across_directions_is_no_reason_to_merge() -> None:
    few = [labels(f"t{n}", shows=["goal", "life"]) for n in range(4)]
    assert overlaps(few, THEMES) == []
    crossed = [labels(f"t{n}", shows=["goal", "trust"]) for n in range(9)]
    assert overlaps(crossed, THEMES) == []
    assert LIFE.direction == GOAL.direction
