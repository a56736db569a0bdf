"""The Ray engine: every step is a task with its own resources, and runs as soon as its inputs are there.

The workspace is a folder that all machines see, or `compute.storage` names a place that steps are copied to and from.
A machine that dies costs the steps it was making: Ray makes them again elsewhere, from their last checkpoint where the
workspace is shared. Steps that ask a paid model stay on the machine that started the run, whose journal knows what was
asked: SQLite must not be written from two machines.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from midspec.compute import ComputeConfig, StepResources
from midspec.errors import InputError, MidspecError, MissingDependencyError, StepError
from midspec.stages import WriterConfig
from midspec.steps.local import run_step
from midspec.steps.progress import Reporter
from midspec.steps.step import Spending, Step
from midspec.steps.storage import Storage, scratch
from midspec.steps.store import Store

RETRIES = 5
"""How often a step is made again because its machine died."""
ON_MODELS = ("midtrain", "finetune", "evaluate")
"""Kinds of steps that use a GPU where there is one."""


def run_steps_on_ray(
    targets: Sequence[Step], store: Store, compute: ComputeConfig, reporter: Reporter, spending: Spending = Spending()
) -> int:
    """Make `targets` and all they need on a Ray cluster; what is done is left alone. Returns how many were made now.

    `compute.address` None: the cluster that this machine is part of, else one on this machine alone. Raises InputError
    for a cluster that cannot be reached, or on which a step would wait for ever; what a step raised otherwise.
    """
    storage = Storage(compute.storage) if compute.storage else None
    if storage is not None:
        for step in store.to_make(targets):
            storage.pull(step, store)
    missing = {step.fingerprint: step for step in store.to_make(targets)}
    if not missing:
        return 0
    with connected(compute) as ray:
        if storage is not None:
            inputs = {upstream.fingerprint: upstream for step in missing.values() for upstream in step.inputs.values()}
            for upstream in inputs.values():
                if upstream.fingerprint not in missing:
                    storage.push(upstream, store)
        _require_room(ray, missing.values(), compute)
        _drive(ray, missing, store, storage, compute, reporter, spending)
    return len(missing)


def _drive(
    ray: Any,
    missing: dict[str, Step],
    store: Store,
    storage: Storage | None,
    compute: ComputeConfig,
    reporter: Reporter,
    spending: Spending,
) -> None:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    make = ray.remote(_make)
    waiting, running, done = dict(missing), dict[Any, Step](), 0
    begun: dict[str, float] = {}
    try:
        while waiting or running:
            for step in _ready(waiting, running):
                need = resources_of(step, compute, _gpus(ray))
                options: dict[str, Any] = {
                    "name": f"{step.kind} {step.name}",
                    "num_cpus": need.cpus,
                    "num_gpus": need.gpus,
                    "max_retries": RETRIES,
                }
                if need.memory_gb is not None:
                    options["memory"] = int(need.memory_gb * 1e9)
                if asks_somebody_paid(step.config):
                    options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node_id=here, soft=False)
                at = None if storage is not None and not asks_somebody_paid(step.config) else store.workspace.resolve()
                task = make.options(**options).remote(step, at, compute, spending)
                running[task] = waiting.pop(step.fingerprint)
                begun[step.fingerprint] = time.monotonic()
                reporter.line(f"  {step.kind} {step.name}: waiting for {need.words()}")
            finished, _ = ray.wait(list(running), num_returns=1)
            step = running.pop(finished[0])
            where = _outcome(ray, finished[0], step)
            if storage is not None:
                storage.pull(step, store)
            done += 1
            seconds = time.monotonic() - begun[step.fingerprint]
            reporter.line(f"[{done}/{len(missing)}] {step.kind} {step.name} done in {seconds:.0f} s on {where}")
    finally:
        for task in running:  # only after an error or an interruption
            with contextlib.suppress(Exception):
                ray.cancel(task, force=True)


def _ready(waiting: dict[str, Step], running: dict[Any, Step]) -> list[Step]:
    """Steps none of whose inputs is still to be made."""
    unmade = {*waiting, *(step.fingerprint for step in running.values())}
    return [step for step in waiting.values() if not any(one.fingerprint in unmade for one in step.inputs.values())]


def _make(step: Step, workspace: Path | None, compute: ComputeConfig, spending: Spending) -> str:
    """On a worker: make one step. `workspace` None: in a scratch of this machine, by way of the storage.

    Returns the machine's address.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    storage = Storage(compute.storage) if compute.storage else None
    store = Store(workspace or scratch(compute.storage or "", node))
    if storage is not None:
        for upstream in step.inputs.values():
            if not storage.pull(upstream, store):
                raise StepError(f"{upstream.kind} {upstream.name}, an input of {step.name}, is not in {storage.url}")
    with Reporter(sys.stderr) as reporter:
        reporter.step(f"{step.kind} {step.name}")
        run_step(step, store, compute, reporter, spending)
    if storage is not None:
        storage.push(step, store)
    return ray.util.get_node_ip_address()


