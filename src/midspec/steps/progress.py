"""Progress that a step reports and a terminal, a log file or nobody shows."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress(Protocol):
    """What a step calls."""

    def start(self, total: int | None, unit: str) -> None:
        """Begin (or begin again) a count of `total` things called `unit`; None where the total is unknown."""
        ...

    def advance(self, count: int = 1) -> None:
        """`count` more are done."""
        ...

    def note(self, text: str) -> None:
        """A short state, e.g. `loss 2.31`."""
        ...

    def share(self) -> float | None:
        """How much of the present count is done, from 0 to 1; None where the total is unknown."""
        ...

    def line(self, text: str) -> None:
        """A line that stays."""
        ...


class Silent:
    """Shows nothing."""

    def start(self, total: int | None, unit: str) -> None:
        """Ignore."""

    def advance(self, count: int = 1) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def share(self) -> float | None:
        """Nothing is counted."""
        return None

    def line(self, text: str) -> None:
        """Ignore."""


class Reporter(AbstractContextManager["Reporter"]):
    """Shows one step at a time: a live bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None, every: float = 15.0) -> None:
        """`every`: seconds between lines where there is no terminal."""
        self._stream = stream or sys.stderr
        self._console = Console(file=self._stream)
        self._live: RichProgress | None = None
        self._task: TaskID | None = None
        self._every = every
        self._title = ""
        self._unit = ""
        self._total: int | None = None
        self._count = 0
        self._note = ""
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> Reporter:
        """Open the live display where there is a terminal."""
        if self._console.is_terminal:
            self._live = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[count]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the live display."""
        if self._live:
            self._live.stop()

    def step(self, title: str) -> None:
        """A new step begins."""
        self._title, self._unit, self._total, self._count, self._note = title, "", None, 0, ""
        self._begun = self._shown = time.monotonic()
        if self._live:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._task = self._live.add_task(title, total=None, count="", note="")

    def line(self, text: str) -> None:
        """See Progress."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def start(self, total: int | None, unit: str) -> None:
        """See Progress."""
        self._total, self._unit, self._count = total, unit, 0
        self._begun = self._shown = time.monotonic()
        if self._live and self._task is not None:
            self._live.reset(self._task, total=total)
        self._show(force=bool(self._live))

    def advance(self, count: int = 1) -> None:
        """See Progress."""
        self._count += count
        self._show()

    def note(self, text: str) -> None:
        """See Progress."""
        self._note = text
        self._show()

    def share(self) -> float | None:
        """See Progress."""
        return min(1.0, self._count / self._total) if self._total else None

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        rate = self._count / (now - self._begun) if now > self._begun else 0.0
        of = f"/{self._total:,}" if self._total is not None else ""
        count = f"{self._count:,}{of} {self._unit} ({rate:,.1f}/s)" if self._unit else ""
        if self._live and self._task is not None:
            self._live.update(self._task, completed=self._count, count=count, note=self._note)
        elif force or now - self._shown >= self._every:
            self._shown = now
            left = ""
            if self._total is not None and rate > 0:
                left = f", {max(0.0, (self._total - self._count) / rate):.0f} s left"
            self.line(f"  {self._title}: {count}{left}{', ' + self._note if self._note else ''}")
