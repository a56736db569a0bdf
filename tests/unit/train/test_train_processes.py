"""Several processes train as one does: same losses, same weights, also after kills; and they end together."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file
from train_doubles import losses, midtrain_context, small, write_corpus

from midspec.errors import InputError, StepError
from midspec.experiment import TrainConfig
from midspec.steps.progress import Silent
from midspec.train import checkpoints, launch
from midspec.train.distributed import Processes
from midspec.train.models import ModelRef, resolve
from midspec.train.step import midtrain

TOLERANCE = 5e-6
"""Nats. float32 sums over two processes are rounded in another order; losses here are about 5."""

SETTINGS = {"precision": "fp32", "dropout": 0.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # 70 documents make 61 sequences: the last update has one, which two processes cannot share.
    return write_corpus(tmp_path_factory.mktemp("corpus"), 70)


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """What one process made of the corpus, by method."""

    @cache
    def trained(method: str) -> Path:
        folder = tmp_path_factory.mktemp(method)
        summary = midtrain(midtrain_context(folder, corpus, small(method=method, **SETTINGS)))
        record = json.loads((folder / "training.json").read_text())
        assert summary["updates"] > 15 and record["preflight"]["sequences"] % 4 == 1
        return folder

    return trained


def same(folder: Path, expected: Path) -> None:
    """The losses, the weights and the order of documents that one process had."""
    assert losses(folder) == pytest.approx(losses(expected), abs=TOLERANCE)
    assert (folder / "order.jsonl").read_bytes() == (expected / "order.jsonl").read_bytes()
    (weights,) = (expected / "checkpoint").glob("*.safetensors")
    ours, theirs = load_file(folder / "checkpoint" / weights.name), load_file(weights)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype
        # Adam divides by gradients that are nearly zero at the start, where rounding shows most.
        assert (ours[name] - tensor).abs().max() < 2e-4, name
    left = {path.name for path in folder.iterdir()}
    assert left == {"checkpoint", "metrics.jsonl", "order.jsonl", "training.json"}


class Killer(Silent):
    """Kills at an update, as the out-of-memory killer does."""

    def __init__(self, update: int, rank: int | None = None) -> None:
        self.update, self.rank, self.seen = update, rank, 0
        self.workers: list[psutil.Process] = []

    def advance(self, count: int = 1) -> None:
        self.seen += 1
        if self.seen != self.update:
            return
        self.workers = psutil.Process().children()
        assert len(self.workers) == 2
        if self.rank is not None:
            (victim,) = (worker for worker in self.workers if worker.environ()["RANK"] == str(self.rank))
            victim.kill()


def gone(processes: list[psutil.Process], seconds: float = 60) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def lost(rank: int, folder: Path, corpus: Path, train: TrainConfig, **compute: Any) -> Path:
    """Train in `folder` until process `rank` of two is killed midway; the checkpoint that is left."""
    killer = Killer(update=random.randint(4, 9), rank=rank)
    with pytest.raises(StepError, match=f"training process {rank} of 2 was ended by SIGKILL"):
        midtrain(midtrain_context(folder, corpus, train, progress=killer, **compute))
    assert killer.workers and gone(killer.workers)
    found = checkpoints.latest(folder / checkpoints.FOLDER)
    assert found is not None, f"killed at update {killer.update}"
    return found[1]


METHODS = ["lora", pytest.param("full", marks=pytest.mark.slow)]


@pytest.mark.parametrize("method", METHODS)
def test_two_copies_train_as_one_process(
    method: str, corpus: Path, alone: Callable[[str], Path], tmp_path: Path
) -> None:
    # Guards: gradients averaged over processes instead of tokens, repeated rows at the end, another order of data.
    summary = midtrain(midtrain_context(tmp_path, corpus, small(method=method, **SETTINGS), gpus=2, micro_batch=1))
    same(tmp_path, alone(method))
    record = json.loads((tmp_path / "training.json").read_text())
    assert summary["sha256"] == record["sha256"]
    assert record["preflight"]["batch_size"] == 4 and record["preflight"]["micro_batch"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_sharded_run_that_lost_a_process_goes_on_as_if_nothing_had_happened(
    method: str, corpus: Path, alone: Callable[[str], Path], tmp_path: Path
) -> None:
    # Guards: processes that outlive the one that died; sharded checkpoints that lose optimizer state or repeat data.
    train = small(method=method, **SETTINGS)
    compute: dict[str, Any] = {"gpus": 2, "strategy": "fsdp", "checkpoint_every": 2}
    checkpoint = lost(1, tmp_path, corpus, train, **compute)
    shards = {path.name for path in checkpoint.glob("pytorch_model_fsdp_0/*.distcp")}
    assert shards == {"__0_0.distcp", "__1_0.distcp"}, "each process writes the part that it holds"

    with pytest.raises(InputError, match="interrupted under strategy fsdp, and cannot go on under one process"):
        midtrain(midtrain_context(tmp_path, corpus, train))
    midtrain(midtrain_context(tmp_path, corpus, train, **compute))
    same(tmp_path, alone(method))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_copies_that_lost_the_first_of_them_go_on_as_if_nothing_had_happened(
    method: str, corpus: Path, alone: Callable[[str], Path], tmp_path: Path
) -> None:
    # Guards: a checkpoint trusted that its writer was killed in; log lines lost or written twice.
    train = small(method=method, **SETTINGS)
    compute: dict[str, Any] = {"gpus": 2, "strategy": "ddp", "checkpoint_every": 2}
    lost(0, tmp_path, corpus, train, **compute)
    midtrain(midtrain_context(tmp_path, corpus, train, **compute))
    same(tmp_path, alone(method))


def test_what_one_process_reports_is_what_the_launcher_raises(tmp_path: Path) -> None:
    # Guards: an error of the recipe that reaches its author as a traceback of PyTorch's launcher, or as a consequence
    # of it in another process.
    class Result:
        failures: dict[int, Any] = {}  # noqa: RUF012
        stderrs: dict[int, str] = {}  # noqa: RUF012

    environments = {0: {"WORLD_SIZE": "2"}, 1: {"WORLD_SIZE": "2"}}
    with pytest.MonkeyPatch.context() as patch:
        for rank, error, when in ((0, RuntimeError("Connection closed by peer"), 1.0), (1, KeyError("x"), 0.5)):
            patch.setattr(launch, "here", lambda rank=rank: Processes(rank, rank, 2))
            launch.failed_in(tmp_path, error, "Traceback ...", when)
        told = launch.failure(tmp_path, 0, Result(), environments)
        assert isinstance(told, StepError) and "training process 1 of 2 failed: 'x'" in str(told)
        patch.setattr(launch, "here", lambda: Processes(0, 0, 2))
        launch.failed_in(tmp_path, InputError("method is full"), "Traceback ...", 2.0)
    told = launch.failure(tmp_path, 0, Result(), environments)
    assert isinstance(told, InputError) and str(told) == "method is full"


@pytest.mark.slow
def test_an_error_in_a_process_is_shown_and_ends_all(corpus: Path, tmp_path: Path) -> None:
    lost = ModelRef.model_validate({**resolve("tiny-random").model_dump(), "name": "tiny-random", "revision": "0" * 64})
    with pytest.raises((InputError, StepError, OSError)) as caught:
        midtrain(midtrain_context(tmp_path, corpus, small(), model=lost, gpus=2))
    assert "Traceback" not in str(caught.value) and "0000" in str(caught.value)
    assert not psutil.Process().children()


LAUNCHER = """
import sys
from pathlib import Path
from train_doubles import midtrain_context, small
from midspec.steps.progress import Silent
from midspec.train.step import midtrain

