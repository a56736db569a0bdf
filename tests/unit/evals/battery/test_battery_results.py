"""Numbers from rows: bounds of what is missing, and changes on the items that both answered."""

import pytest

from midspec.evals.battery.results import OVERALL, changes, measures
from midspec.records import EvalRow


def row(item: str, score: float | None, *, name: str = "capability/knowledge", **more: object) -> EvalRow:
    values = {"domain": "d", "topic": item, "difficulty": "", "unscored": None if score is not None else "undecided"}
    return EvalRow.model_validate({"eval": name, "item": item, "score": score, **values, **more})


def test_what_is_missing_widens_bounds_and_moves_no_mean() -> None:
    rows = [row(f"{n}", float(n % 2)) for n in range(8)] + [row("8", None), row("9", None)]
    [found] = measures(rows)
    assert (found.n, found.missing, found.mean) == (8, 2, 0.5)
    assert (found.least, found.most) == (0.4, 0.6)


def test_domains_stand_below_the_whole() -> None:
    rows = [row("1", 1.0), row("2", 0.0, domain="e")]
    assert [(one.group, one.mean) for one in measures(rows)] == [(OVERALL, 0.5), ("d", 1.0), ("e", 0.0)]


def test_nats_have_no_bounds_of_shares() -> None:
    [found] = measures([row(f"{n}", 1.5 + n, name="capability/perplexity") for n in range(3)])
    assert found.mean == 2.5
    assert found.least is None
    assert found.high is not None
    assert found.high > 1


def test_changes_pair_by_item_and_leave_out_what_one_lacks() -> None:
    """A difference of two means would count the items that only one of them answered."""
    parent = [row("1", 0.0), row("2", 1.0), row("3", None), row("4", 1.0)]
    rows = [row("1", 1.0), row("2", 1.0), row("3", 1.0), row("4", None), row("5", 1.0, name="other")]
    [found] = changes(rows, parent)
    assert (found.eval, found.n, found.difference) == ("capability/knowledge", 2, 0.5)
    assert found.shift is None


def test_samples_of_an_item_count_by_their_mean() -> None:
    rows = [row("1", 1.0), row("1", 0.0, sample=1), row("2", 1.0)]
    [found] = changes(rows, [row("1", 0.0), row("2", 0.0)])
    assert found.difference == pytest.approx(0.75)


def test_an_arm_against_itself_changes_nothing() -> None:
    rows = [row(f"{n}", float(n % 3 == 0), log_odds=n / 2) for n in range(9)]
    [found] = changes(rows, rows)
    assert (found.n, found.difference, found.shift) == (9, 0, 0)
