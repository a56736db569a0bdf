"""The local engine: one process, one step at a time, inputs first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from midspec.errors import BusyError
from midspec.experiment import ComputeConfig
from midspec.steps.progress import Reporter
from midspec.steps.record import StepRecord, code_state, machine_facts, package_versions
from midspec.steps.step import Context, Spending, Step
from midspec.steps.store import Store, explained, files_of


def run_steps(
    targets: Sequence[Step],
    store: Store,
    compute: ComputeConfig,
    reporter: Reporter,
    spending: Spending = Spending(),
) -> int:
    """Make `targets` and all they need; what is done is left alone. Returns how many steps were made now."""
    missing = store.to_make(targets)
    for number, step in enumerate(missing, start=1):
        title = f"[{number}/{len(missing)}] {step.kind} {step.name}"
        reporter.step(title)
        reporter.line(f"{title} ...")
        begun = time.monotonic()
        folder = run_step(step, store, compute, reporter, spending)
        reporter.line(f"{title} done in {time.monotonic() - begun:.0f} s -> {folder}")
    return len(missing)


def run_step(step: Step, store: Store, compute: ComputeConfig, reporter: Reporter, spending: Spending) -> Path:
    """Make one step whose inputs are done. Returns its folder; waits where another process is making the same step."""
    for wait in (False, True):
        try:
            with store.claim(step, wait=wait) as work:
                # Another process may have finished it between our look and our claim.
                return store.find(step) or _make(step, work, store, compute, reporter, spending)
        except BusyError:
            reporter.line(f"  {step.kind} {step.name} is being made by another run in this workspace; waiting for it")
    raise AssertionError("a waiting claim cannot be refused")


def _make(step: Step, work: Path, store: Store, compute: ComputeConfig, reporter: Reporter, spending: Spending) -> Path:
    inputs: dict[str, Path] = {}
    for role, upstream in step.inputs.items():
        folder = store.find(upstream)
        assert folder is not None, f"{step.kind}/{step.name}: input {role} is not done"
        inputs[role] = folder
    resumed = any(work.iterdir())
    started, begun = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    context = Context(
        config=step.config,
        inputs=inputs,
        folder=work,
        progress=reporter,
        compute=compute,
        workspace=store.workspace,
        spending=spending,
        fingerprint=step.fingerprint,
        name=step.name,
        source=step.source,
    )
    try:
        with explained(store.workspace):
            summary = dict(step.load_function()(context))
    except BaseException:
        if not step.resumable:
            store.discard(work)
        raise
    record = StepRecord(
        kind=step.kind,
        name=step.name,
        fingerprint=step.fingerprint,
        function=step.function,
        version=step.version,
        config=step.plain_config,
        inputs={role: f"{upstream.kind}/{upstream.folder_name}" for role, upstream in step.inputs.items()},
        summary=summary,
        files=files_of(work),
        started=started,
        seconds=round(time.monotonic() - begun, 3),
        resumed=resumed,
        code=code_state(),
        packages=package_versions(),
        machine=machine_facts(),
    )
    return store.complete(step, work, record)