def _outcome(ray: Any, task: Any, step: Step) -> str:
    """What the task returned. Raises what the step raised, or StepError where its machines died again and again."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, MidspecError):
            raise cause from error
        raise
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as error:
        raise StepError(
            f"{step.kind} {step.name}: its machine or process died {RETRIES + 1} times; look at its memory "
            f"(compute.resources.{step.kind}), finished steps are kept"
        ) from error


def resources_of(step: Step, compute: ComputeConfig, gpus: float) -> StepResources:
    """What the step asks for: as `compute.resources` says for its kind, else `threads` cores, and GPUs for models.

    `gpus`: how many the cluster has.
    """
    if step.kind in compute.resources:
        return compute.resources[step.kind]
    wants = compute.device == "cuda" or (compute.device == "auto" and gpus > 0)
    on_gpu = step.kind in ON_MODELS and wants
    return StepResources(cpus=compute.threads or 1, gpus=compute.gpus if on_gpu else 0)


def asks_somebody_paid(config: Any) -> bool:
    """Whether a step's config names a writer or judge that is a language model."""
    if isinstance(config, WriterConfig):
        return config.model != "offline"
    if isinstance(config, BaseModel):
        return any(asks_somebody_paid(getattr(config, name)) for name in type(config).model_fields)
    if isinstance(config, dict):
        return any(asks_somebody_paid(value) for value in config.values())
    if isinstance(config, (list, tuple)):
        return any(asks_somebody_paid(value) for value in config)
    return False


@contextmanager
def connected(compute: ComputeConfig) -> Generator[Any]:
    """Connected to Ray; a cluster begun here ends here.

    Raises MissingDependencyError without Ray, InputError for a cluster that does not answer.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("the engine ray needs the package 'ray': pip install 'midspec[scale]'") from error
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(address=compute.address, log_to_driver=True, logging_level=logging.WARNING)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(
                f"no Ray cluster answers at {compute.address or 'this machine'}: {error}; start one with "
                "`ray start --head`, or give its address with --address HOST:PORT"
            ) from error
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _gpus(ray: Any) -> float:
    return float(ray.cluster_resources().get("GPU", 0))


def _require_room(ray: Any, steps: Iterable[Step], compute: ComputeConfig) -> None:
    """Raise InputError for a step that no machine of the cluster could ever take: Ray would wait for ever."""
    nodes: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for step in steps:
        need = resources_of(step, compute, _gpus(ray))
        memory = (need.memory_gb or 0) * 1e9
        if not any(
            node.get("CPU", 0) >= need.cpus and node.get("GPU", 0) >= need.gpus and node.get("memory", 0) >= memory
            for node in nodes
        ):
            largest = ", ".join(
                f"{node.get('CPU', 0):.0f} CPUs, {node.get('GPU', 0):.0f} GPUs, {node.get('memory', 0) / 1e9:.0f} GB"
                for node in nodes
            )
            raise InputError(
                f"{step.kind} {step.name} asks for {need.words()}, and no machine of the cluster has that ({largest}); "
                f"lower compute.resources.{step.kind}, or add a machine"
            )
