"""A table must say where an arm was simply trained more than the one it is compared with."""

from typing import Any

import pytest

from midspec.matching import Amount, amounts, matching, trainers
from midspec.steps.record import StepRecord


def run(midtrain: tuple[int, int] | None, *finetune: tuple[int, int]) -> list[tuple[str, dict[str, Any]]]:
    steps = [("midtrain", midtrain)] if midtrain else []
    steps += [("finetune", one) for one in finetune]
    return [(kind, {"tokens": one[0], "updates": one[1], "warnings": []}) for kind, one in steps]


def words(arm: list[tuple[str, dict[str, Any]]], versus: list[tuple[str, dict[str, Any]]]) -> str:
    trained = {"a": amounts([arm]), "b": amounts([versus])}
    return matching([("a", "b")], trained)["a", "b"].words


def test_amounts_are_means_over_seeds_by_stage() -> None:
    found = amounts([run((1000, 10), (50, 4), (20, 2)), run((1010, 11), (60, 6), (20, 2))])
    assert found == {"midtraining": Amount(1005, 10.5), "fine-tuning": Amount(55, 5), "further training": Amount(20, 2)}
    assert amounts([[], []]) == {}


@pytest.mark.parametrize(
    ("arm", "versus"),
    [
        (run((112_000, 55), (9000, 72)), run((112_000, 55), (9000, 72))),
        (run((112_000, 55), (9000, 72)), run((111_000, 54), (9100, 73))),
        (run((2000, 1), (900, 2)), run((2000, 2), (900, 2))),
        ([], []),
    ],
)
def test_equal_training_is_matched(arm: Any, versus: Any) -> None:
    assert words(arm, versus) == "matched in tokens and updates"


@pytest.mark.parametrize(
    ("arm", "versus", "said"),
    [
        (
            run((8_000_000, 61), (9000, 72)), run((4_600_000, 35), (9000, 72)),
            "midtraining: 8,000,000 tokens in 61 updates against 4,600,000 tokens in 35 updates",
        ),
        (run((112_000, 55), (9000, 72)), run((112_000, 27), (9000, 72)), "in 55 updates against 112,000 tokens in 27"),
        (run((112_000, 55), (9000, 72)), run(None, (9000, 72)), "midtraining: 112,000 tokens in 55 updates against no"),
        (run(None, (9000, 72)), [], "fine-tuning: 9,000 tokens in 72 updates against none"),
        (run(None, (9000, 72), (500, 4)), run(None, (9000, 72)), "further training: 500 tokens"),
    ],
)  # fmt: skip
def test_what_was_trained_more_is_said_with_numbers(arm: Any, versus: Any, said: str) -> None:
    assert words(arm, versus).startswith("not matched: ") and said in words(arm, versus)
    assert words(arm, versus).count("against") == 1, "stages that are alike are not listed"


def record(name: str, **changes: Any) -> StepRecord:
    given: dict[str, Any] = {
        "kind": "finetune", "name": name, "fingerprint": "f" * 16, "function": "x:y", "version": 2, "config": {},
        "inputs": {}, "summary": {}, "files": {}, "started": "", "seconds": 1.0, "resumed": False,
        "packages": {"torch": "2.5", "peft": "0.19", "numpy": "2"},
    }  # fmt: skip
    return StepRecord(**{**given, **changes})


def test_two_trainers_in_one_table_are_found() -> None:
    same = [record("a"), record("b"), record("c", kind="midtrain", version=1), record("d", kind="evaluate", version=9)]
    assert list(trainers(same)) == ["torch 2.5, peft 0.19"]
    other = trainers([*same, record("e", packages={"torch": "2.6"}), record("f", version=1)])
    assert other["torch 2.6"] == ["finetune/e-" + "f" * 16]
    assert list(other)[-1].startswith("finetune version 1, ")
