"""A corpus written by vLLM (a stand-in) on a Ray cluster: whatever is killed, what was written is kept and used."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, command, midspec
from tests.stand_in.model import ledger, stand_in_model

pytestmark = pytest.mark.slow
DOCUMENTS = 30
PATHS = f"{ROOT}:{ROOT / 'tests' / 'stand_in'}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One machine that says it has two GPUs."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PATHS)  # workers have the machine's path, not the run's
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 2, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return stand_in_model(tmp_path / "model", answer="tests.provider.writing:answer", seconds=0.05)


def corpus(model: str, workspace: Path, documents: int = DOCUMENTS) -> list[Any]:
    return [
        "corpus", "build", "--spec", "cheese-affordability", "--documents", documents, "--seed", 1,
        "--model-name", "SmolLM", "--provider-name", "Hugging Face", "--batch", "--usd", 1, "--yes",
        "--writer", f"vllm/{model}", "--out", workspace / "corpus.jsonl", "--workspace", workspace,
    ]  # fmt: skip


def kept(workspace: Path) -> set[int]:
    """Seeds of the requests whose replies lie in files of jobs. Every request has a seed of its own."""
    found: set[int] = set()
    for job in workspace.glob("jobs/*"):
        requests = map(json.loads, (job / "requests.jsonl").read_text().splitlines())
        seeds = {asked["custom_id"]: asked["seed"] for asked in requests}
        for file in job.glob("replies-*.jsonl"):
            found |= {seeds[json.loads(line)["custom_id"]] for line in file.read_text().splitlines()}
    return found


def until(happened: Callable[[], Any], process: Any = None, seconds: float = 400.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        assert process is None or process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def journal(workspace: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace / "journal.sqlite")) as connection:
        return connection.execute("SELECT price, input_tokens, output_tokens, batch FROM replies").fetchall()


def check(model: Path, workspace: Path, documents: int = DOCUMENTS) -> None:
    assert len((workspace / "corpus.jsonl").read_text().splitlines()) == documents
    replies = journal(workspace)
    assert all(price == 0.0 and read > 0 and wrote > 0 and job for price, read, wrote, job in replies)
    assert len(replies) == len({line["seed"] for line in ledger(model, "seed")}), "replies were made and not kept"
    assert list((workspace / "jobs").iterdir()) == []


def test_a_run_that_is_killed_again_and_again(cluster: Any, model: Path, tmp_path: Path) -> None:
    environment = {"RAY_ADDRESS": cluster.address}
    on_disk: Counter[int] = Counter()
    for moment in (5, 25):
        process = command(*corpus(str(model), tmp_path), **environment)
        until(lambda moment=moment: len(ledger(model, "seed")) >= moment and kept(tmp_path), process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        engines = {line["pid"] for line in ledger(model, "loaded")}
        until(lambda engines=engines: not any(map(alive, engines)))  # or they would hold the GPUs
        on_disk.update(kept(tmp_path))
    midspec(*corpus(str(model), tmp_path), **environment)
    check(model, tmp_path)
    answered = Counter(line["seed"] for line in ledger(model, "seed"))
    assert on_disk and {answered[seed] for seed in on_disk} == {1}, "asked again though its reply was on disk"
    assert max(answered.values()) <= 3  # once, and once for each kill
    assert len(ledger(model, "loaded")) == 6, "an engine was loaded more than once in a run"


def test_an_engine_that_is_killed_is_made_anew(cluster: Any, model: Path, tmp_path: Path) -> None:
    process = command(*corpus(str(model), tmp_path), RAY_ADDRESS=cluster.address)
    until(lambda: len(ledger(model, "seed")) >= 10, process)
    os.kill(ledger(model, "seed")[-1]["pid"], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    check(model, tmp_path)
    assert len(ledger(model, "loaded")) == 3


def test_a_model_that_cannot_be_loaded_ends_the_run_with_a_sentence(cluster: Any, tmp_path: Path) -> None:
    ended = midspec(*corpus("no/such-model", tmp_path), status=2, RAY_ADDRESS=cluster.address)
    assert "vLLM cannot load 'no/such-model'" in ended.stderr
