"""`python -m midspec.evals.serving.guard COMMAND...`: run a server for as long as whoever started it lives.

Standard input is a pipe that the starter holds open and never writes to. When it closes, by intent or because the
starter was killed (`kill -9` runs no clean-up), the server and all it started are stopped. Without this, a killed run
would leave a server that holds the GPU.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

PATIENCE = 15.0
"""Seconds between a polite signal and the next, harder one."""


def main(command: list[str]) -> int:
    """Exit status of the command, or 0 where it was stopped."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the starter decides
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_listening)
    asked = threading.Event()

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)
        asked.set()
        _stop(process)

    threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    _signal(process, signal.SIGKILL)  # what it started and left behind
    return 0 if asked.is_set() else status


def _listening() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # ignored signals stay ignored in children


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        _signal(process, number)
        try:
            process.wait(PATIENCE)
            return
        except subprocess.TimeoutExpired:
            continue


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
