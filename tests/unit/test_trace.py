"""Items of a user's own bank are traced like packaged ones, also when the bank is gone."""

from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.evals.banks import load_bank
from midspec.records import EvalRow, write_rows
from midspec.steps import Store
from midspec.steps.record import StepRecord
from midspec.trace import trace


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A workspace in which one item of the reader's bank `mine.jsonl` was asked."""
    item = load_bank("plain", "america")[0].model_copy(update={"id": "mine-1", "question": "Which kite is best?"})
    bank = tmp_path / "mine.jsonl"
    write_rows(bank, [item])
    folder = tmp_path / "steps" / "evaluate" / "arm-abc"
    folder.mkdir(parents=True)
    row = EvalRow(
        eval="plain/mine.jsonl", item="mine-1", domain=item.domain, topic=item.topic, difficulty=item.difficulty,
        log_odds=1.5, aligned=True, by_order=(True,), answers=(),
    )  # fmt: skip
    write_rows(folder / "rows.jsonl", [row])
    record = StepRecord(
        kind="evaluate", name="arm", fingerprint="abc", function="f", version=1,
        config={"eval": {"task": "plain", "value": str(bank)}}, inputs={}, summary={}, files={}, started="2026",
        seconds=1.0, resumed=False,
    )  # fmt: skip
    (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    return tmp_path


def test_an_item_of_ones_own_bank(asked: Path) -> None:
    found = trace(Store(asked), "mine-1")
    assert found["question"] == "Which kite is best?" and found["kind"] == "evaluation item"
    assert [answer["log_odds"] for answer in found["answers"]] == [1.5]


def test_an_item_whose_bank_is_gone(asked: Path) -> None:
    (asked / "mine.jsonl").unlink()
    found = trace(Store(asked), "mine-1")
    assert found["id"] == "mine-1" and found["answers"][0]["step"] == "evaluate/arm-abc"


def test_an_id_that_nothing_has(asked: Path) -> None:
    with pytest.raises(InputError, match="'mine-2'"):
        trace(Store(asked), "mine-2")
