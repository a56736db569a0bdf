"""Train in several processes: midspec starts them, shows what the first one reports, and ends them all together."""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from midspec import errors
from midspec.compute import ComputeConfig
from midspec.config import Config
from midspec.errors import InputError, MidspecError, MissingDependencyError, StepError
from midspec.steps.progress import Progress
from midspec.steps.step import Context
from midspec.train import checkpoints
from midspec.train.distributed import LAUNCHED, here, require_same_layout, share
from midspec.train.worker import LAUNCHER

FOLDER = "processes"
"""Inside the work folder, while the processes run: orders, output, errors, progress; removed when all went well."""

ORDERS = "orders.json"
SUMMARY = "summary.json"
PROGRESS = "progress.jsonl"
FAILED = "failed"

PERIOD = 0.2
"""Seconds between looks at the processes."""

PATIENCE = 10
"""Seconds that a process is given to end when it is told to."""

StepFunction = Callable[[Context], dict[str, Any]]


class Orders(Config):
    """What every process of one training step is to do. Machines read it from the shared workspace."""

    id: str
    """Of this attempt: a resumed step has new orders."""
    function: str
    """`package.module:function`."""
    config: str
    """`package.module:class` of the step's config."""
    values: dict[str, Any]
    """The config's fields."""
    inputs: dict[str, str]
    folder: str
    workspace: str
    fingerprint: str
    name: str
    recipe: str
    """Of the run that pays, which is the recipe's name."""
    compute: ComputeConfig
    address: str
    """Where the first process listens for the others."""
    port: int


def across_processes(function: StepFunction) -> StepFunction:
    """Make a training step run in as many processes as `compute` asks for; with one, in this one."""

    @functools.wraps(function)
    def run(context: Context) -> dict[str, Any]:
        if LAUNCHED in os.environ:
            return function(context)
        require_same_layout(context.folder / checkpoints.FOLDER, context.compute)
        # What an attempt that failed left; nothing of it belongs to the step.
        shutil.rmtree(context.folder / FOLDER, ignore_errors=True)
        if context.compute.gpus * context.compute.nodes == 1:
            return function(context)
        return _launched(f"{function.__module__}:{function.__qualname__}", context)

    return run


def _launched(function: str, context: Context) -> dict[str, Any]:
    _require_devices(context.compute)
    share(context.config.train.batch_size, context.compute.gpus * context.compute.nodes)
    folder = context.folder / FOLDER
    folder.mkdir()
    # Half-written checkpoints go before several processes look which one is the last.
    checkpoints.latest(context.folder / checkpoints.FOLDER)
    orders = orders_for(function, context)
    (folder / f"{ORDERS}.tmp").write_text(orders.model_dump_json(indent=1), encoding="utf-8")
    (folder / f"{ORDERS}.tmp").replace(folder / ORDERS)
    run_processes(orders, node=0, progress=context.progress)
    summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return summary


def orders_for(function: str, context: Context) -> Orders:
    """What the processes are told that run `function` (`package.module:function`) on `context`."""
    kind = type(context.config)
    return Orders(
        id=uuid.uuid4().hex,
        function=function,
        config=f"{kind.__module__}:{kind.__qualname__}",
        values=context.config.model_dump(mode="json"),
        inputs={role: str(path.resolve()) for role, path in context.inputs.items()},
        folder=str(context.folder.resolve()),
        workspace=str(context.workspace.resolve()),
        fingerprint=context.fingerprint,
        name=context.name,
        recipe=context.spending.run,
        compute=context.compute.model_copy(update={"threads": _threads(context.compute)}),
        # Clusters whose host names do not resolve set the address by the variable that PyTorch reads.
        address=os.environ.get("MASTER_ADDR") or ("127.0.0.1" if context.compute.nodes == 1 else socket.getfqdn()),
        port=_free_port(),
    )


