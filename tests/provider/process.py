"""The provider in a process of its own, for benchmarks and for tests that kill clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

from tests.provider.ledger import Ledger

ROOT = Path(__file__).parents[2]


class ProviderProcess:
    """`with ProviderProcess(ledger, "--latency", "lognormal:2.0:0.6") as server: ... server.url`."""

    def __init__(self, ledger: Path, *options: str) -> None:
        """`options` are those of `python -m tests.provider --help`."""
        self.ledger = Ledger(ledger)
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def openai_url(self) -> str:
        """Base URL for the `openai` SDK and provider."""
        return f"{self.url}/v1"

    def control(self, **settings: Any) -> dict[str, Any]:
        """Change settings (none: just look); returns the server's counters."""
        data = json.dumps(settings).encode() if settings else None
        with urlopen(Request(f"{self.url}/_control", data=data), timeout=10) as response:
            return json.load(response)

    def __enter__(self) -> ProviderProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.provider", "--ledger", str(self.ledger.path), *self._options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the provider did not start (exit status {self._process.wait()})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
