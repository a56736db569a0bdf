"""A finished step is whole, an unfinished one is nothing or resumable, and no two processes make one step at once."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import BusyError, StoreError
from midspec.experiment import ComputeConfig, CorpusConfig
from midspec.steps import Context, Step, Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter

CALLS: list[str] = []


def record_call(context: Context) -> Mapping[str, Any]:
    CALLS.append(context.fingerprint)
    (context.folder / "out.txt").write_text("result " + ",".join(sorted(context.inputs)))
    return {"documents": 3}


def fail_halfway(context: Context) -> Mapping[str, Any]:
    (context.folder / "half.txt").write_text("half")
    raise RuntimeError("halfway")


def resume(context: Context) -> Mapping[str, Any]:
    mark = context.folder / "mark"
    if not mark.exists():
        mark.write_text("1")
        raise KeyboardInterrupt
    return {"went_on": True}


def fill_disk(context: Context) -> Mapping[str, Any]:
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


def make(function: str, seed: int = 0, **changes: Any) -> Step:
    return Step(
        **{
            "kind": "corpus",
            "name": "n",
            "function": f"{__name__}:{function}",
            "config": CorpusConfig(seed=seed),
            "version": 1,
            **changes,
        }
    )


def run(steps: list[Step], store: Store) -> int:
    with Path(os.devnull).open("w") as nowhere, Reporter(nowhere) as reporter:
        return run_steps(steps, store, ComputeConfig(), reporter)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    CALLS.clear()
    return Store(tmp_path)


def test_what_is_done_is_not_done_again_and_is_shared_under_another_name(store: Store) -> None:
    first = make("record_call")
    assert run([first], store) == 1
    assert run([make("record_call", name="other-experiment")], store) == 0
    assert [first.fingerprint] == CALLS


def test_inputs_come_first_and_once(store: Store) -> None:
    root = make("record_call")
    left, right = make("record_call", 1, inputs={"a": root}), make("record_call", 2, inputs={"a": root})
    top = make("record_call", 3, inputs={"l": left, "r": right})
    assert run([top], store) == 4
    assert [root.fingerprint, left.fingerprint, right.fingerprint, top.fingerprint] == CALLS
    record = store.record(store.find(top) or Path())
    assert record.inputs == {"l": f"corpus/{left.folder_name}", "r": f"corpus/{right.folder_name}"}
    assert record.summary == {"documents": 3}


def test_a_failed_step_leaves_nothing(store: Store) -> None:
    step = make("fail_halfway")
    with pytest.raises(RuntimeError, match="halfway"):
        run([step], store)
    assert store.find(step) is None and store.state(step) == "to do"
    assert not list(store.steps.rglob("half.txt"))


def test_a_resumable_step_goes_on_from_its_work_folder(store: Store) -> None:
    step = make("resume", resumable=True)
    with pytest.raises(KeyboardInterrupt):
        run([step], store)
    assert store.state(step) == "interrupted"
    assert run([step], store) == 1
    assert store.record(store.find(step) or Path()).resumed


@pytest.mark.parametrize("damage", ["truncate", "remove", "record"])
def test_a_damaged_step_is_noticed_and_made_again(store: Store, damage: str) -> None:
    step = make("record_call")
    run([step], store)
    folder = store.find(step)
    assert folder
    match damage:
        case "truncate":
            (folder / "out.txt").write_text("re")
        case "remove":
            (folder / "out.txt").unlink()
        case _:
            (folder / "record.json").write_text('{"kind": "cor')
    assert store.find(step) is None and store.damage(folder)
    assert run([step], store) == 1
    assert store.find(step) == folder


def test_a_full_disk_is_a_clear_error(store: Store) -> None:
    with pytest.raises(StoreError, match="disk is full"):
        run([make("fill_disk")], store)


def test_a_workspace_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a folder"):
        run([make("record_call")], Store(tmp_path / "file"))


def test_a_step_held_by_another_process_is_busy_and_free_once_that_is_killed(store: Store) -> None:
    step = make("record_call")
    code = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_store as t\n"
        f"store = t.Store({str(store.workspace)!r})\n"
        # The function's path differs in this process; kind, config and version, which decide, do not.
        "with store.claim(t.make('record_call')):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout and holder.stdout.readline().strip() == "held"
        assert store.state(step) == "running"
        with pytest.raises(BusyError, match="another process"), store.claim(step):
            pass
    finally:
        holder.kill()
        holder.wait()
    time.sleep(0.1)
    assert run([step], store) == 1  # the lock died with its process


def test_the_record_says_what_made_it(store: Store) -> None:
    step = make("record_call")
    run([step], store)
    record = json.loads((store.find(step) or Path()).joinpath("record.json").read_text())
    assert record["config"]["documents"] == 4600
    assert record["packages"]["python"].startswith("3.")
    assert set(record["code"]) == {"commit", "dirty"}
    assert record["seconds"] >= 0 and record["files"] == {"out.txt": len("result ")}