def _threads(compute: ComputeConfig) -> int:
    """CPU threads of each process, so that those of one machine have as many as one process would."""
    cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return max(1, (compute.threads or cores) // compute.gpus)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _require_devices(compute: ComputeConfig) -> None:
    import torch

    if compute.strategy == "deepspeed":
        if compute.device == "cpu":
            raise InputError("compute.strategy deepspeed needs GPUs; on a CPU, expected ddp or fsdp")
        if find_spec("deepspeed") is None:
            raise MissingDependencyError(
                "compute.strategy is deepspeed, and it is not installed; pip install deepspeed, or set strategy: fsdp, "
                "which shards the same and needs nothing more"
            )
    if compute.device == "cpu":
        return
    count = torch.cuda.device_count()
    if count < compute.gpus:
        raise InputError(
            f"compute.gpus is {compute.gpus}, and PyTorch sees {count} here; expected at most that many, or "
            "device: cpu, which trains with as many processes on the cores"
        )


def run_processes(orders: Orders, *, node: int, progress: Progress) -> None:
    """Start this machine's processes and wait for them; when one ends badly, or on another machine, all are ended.

    Raises what the failed process raised, where that is a MidspecError, else StepError with the end of its output.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std, start_processes

    folder = Path(orders.folder) / FOLDER
    gpus, count = orders.compute.gpus, orders.compute.gpus * orders.compute.nodes
    environments = {
        local: {
            LAUNCHED: str(folder / ORDERS),
            LAUNCHER: str(os.getpid()),
            "RANK": str(node * gpus + local),
            "LOCAL_RANK": str(local),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(gpus),
            "MASTER_ADDR": orders.address,
            "MASTER_PORT": str(orders.port),
            "OMP_NUM_THREADS": str(orders.compute.threads),
        }
        for local in range(gpus)
    }
    # What it has to say of failures is said below, once.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    seen = Relayed(folder / PROGRESS, progress)
    failed = folder / f"{FAILED}-{orders.id}"
    with _own_signals():
        processes = start_processes(
            "midspec",
            sys.executable,
            dict.fromkeys(environments, ("-m", "midspec.train.worker")),
            environments,
            # A machine that joins keeps its output: the folder may go while its files are still open.
            DefaultLogsSpecs(log_dir=None if node else str(folder / "output"), redirects=Std.ALL),
        )
    try:
        while (result := processes.wait(PERIOD, PERIOD)) is None:
            seen.show()
            if failed.exists():
                raise StepError(f"training ended on another machine: {failed.read_text(encoding='utf-8')}")
            if node and not given(orders):
                # Node 0 is done, and so are ours in a moment; or it failed, and ours wait for processes that are gone.
                if (result := processes.wait(PATIENCE, PERIOD)) is None:
                    raise StepError(f"the training of {orders.name} that this machine joined was given up on node 0")
                break
        seen.show()
        if result.is_failed():
            raise failure(folder, node * gpus, result, environments)
    except BaseException as error:
        # Orders that no longer hold are being removed with their folder, and nobody waits for word of them.
        if given(orders):
            failed.write_text(str(error) or type(error).__name__, encoding="utf-8")
        raise
    finally:
        processes.close(signal.SIGTERM, PATIENCE)


def given(orders: Orders) -> bool:
    """Whether these orders still hold: their run has neither ended well nor begun again."""
    try:
        text = (Path(orders.folder) / FOLDER / ORDERS).read_text(encoding="utf-8")
    except OSError:
        return False
    return Orders.model_validate_json(text).id == orders.id


@contextmanager
def _own_signals() -> Generator[None]:
    """Keep the handlers that are: PyTorch's would turn Ctrl-C into an exception that nobody here knows."""
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    kept = {name: signal.getsignal(name) for name in names}
    try:
        yield
    finally:
        for name, handler in kept.items():
            if handler is not None and signal.getsignal(name) is not handler:
                signal.signal(name, handler)


def failure(folder: Path, first_rank: int, result: Any, environments: dict[int, Any]) -> MidspecError:
    """What went wrong first. The other processes fail or are ended because of it."""
    told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("error-*.json"))]
    known = [entry for entry in told if entry["kind"]]
    if known:
        first = min(known, key=lambda entry: entry["time"])
        return getattr(errors, first["kind"])(first["message"])
    soonest = min((failed.timestamp for failed in result.failures.values()), default=0)
    for local, failed in sorted(result.failures.items()):
        # What we end ourselves gets SIGTERM, and SIGKILL only after some patience.
        ours = failed.exitcode == -signal.SIGTERM or failed.timestamp - soonest >= PATIENCE
        if failed.exitcode < 0 and not ours:
            name = signal.Signals(-failed.exitcode).name
            return StepError(
                f"training process {first_rank + local} of {_count(environments)} was ended by {name}, as happens when "
                "memory runs out; the others were ended too. Run again: it goes on from the last checkpoint"
            )
    if told:
        first = min(told, key=lambda entry: entry["time"])
        return StepError(
            f"training process {first['rank']} of {_count(environments)} failed: {first['message']}; its traceback "
            f"stands in {folder / _error_name(first['rank'])}"
        )
    local, failed = min(result.failures.items(), key=lambda item: item[1].timestamp)
    output = Path(result.stderrs[local]).read_text(encoding="utf-8", errors="replace")
    last = output.strip().splitlines()[-1:] or ["no output"]
    return StepError(
        f"training process {first_rank + local} of {_count(environments)} ended with status {failed.exitcode}: "
        f"{last[0]}; its output stands in {result.stderrs[local]}"
    )


def _count(environments: dict[int, Any]) -> str:
    return environments[0]["WORLD_SIZE"]


def _error_name(rank: int) -> str:
    return f"error-{rank}.json"


class Relay:
    """Progress of the first process, written down line by line for the launcher to show."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _write(self, method: str, *arguments: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([method, *arguments]) + "\n")

    def start(self, total: int | None, unit: str) -> None:
        """See Progress."""
        self._write("start", total, unit)

    def advance(self, count: int = 1) -> None:
        """See Progress."""
        self._write("advance", count)

    def note(self, text: str) -> None:
        """See Progress."""
        self._write("note", text)

    def share(self) -> float | None:
        """Only the launcher counts."""
        return None

    def line(self, text: str) -> None:
        """See Progress."""
        self._write("line", text)


class Relayed:
    """Reads what a `Relay` wrote."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._read = 0

    def show(self) -> None:
        """Pass on what is new. A line that is still being written waits for its end."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            method, *arguments = json.loads(line)
            getattr(self._progress, method)(*arguments)


def failed_in(folder: Path, error: BaseException, trace: str, time: float) -> None:
    """Leave word of an error for the launcher. `kind` is empty for what is not a MidspecError."""
    rank = here().rank
    entry = {
        "rank": rank,
        "kind": type(error).__name__ if isinstance(error, MidspecError) else "",
        "message": str(error) or type(error).__name__,
        "traceback": trace,
        "time": time,
    }
    path = folder / _error_name(rank)
    path.with_suffix(".tmp").write_text(json.dumps(entry, indent=1), encoding="utf-8")
    path.with_suffix(".tmp").replace(path)
