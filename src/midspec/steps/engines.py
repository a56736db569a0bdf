"""Who makes the steps of an experiment: this process, or a cluster. What comes out is the same."""

from __future__ import annotations

from collections.abc import Sequence

from midspec.compute import ComputeConfig
from midspec.steps.progress import Reporter
from midspec.steps.step import Spending, Step
from midspec.steps.store import Store


def make_steps(
    targets: Sequence[Step], store: Store, compute: ComputeConfig, reporter: Reporter, spending: Spending = Spending()
) -> int:
    """Make `targets` and all they need with the engine that `compute` names. Returns how many were made now."""
    if compute.engine == "ray":
        from midspec.steps.ray_engine import run_steps_on_ray

        return run_steps_on_ray(targets, store, compute, reporter, spending)
    from midspec.steps.local import run_steps

    return run_steps(targets, store, compute, reporter, spending)
