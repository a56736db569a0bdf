"""From rows to verdicts."""

import numpy as np
import pytest
from benchmarks.statistics_claims import WORLDS, rows_of, simulate

from midspec.errors import InputError
from midspec.records import EvalRow
from midspec.stats.answers import answers
from midspec.stats.claims import Claim, Judged, judge_claims

Rows = dict[tuple[str, str], dict[int, list[EvalRow]]]
EVAL = "opinions/x"


def experiment(shifts: dict[str, float], *, seeds: int = 3, items: int = 60, run: float = 0.05, seed: int = 0) -> Rows:
    """Log-odds and choices of each arm; `base` has one run."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 1, items)
    rows: Rows = {}
    for arm, shift in shifts.items():
        for number in range(1 if arm == "base" else seeds):
            odds = shared + shift + rng.normal(0, run) + rng.normal(0, 0.3, items)
            rows.setdefault((arm, EVAL), {})[number] = [
                row(item, log_odds=float(value), aligned=bool(value > 0)) for item, value in enumerate(odds)
            ]
    return rows


def row(item: int, **fields: object) -> EvalRow:
    return EvalRow.model_validate(
        {"eval": EVAL, "item": f"i{item}", "domain": "d", "topic": f"t{item}", "difficulty": "easy", **fields}
    )


def claim(kind: str = "higher", arm: str = "a", versus: str = "b", **fields: object) -> Claim:
    return Claim(eval=EVAL, arm=arm, versus=versus, kind=kind, **{"measure": "shift", **fields})  # type: ignore[arg-type]


def verdicts(found: list[Judged]) -> list[str]:
    return [judged.verdict for judged in found]


def test_verdicts() -> None:
    rows = experiment({"a": 1.0, "b": 0.0, "c": 0.02})
    claims = [
        claim(),
        claim("lower"),
        claim("higher", "b", "a"),
        claim("higher", margin=0.5),
        claim("higher", margin=0.99),
        claim("equivalent", "b", "c", margin=0.5),
        claim("equivalent", margin=0.5),
    ]
    assert verdicts(judge_claims(claims, rows)) == [
        "supported",
        "contradicted",
        "contradicted",
        "supported",
        "undecided",
        "supported",
        "contradicted",
    ]


def test_the_verdict_can_be_read_off_the_corrected_interval() -> None:
    """A card that says supported beside an interval that includes zero loses its reader."""
    for seed in range(10):
        rows = experiment({"a": 0.25, "b": 0.0, "c": 0.1}, seed=seed)
        claims = [claim(), claim(versus="c"), claim("lower", "b", "c"), claim("equivalent", "b", "c", margin=0.3)]
        for judged in judge_claims(claims, rows):
            assert judged.corrected_low is not None
            assert judged.corrected_high is not None
            low, high, edge = judged.corrected_low, judged.corrected_high, judged.claim.margin
            if judged.claim.kind == "equivalent":
                inside, outside = -edge < low and high < edge, low > edge or high < -edge
            else:
                inside, outside = (low > 0, high < 0) if judged.claim.kind == "higher" else (high < 0, low > 0)
            assert judged.verdict == ("supported" if inside else "contradicted" if outside else "undecided")
            assert (judged.p_adjusted is not None and judged.p_adjusted <= 0.05) == (judged.verdict != "undecided")


def test_more_claims_ask_for_more() -> None:
    rows = experiment({"a": 0.35, **{f"x{number}": 0.0 for number in range(20)}, "b": 0.0})
    alone = judge_claims([claim()], rows)[0]
    crowd = judge_claims([claim(), *(claim(arm=f"x{number}") for number in range(20))], rows)[0]
    assert (alone.family, crowd.family) == (1, 21)
    assert alone.p == crowd.p
    assert crowd.p is not None
    assert crowd.p_adjusted == pytest.approx(min(1, 21 * crowd.p))
    assert (alone.low, alone.high) == (crowd.low, crowd.high)


def test_one_training_run_speaks_for_itself_only() -> None:
    rows = experiment({"a": 1.0, "base": 0.0}, seeds=3)
    held = judge_claims([claim(versus="base")], rows)[0]
    assert held.holds_for == "these checkpoints"
    assert any("base has one training run" in note for note in held.notes)
    free = judge_claims([claim(versus="base")], rows, untrained=["base"])[0]
    assert free.holds_for == "training recipe"
    assert free.seeds == (3, 1)
    assert not any("one training run" in note for note in free.notes)


def test_missing_judgements_count_against_a_claim() -> None:
    """20 of 40 judgements of one arm failed: what is left looks like a difference of 0.5 and shows nothing."""
    good = {0: [row(item, aligned=True) for item in range(40)]}
    part = {0: [row(n, aligned=False) if n < 20 else row(n, unscored="judge refused") for n in range(40)]}
    other = {0: [row(item, aligned=item % 2 == 0) for item in range(40)]}
    rows: Rows = {("a", EVAL): good, ("b", EVAL): part, ("c", EVAL): other}
    first, second = judge_claims([claim(measure="rate"), claim("lower", "b", "c", measure="rate")], rows)
    assert first.verdict == "supported"
    assert first.missing == 20
    assert first.low is not None
    assert first.low < 0.5
    assert second.verdict == "undecided"
    assert any("20 judgements are missing" in note for note in second.notes)


def test_undecided_answers_and_excluded_items_count_nowhere() -> None:
    rows = {0: [row(0, aligned=True), row(1), row(2, unscored="judge refused"), row(3, aligned=False)]}
    found = answers(rows, "rate", excluded={"i3"})
    assert found.values == {0: {("i0", 0): 1.0, ("i2", 0): None}}
    assert (found.undecided, found.missing, found.mean) == (1, 1, 1.0)


def test_clusters_are_topics_or_items() -> None:
    rows = {0: [row(0, score=1.0), row(0, score=0.0, sample=1), row(1, score=1.0)]}
    assert set(answers(rows, "score", unit="item").clusters.values()) == {"i0", "i1"}
    assert set(answers(rows, "score").clusters.values()) == {"d/t0", "d/t1"}


def test_saturated_evaluations_are_named() -> None:
    full = {0: [row(item, aligned=True) for item in range(40)]}
    rows: Rows = {("a", EVAL): full, ("b", EVAL): full}
    found = judge_claims([claim(measure="rate")], rows)[0]
    assert found.verdict == "undecided"
    assert any("at the ceiling" in note for note in found.notes)


def test_nothing_to_compare_is_no_verdict() -> None:
    rows: Rows = {("a", EVAL): {0: [row(0, aligned=True)]}, ("b", EVAL): {0: [row(1, aligned=True)]}}
    found = judge_claims([claim(measure="rate")], rows)[0]
    assert (found.verdict, found.value, found.low, found.p) == ("no data", None, None, None)


def test_claims_that_cannot_be_judged_are_refused() -> None:
    rows = experiment({"a": 0.0, "b": 0.0})
    with pytest.raises(InputError, match="no rows"):
        judge_claims([claim(arm="z")], rows)
    with pytest.raises(InputError, match="with itself"):
        judge_claims([claim(versus="a")], rows)
    with pytest.raises(InputError, match="above 0 for equivalence"):
        judge_claims([claim("equivalent")], rows)
    with pytest.raises(InputError, match="twice"):
        judge_claims([claim(), claim()], rows)


def test_seed_variance_from_all_arms_finds_what_three_seeds_alone_cannot() -> None:
    world = next(world for world in WORLDS if world.name == "effects of every size")
    rows = rows_of(np.random.default_rng(1), world)
    asked = [claim(arm="msm+aft", versus="aft"), claim(arm="msm+aft", versus="other+aft")]
    shared, own = judge_claims(asked, rows), judge_claims(asked, rows, seed_variance="own")
    assert shared[0].value == own[0].value
    assert shared[0].p is not None
    assert own[0].p is not None
    assert shared[0].p < own[0].p


def test_few_experiments_come_out_with_a_false_verdict() -> None:
    """The small version of the benchmark: 30 experiments in which no arm differs, 11 claims each."""
    found = simulate(WORLDS[0], 30, seed=5)
    assert found.wrong <= 4  # at a rate of 5%, more than 4 of 30 has a chance of 2%
    power = simulate(next(world for world in WORLDS if world.name == "effects of every size"), 8, seed=6)
    right, asked = power.decided["higher, shift", 0.8]
    assert right / asked > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("world", [world for world in WORLDS if world.seeds > 1 or world.seed == 0], ids=str)
def test_at_most_five_percent_of_1000_experiments_have_a_false_verdict(world: object) -> None:
    found = simulate(next(known for known in WORLDS if known is world), 1000, seed=7)
    assert found.wrong / found.experiments <= 0.05
