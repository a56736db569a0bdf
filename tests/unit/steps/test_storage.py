"""Steps in a shared place: whole or not there, and errors say what to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, StoreError
from midspec.experiment import ComputeConfig, CorpusConfig
from midspec.steps import Context, Step, Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter
from midspec.steps.storage import Storage


def work(context: Context) -> Mapping[str, Any]:
    (context.folder / "checkpoint").mkdir()
    (context.folder / "checkpoint" / "weights").write_bytes(b"w" * 100)
    return {}


STEP = Step(kind="midtrain", name="a", function=f"{__name__}:work", config=CorpusConfig(), version=1)


@pytest.fixture
def done(tmp_path: Path) -> Store:
    store = Store(tmp_path / "here")
    with Reporter() as reporter:
        run_steps([STEP], store, ComputeConfig(), reporter)
    return store


def test_what_is_pushed_can_be_pulled_bit_by_bit(done: Store, tmp_path: Path) -> None:
    storage, other = Storage(f"file://{tmp_path}/bucket"), Store(tmp_path / "there")
    assert not storage.pull(STEP, other)
    storage.push(STEP, done)
    assert storage.holds(STEP)
    assert storage.pull(STEP, other)
    first, second = done.find(STEP), other.find(STEP)
    assert first is not None
    assert second is not None
    for name in ("record.json", "checkpoint/weights"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_half_a_push_is_nothing(done: Store, tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/bucket")
    storage.push(STEP, done)
    place = tmp_path / "bucket" / "midtrain" / STEP.folder_name
    (place / "record.json").unlink()
    assert not storage.holds(STEP)
    storage.push(STEP, done)
    (place / "checkpoint" / "weights").unlink()
    other = Store(tmp_path / "there")
    with pytest.raises(StoreError, match="cannot be copied from"):
        storage.pull(STEP, other)
    assert not any((tmp_path / "there").glob("steps/*/*"))
    (place / "record.json").write_text("{}")
    with pytest.raises(StoreError, match="is no record of a step"):
        storage.pull(STEP, other)


def test_a_damaged_copy_is_replaced(done: Store, tmp_path: Path) -> None:
    storage, other = Storage(f"file://{tmp_path}/bucket"), Store(tmp_path / "there")
    storage.push(STEP, done)
    storage.pull(STEP, other)
    (other.steps / "midtrain" / STEP.folder_name / "checkpoint" / "weights").unlink()
    assert storage.pull(STEP, other)
    assert other.find(STEP) is not None


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InputError, match="storage 'nowhere://x' cannot be reached"):
        Storage("nowhere://x")