class Progress(Silent):
    seen = 0
    def advance(self, count=1):
        self.seen += 1
        print(self.seen, flush=True)

settings = {"precision": "fp32", "dropout": 0.0}
compute = {"gpus": 2, "strategy": sys.argv[3], "checkpoint_every": 2}
midtrain(midtrain_context(Path(sys.argv[1]), Path(sys.argv[2]), small(**settings), progress=Progress(), **compute))
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_processes_die_with_a_launcher_that_was_killed(
    strategy: str, corpus: Path, alone: Callable[[str], Path], tmp_path: Path
) -> None:
    # Guards: orphans that hold GPUs, and write into the folder in which the step is made again.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path), str(corpus), strategy],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout
    last = random.randint(3, 8)
    while (line := launcher.stdout.readline()) and int(line) < last:
        pass
    workers = psutil.Process(launcher.pid).children()
    assert len(workers) == 2
    launcher.send_signal(signal.SIGKILL)
    assert launcher.wait() == -signal.SIGKILL
    assert gone(workers)
    # DDP may go on in one process, FSDP2 in as many as before.
    compute: dict[str, Any] = {"gpus": 2, "strategy": "fsdp"} if strategy == "fsdp" else {}
    midtrain(midtrain_context(tmp_path, corpus, small(**SETTINGS), **compute))
    same(tmp_path, alone("lora"))


@pytest.mark.slow
def test_two_machines_train_as_one(corpus: Path, alone: Callable[[str], Path], tmp_path: Path) -> None:
    # Two launchers on this machine, one process each, stand for two machines with a shared folder.
    work = tmp_path / "steps" / ".work" / "f"
    joined = subprocess.Popen(
        [sys.executable, "-m", "midspec.train.join", str(tmp_path), "1"], stderr=subprocess.PIPE, text=True
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MASTER_ADDR", "127.0.0.1")
            midtrain(midtrain_context(work, corpus, small(**SETTINGS), gpus=1, nodes=2))
        same(work, alone("lora"))
        assert joined.poll() is None, "it waits for the next step"
        # It ends on its own, a moment before or after node 0, and nobody waits for it.
        assert gone(psutil.Process(joined.pid).children())
    finally:
        joined.terminate()
        _, told = joined.communicate(timeout=60)
    assert told.startswith("node 1: joining")


@pytest.mark.slow
def test_a_terminated_run_leaves_nobody_behind(corpus: Path, tmp_path: Path) -> None:
    class Interrupted(Killer):
        def advance(self, count: int = 1) -> None:
            super().advance(count)
            if self.workers:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)

    progress = Interrupted(update=3)
    with pytest.raises(KeyboardInterrupt):
        midtrain(midtrain_context(tmp_path, corpus, small(**SETTINGS), progress=progress, gpus=2))
    assert progress.workers and gone(progress.workers)
