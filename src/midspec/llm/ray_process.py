"""`python -m midspec.llm.ray_process URL ADDRESS AT_ONCE`: the process beside a run that works on its batch jobs.

Each line of standard input is a list of jobs. For each, a line of standard output tells `{"replies": N}`, or
`{"error": KIND, "message": ...}`, the last. The process ends when its standard input does, also when the run was
killed: nothing may hold GPUs that nobody waits for.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from queue import SimpleQueue
from typing import Any

from midspec.compute import ComputeConfig
from midspec.errors import MidspecError
from midspec.llm.ray_jobs import JobFiles
from midspec.llm.ray_writer import RayWriter
from midspec.steps.ray_engine import connected

PATIENCE = 15.0
"""Seconds for Ray to stop in order."""


def main(url: str, address: str, at_once: str) -> int:
    """Exit status. `address` may be empty: as `compute.address` None."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # Ray prints what its workers print

        def tell(**told: Any) -> None:
            answers.write(json.dumps(told) + "\n")
            answers.flush()

        lines = _lines()
        try:
            with connected(ComputeConfig(address=address or None)) as ray:
                writer = RayWriter(ray, JobFiles(url), int(at_once))
                while True:
                    tell(replies=writer.work(json.loads(lines.get())))
        except Exception as error:
            traceback.print_exc()
            cause = getattr(error, "cause", error)  # Ray's error of a task holds the task's own
            mine = isinstance(cause, MidspecError)
            tell(error=type(cause).__name__ if mine else "StepError", message=str(cause) if mine else _short(cause))
        return 1


def _lines() -> SimpleQueue[str]:
    """Lines of standard input, as they come; the end of it ends this process."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)  # it stops Ray in order
        time.sleep(PATIENCE)
        os._exit(1)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=read, daemon=True).start()
    return lines


def _short(error: BaseException) -> str:
    last = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return f"writing with vLLM on Ray failed: {type(error).__name__}: {last[:400]}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
