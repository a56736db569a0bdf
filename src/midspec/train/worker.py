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
from typing import Any

from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.distributed import LAUNCHED, here
from midspec.train.launch import FOLDER, PROGRESS, SUMMARY, Orders, Relay, failed_in

WATCH = 0.5
"""Seconds between looks whether the launcher is still there."""


def main() -> int:
    """Do what the orders say; returns the process's exit status."""
    _die_with_the_launcher()
    orders = Orders.model_validate_json(Path(os.environ[LAUNCHED]).read_text(encoding="utf-8"))
    folder = Path(orders.folder) / FOLDER
    process = here()
    try:
        _choose_device(orders, process.local_rank)
        summary = _named(orders.function)(_context(orders, folder))
        if process.first:
            (folder / SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
        _leave_group()
    except Exception as error:
        failed_in(folder, error, traceback.format_exc(), time.time())
        traceback.print_exc()
        sys.stderr.flush()
        # Not by `return`: leaving would wait for processes that wait for this one.
        os._exit(1)
    return 0


def _die_with_the_launcher() -> None:
    """A launcher that was killed can end nobody, so everybody watches it."""
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _choose_device(orders: Orders, local_rank: int) -> None:
    import torch

    if orders.compute.device != "cpu":
        torch.cuda.set_device(local_rank)


def _context(orders: Orders, folder: Path) -> Context:
    return Context(
        config=_named(orders.config).model_validate(orders.values),
        inputs={role: Path(path) for role, path in orders.inputs.items()},
        folder=Path(orders.folder),
        progress=Relay(folder / PROGRESS) if here().first else Silent(),
        compute=orders.compute,
        workspace=Path(orders.workspace),
        fingerprint=orders.fingerprint,
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
