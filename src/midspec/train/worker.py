"""One of the processes of a training step: `python -m midspec.train.worker`, started by `midspec.train.launch`."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from midspec.steps.step import Context
    from midspec.train.launch import Orders

LAUNCHER = "MIDSPEC_LAUNCHER"
"""Environment variable with the launcher's process id."""

WATCH = 0.5
"""Seconds between looks whether the launcher is still there."""


def main() -> int:
    """Do what the orders say; returns the process's exit status."""
    # Before anything else is imported, which takes seconds.
    threading.Thread(target=_die_with_the_launcher, args=(int(os.environ[LAUNCHER]),), daemon=True).start()
    from midspec.train import launch
    from midspec.train.distributed import LAUNCHED, here

    orders = launch.Orders.model_validate_json(Path(os.environ[LAUNCHED]).read_text(encoding="utf-8"))
    folder = Path(orders.folder) / launch.FOLDER
    process = here()
    try:
        _choose_device(orders, process.local_rank)
        summary = _named(orders.function)(_context(orders, folder))
        if process.first:
            (folder / launch.SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
        _leave_group()
    except Exception as error:
        launch.failed_in(folder, error, traceback.format_exc(), time.time())
        traceback.print_exc()
        sys.stderr.flush()
        # Not by `return`: leaving would wait for processes that wait for this one.
        os._exit(1)
    return 0


def _die_with_the_launcher(launcher: int) -> None:
    """A launcher that was killed can end nobody, so everybody watches it."""
    while os.getppid() == launcher:
        time.sleep(WATCH)
    os._exit(1)


def _choose_device(orders: Orders, local_rank: int) -> None:
    import torch

    if orders.compute.device != "cpu":
        torch.cuda.set_device(local_rank)


def _context(orders: Orders, folder: Path) -> Context:
    from midspec.steps.progress import Silent
    from midspec.steps.step import Context, Spending
    from midspec.train.distributed import here
    from midspec.train.launch import PROGRESS, Relay

    return Context(
        config=_named(orders.config).model_validate(orders.values),
        inputs={role: Path(path) for role, path in orders.inputs.items()},
        folder=Path(orders.folder),
        progress=Relay(folder / PROGRESS) if here().first else Silent(),
        compute=orders.compute,
        workspace=Path(orders.workspace),
        spending=Spending(run=orders.recipe),
        fingerprint=orders.fingerprint,
        name=orders.name,
    )


def _named(text: str) -> Any:
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)


def _leave_group() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
