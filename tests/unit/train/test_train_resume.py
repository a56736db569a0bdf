"""A killed run goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from train_doubles import losses, midtrain_context, small, write_corpus

from midspec.train import checkpoints
from midspec.train.step import midtrain

SETTINGS = {
    # Dropout draws random numbers at every update, so that a lost generator state shows.
    "lora": {"dropout": 0.2, "precision": "fp32"},
    "full": {"method": "full", "precision": "bf16"},
}

KILLED = """
import json, os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from train_doubles import midtrain_context, small
from midspec.steps.progress import Silent
from midspec.train import checkpoints
from midspec.train.step import midtrain

folder, corpus, when, update = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Progress(Silent):
    seen = 0
    def advance(self, count=1):
        self.seen += 1
        if when == "update" and self.seen == update: die()

mark = checkpoints.mark_complete
def killed_mark(path):
    if when == "save" and path.name == f"checkpoint-{update}": die()
    mark(path)
checkpoints.mark_complete = killed_mark

keep = checkpoints.keep_last
def killed_keep(root, count):
    if when == "prune" and (root / f"checkpoint-{update}").exists(): die()
    keep(root, count)
checkpoints.keep_last = killed_keep

midtrain(midtrain_context(folder, corpus, small(**json.loads(sys.argv[5])), progress=Progress()))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), 40)


@pytest.fixture(scope="module")
def unbroken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[float], str]]:
    results: dict[str, tuple[list[float], str]] = {}
    for method, settings in SETTINGS.items():
        folder = tmp_path_factory.mktemp(method)
        summary = midtrain(midtrain_context(folder, corpus, small(**settings)))
        assert summary["updates"] > 8
        results[method] = losses(folder), summary["sha256"]
    return results


def kill_at(folder: Path, corpus: Path, method: str, when: str, update: int) -> None:
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", KILLED, str(folder), str(corpus), when, str(update), json.dumps(SETTINGS[method])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("method", "when", "update", "goes_on_from"),
    [
        ("lora", "update", 2, None),  # before the first checkpoint
        ("lora", "update", 8, 6),  # two updates after one: their log lines are written again
        ("lora", "save", 6, 3),  # in the middle of a save: the half-written checkpoint is not used
        ("lora", "prune", 6, 6),  # after a save, before older ones are removed
        ("full", "update", 8, 6),
    ],
)
def test_a_killed_run_ends_bit_for_bit_like_an_unbroken_one(
    method: str,
    when: str,
    update: int,
    goes_on_from: int | None,
    corpus: Path,
    unbroken: dict[str, tuple[list[float], str]],
    tmp_path: Path,
) -> None:
    # Guards: resume that repeats or skips data, restarts the schedule, or loses optimizer or generator state.
    folder = tmp_path / "work"
    kill_at(folder, corpus, method, when, update)
    expected, sha256 = unbroken[method]
    assert 0 < len(losses(folder)) < len(expected)
    found = checkpoints.latest(folder / checkpoints.FOLDER)
    assert (found and found[0]) == goes_on_from

    summary = midtrain(midtrain_context(folder, corpus, small(**SETTINGS[method])))
    assert losses(folder) == expected
    assert summary["sha256"] == sha256
    assert not (folder / checkpoints.FOLDER).exists()


def whole(root: Path, update: int) -> Path:
    folder = root / f"checkpoint-{update}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"0123456789")
    checkpoints.mark_complete(folder)
    return folder


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    # Guards: checkpoint-99 taken for later than checkpoint-198 (PAPER.md, 5.23).
    for update in (99, 198, 1000, 20):
        whole(tmp_path, update)
    checkpoints.keep_last(tmp_path, 2)
    assert list(checkpoints.numbered(tmp_path)) == [198, 1000]
    assert checkpoints.latest(tmp_path) == (1000, tmp_path / "checkpoint-1000")


@pytest.mark.parametrize("damage", ["cut", "remove", "mark", "unmarked"])
def test_a_checkpoint_that_is_not_whole_is_never_used(damage: str, tmp_path: Path) -> None:
    # Guards: a resume from half a file after a power cut.
    whole(tmp_path, 1)
    folder = whole(tmp_path, 2)
    if damage == "cut":
        (folder / "weights").write_bytes(b"01234")
    elif damage == "remove":
        (folder / "weights").unlink()
    elif damage == "mark":
        (folder / checkpoints.MARK).write_text(json.dumps({"weights": 10})[:-3])
    else:
        (folder / checkpoints.MARK).unlink()
    found = checkpoints.latest(tmp_path)
    assert found is not None and found[0] == 1
    assert not folder.exists()
