"""Published results stand in for steps as results, never as inputs, and an archive is whole or refused."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, StoreError
from midspec.experiment import ComputeConfig, CorpusConfig
from midspec.steps import Context, Step, Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter
from midspec.steps.published import publish

MADE: list[str] = []


def train(context: Context) -> Mapping[str, Any]:
    MADE.append("train")
    (context.folder / "checkpoint").mkdir()
    (context.folder / "checkpoint" / "weights").write_bytes(b"0" * 1000)
    (context.folder / "log.jsonl").write_text("{}\n")
    return {"updates": 3}


def evaluate(context: Context) -> Mapping[str, Any]:
    MADE.append("evaluate")
    weights = (context.inputs["checkpoint"] / "checkpoint" / "weights").read_bytes()
    (context.folder / "rows.jsonl").write_text(f"{len(weights)}\n")
    return {}


def chain(seed: int = 0) -> tuple[Step, Step]:
    first = Step(kind="midtrain", name="a", function=f"{__name__}:train", config=CorpusConfig(seed=seed), version=1)
    return first, evaluation(first, "plain")


def evaluation(of: Step, name: str) -> Step:
    return Step(
        kind="evaluate",
        name=name,
        function=f"{__name__}:evaluate",
        config=CorpusConfig(documents=len(name)),
        version=1,
        inputs={"checkpoint": of},
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Results of `chain()`, made in another workspace."""
    store = Store(tmp_path / "there")
    steps = chain()
    with Reporter() as reporter:
        run_steps(steps, store, ComputeConfig(), reporter)
    MADE.clear()
    folders = [folder for step in steps if (folder := store.find(step))]
    assert publish(folders, tmp_path / "a.zip") == 2
    return tmp_path / "a.zip"


def make(store: Store, *steps: Step) -> int:
    with Reporter() as reporter:
        return run_steps(steps, store, ComputeConfig(), reporter)


def test_published_results_are_not_made_again(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "here", str(archive))
    first, last = chain()
    assert make(store, first, last) == 0
    assert MADE == []
    assert [store.state(step) for step in (first, last)] == ["published", "published"]
    rows = store.result(last)
    assert rows is not None
    assert (rows / "rows.jsonl").read_text() == "1000\n"
    curve = store.result(first)
    assert curve is not None
    assert (curve / "log.jsonl").exists()
    assert not (curve / "checkpoint").exists()
    assert store.record(curve).summary == {"updates": 3}
    assert store.find(first) is None


def test_what_needs_the_weights_makes_the_step_again(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "here", str(archive))
    first, last = chain()
    more = evaluation(first, "another")
    assert [step.name for step in store.to_make([first, last, more])] == ["a", "another"]
    assert make(store, first, last, more) == 2
    assert MADE == ["train", "evaluate"]
    assert store.state(first) == "done"
    MADE.clear()


def test_another_seed_is_made(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "here", str(archive))
    assert make(store, *chain(), *chain(seed=1)) == 2
    assert MADE == ["train", "evaluate"]
    MADE.clear()


def test_a_result_that_is_done_needs_no_inputs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, last = chain()
    make(store, last)
    MADE.clear()
    folder = store.find(first)
    assert folder is not None
    (folder / "checkpoint" / "weights").unlink()
    assert make(store, last) == 0
    assert make(store, first, last) == 1
    assert MADE == ["train"]
    MADE.clear()


def test_the_same_results_make_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    folders = list((tmp_path / "there/steps").glob("[a-z]*/*"))
    publish(folders[::-1], tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == archive.read_bytes()


def test_bad_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nothing' are not there; expected a file or one of the packaged"):
        Store(tmp_path, "nothing")
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(InputError, match="cannot be read"):
        Store(tmp_path, str(tmp_path / "text.zip"))
    for member in ("../../etc/passwd", "evaluate/x-0123456789abcdef/../../../y", "evaluate/short/rows.jsonl"):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
            file.writestr(member, "x")
        with pytest.raises(InputError, match="no file of a step"):
            Store(tmp_path, str(tmp_path / "bad.zip"))


def test_a_damaged_archive_leaves_nothing_half_unpacked(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        entry = next(info for info in file.infolist() if info.filename.endswith("rows.jsonl"))
    start = entry.header_offset + 30 + len(entry.filename)
    data[start] ^= 0xFF
    archive.write_bytes(bytes(data))
    store = Store(tmp_path / "here", str(archive))
    with pytest.raises(StoreError, match=r"damaged at evaluate/.*get it again"):
        store.result(chain()[1])
    assert not any((tmp_path / "here/steps/.published").glob("evaluate/[!.]*"))


def test_only_finished_steps_can_be_published(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(StoreError, match="no finished step"):
        publish([tmp_path / "x"], tmp_path / "c.zip")
    assert not list(tmp_path.glob("*c.zip*"))
