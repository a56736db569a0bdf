"""What steps warn of is told once, however many seeds it happened to."""

from typing import Any

from midspec.report.collect import step_warnings
from midspec.steps.record import StepRecord


def record(kind: str, name: str, *warnings: str) -> StepRecord:
    empty: dict[str, Any] = {"fingerprint": "0", "function": "f", "version": 1, "config": {}, "inputs": {}, "files": {}}
    return StepRecord(
        kind=kind, name=name, summary={"warnings": list(warnings)}, started="", seconds=0.0, resumed=False, **empty
    )


def test_seeds_of_one_training_are_one_warning() -> None:
    records = [
        record("gate", "contamination", "2 items"),
        record("midtrain", "a-seed0", "short", "odd"),
        record("midtrain", "a-seed1", "short"),
        record("midtrain", "a-seed-like", "short"),
        record("midtrain", "b-seed1", "short"),
        record("corpus-gate", "a", "phrases"),
        record("evaluate", "x"),
    ]
    assert step_warnings(records) == [
        "gate contamination: 2 items",
        "midtrain a (2 seeds): short",
        "midtrain a-seed0: odd",
        "midtrain a-seed-like: short",
        "midtrain b-seed1: short",
    ]
