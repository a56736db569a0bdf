"""Numbers of evaluations that are no choices: bounds for what is missing, pairs by item, the task's own numbers."""

import random

import pytest

from midspec.evaluation import SCORE, Measure
from midspec.records import EvalRow
from midspec.report.measures import Runs, difference, measured

DECIDED = Measure("decided", SCORE, parts=True)
GRADE = Measure("grade", SCORE, "grade", (1.0, 10.0))


def row(item: str, score: float | None, *, sample: int = 0, domain: str = "leaking", **facets: float | None) -> EvalRow:
    return EvalRow(
        eval="x", item=item, domain=domain, topic="", difficulty="", score=score, sample=sample,
        unscored=None if score is not None else "judge refused", facets={**facets},
    )  # fmt: skip


def runs(*seeds: list[EvalRow], own: dict[str, float | None] | None = None) -> Runs:
    return Runs(dict(enumerate(seeds)), {seed: own or {} for seed in range(len(seeds))})


def test_a_missing_verdict_is_in_the_bounds_and_in_no_mean() -> None:
    rows = [row("a", 1.0), row("b", 1.0), row("c", 0.0), row("d", None)]
    [found] = measured([DECIDED], runs(rows), None)
    assert found.value == pytest.approx(2 / 3)
    assert (found.least, found.most) == (0.5, 0.75)
    assert (found.n, found.items, found.missing, found.reasons) == (4, 4, 1, {"judge refused": 1})
    [grade] = measured([GRADE], runs([row("a", 9.0), row("b", None)]), None)
    assert (grade.value, grade.least, grade.most) == (9.0, 5.0, 9.5)


def test_a_battery_is_taken_apart_by_what_its_rows_are_of_and_clustered_by_topic() -> None:
    """Nats per byte and shares lie in one file; four questions about one passage are one draw, not four."""
    part = Measure("letter", SCORE, of="x/letter", by_topic=True, parts=True)
    plain = part._replace(by_topic=False)
    nats = Measure("nats per byte", SCORE, "number", None, of="x/perplexity", by_topic=True)

    def some(add: float) -> list[EvalRow]:
        asked = [
            row(f"{topic}{n}", float(topic < "d"), domain="d").model_copy(update={"eval": "x/letter", "topic": topic})
            for topic in "abcdef"
            for n in range(4)
        ]
        texts = [
            row(f"p{n}", n + add, domain="other").model_copy(update={"eval": "x/perplexity", "topic": f"p{n}"})
            for n in range(4)
        ]
        return [*asked, *texts]

    share, number = measured([part, nats], runs(some(0.5)), runs(some(1.0)))
    assert (share.n, share.value, number.n, number.value) == (24, 0.5, 4, 2.0)
    assert share.part is None, "another part's domain is none of its own"
    assert (number.change, number.least) == (-0.5, 2.0)
    assert share.change == 0.0
    [narrow] = measured([plain], runs(some(0.5)), None)
    assert share.low is not None and narrow.low is not None and share.low < narrow.low
    unknown = [*some(0.5), row("p9", None, domain="other").model_copy(update={"eval": "x/perplexity", "topic": "p9"})]
    [open_] = measured([nats], runs(unknown), None)
    assert (open_.missing, open_.value, open_.least, open_.most) == (1, 2.0, None, None)


def test_nothing_judged_is_no_number_between_the_ends() -> None:
    """Shown as 0 it would say that no answer was misaligned."""
    [found] = measured([DECIDED], runs([row("a", None), row("b", None)]), None)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert (found.least, found.most) == (0.0, 1.0)


def test_bounds_hold_the_truth_whatever_a_judge_leaves_out() -> None:
    draw = random.Random(1)
    for _ in range(300):
        truth = [float(draw.random() < 0.4) for _ in range(60)]
        # A judge that refuses where it matters most.
        rows = [row(str(at), None if draw.random() < 0.1 + 0.3 * value else value) for at, value in enumerate(truth)]
        [found] = measured([DECIDED], runs(rows), None)
        assert found.least is not None and found.most is not None
        assert found.least <= sum(truth) / 60 <= found.most


def test_parts_follow_their_measure_and_conditions_keep_what_may_hold() -> None:
    rows = [
        row("l/a", 1.0, tool=1.0), row("l/b", 0.0, tool=0.0), row("m/a", None, domain="murder", tool=1.0),
        row("m/b", 1.0, domain="murder", tool=None),
    ]  # fmt: skip
    given = Measure("decided with a tool", SCORE, given=("tool", 1.0))
    found = measured([DECIDED, given], runs(rows), None)
    assert [(one.measure, one.part, one.n) for one in found] == [
        ("decided", None, 4), ("decided", "leaking", 2), ("decided", "murder", 2), ("decided with a tool", None, 3)
    ]  # fmt: skip
    assert (found[3].value, found[3].missing) == (1.0, 1)


def test_changes_are_paired_by_item_over_samples_and_seeds() -> None:
    """Items differ far more than arms do; unpaired, the same data show nothing."""
    base = runs([row(str(at), float(at % 9 + 1)) for at in range(40)])
    arm = runs(*[[row(str(at), float(at % 9 + 1.5 + seed / 100)) for at in range(40)] for seed in range(3)])
    [found] = measured([GRADE], arm, base)
    assert found.change == pytest.approx(0.51)
    assert found.change_low is not None and found.change_low > 0
    assert difference("x", GRADE, ("arm", "base"), (arm, base)).n == 120
    [same] = measured([GRADE], base, None)
    assert same.change is None


def test_samples_of_a_single_item_are_what_is_independent() -> None:
    rows = [row("leaking/none", float(at % 4 == 0), sample=at) for at in range(40)]
    [found] = measured([DECIDED], runs(rows), None)
    assert found.low is not None and found.high is not None and found.low < 0.25 < found.high
    assert found.items == 1


def test_items_found_in_the_training_data_count_nowhere() -> None:
    [found] = measured([GRADE], runs([row("a", 2.0), row("b", 10.0)]), None, {"b"})
    assert (found.value, found.n, found.items) == (2.0, 1, 1)


def test_a_number_of_the_tasks_own_rests_on_seeds_alone() -> None:
    own = Measure("f1", None, "number", None, own=True)
    one = runs([row("a", 1.0), row("b", 0.0)], own={"f1": 0.7})
    [found] = measured([own], one, None)
    assert (found.value, found.low, found.n, found.least) == (0.7, None, 2, 0.7)
    several = Runs({seed: [row("a", 1.0)] for seed in range(3)}, {seed: {"f1": 0.6 + seed / 10} for seed in range(3)})
    [found] = measured([own], several, one)
    assert found.value == pytest.approx(0.7) and found.low is not None and found.low < 0.7
    assert found.change == pytest.approx(0.0)
    nothing = Runs({0: [row("a", 1.0)]}, {0: {"f1": None}})
    assert measured([own], nothing, None)[0].value is None


def test_a_tasks_own_mean_has_the_interval_of_its_rows() -> None:
    own = Measure("accuracy", "match", "share", (0.0, 1.0), own=True)
    some = runs([row(str(at), 1.0, match=float(at < 15)) for at in range(20)], own={"accuracy": 0.75})
    [found] = measured([own], some, None)
    assert found.value == 0.75 and found.low is not None and 0.5 < found.low < 0.75
