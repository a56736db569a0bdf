"""A cluster makes what this process would make; a machine that dies costs its step; nothing waits for ever."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from midspec.compute import ComputeConfig, StepResources
from midspec.errors import InputError, StepError
from midspec.stages import CorpusConfig, WriterConfig
from midspec.steps import Context, Step, Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter
from midspec.steps.ray_engine import asks_somebody_paid, resources_of, run_steps_on_ray

ray = pytest.importorskip("ray")


def work(context: Context) -> Mapping[str, Any]:
    """A number from all inputs; a step called slow leaves word that it runs, and takes a while the first time."""
    total = context.config.seed + sum(int((folder / "out").read_text()) for folder in context.inputs.values())
    mark = context.workspace / "running"
    if context.config.documents == 7 and not mark.exists():
        mark.write_text(ray.get_runtime_context().get_node_id())
        time.sleep(120)
    (context.folder / "out").write_text(str(total))
    return {"total": total}


def fail(context: Context) -> Mapping[str, Any]:
    raise StepError("this step cannot be made")


def step(name: str, seed: int, *inputs: Step, function: str = "work", kind: str = "corpus", documents: int = 1) -> Step:
    return Step(
        kind=kind,
        name=name,
        function=f"{__name__}:{function}",
        config=CorpusConfig(seed=seed, documents=documents),
        version=1,
        inputs={one.name: one for one in inputs},
    )


def diamond(documents: int = 1) -> list[Step]:
    """One root, two between, one that takes both; `documents` of 7 makes the left one slow."""
    root = step("root", 1)
    left, right = step("left", 10, root, kind="midtrain", documents=documents), step("right", 100, root)
    return [root, left, right, step("last", 1000, left, right)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and two workers, one core each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import this file's steps
        yield from _cluster(Cluster)


def _cluster(kind: Any) -> Iterator[Any]:
    # By default Ray takes half a minute to believe that a machine is dead.
    noticed = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": noticed}
    made = kind(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1, resources={"worker": 1})
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


def make(steps: list[Step], store: Store, **compute: Any) -> int:
    with Reporter() as reporter:
        return run_steps_on_ray(steps, store, ComputeConfig(**compute), reporter)


def made(steps: list[Step], store: Store) -> dict[str, str]:
    folders = {one.fingerprint: store.find(one) for one in steps}
    return {print_: (folder / "out").read_text() for print_, folder in folders.items() if folder}


def test_the_cluster_makes_what_this_process_makes(cluster: Any, tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    with Reporter() as reporter:
        run_steps(diamond(), here, ComputeConfig(), reporter)
    assert make(diamond(), there) == 4
    assert made(diamond(), there) == made(diamond(), here)
    assert len(made(diamond(), there)) == 4
    assert make(diamond(), there) == 0


def test_a_machine_that_dies_costs_its_step_and_nothing_else(cluster: Any, tmp_path: Path) -> None:
    store, steps = Store(tmp_path), diamond(documents=7)
    roomy = {"midtrain": StepResources(cpus=2)}  # only these two machines have so much: the one that runs it dies
    nodes = {node.node_id: node for node in (cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2))}
    ran_on: list[str] = []

    def kill_where_it_works() -> None:
        mark = tmp_path / "running"
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        ran_on.append(mark.read_text())
        cluster.remove_node(nodes[ran_on[0]], allow_graceful=False)

    killer = Thread(target=kill_where_it_works, daemon=True)
    killer.start()
    assert make(steps, store, resources=roomy) == 4
    assert len(ran_on) == 1
    last = store.find(steps[-1])
    assert last is not None
    assert store.record(last).summary == {"total": 1 + 11 + 101 + 1000 - 1}


def test_machines_that_share_no_folder_share_a_storage(cluster: Any, tmp_path: Path) -> None:
    store, url = Store(tmp_path / "mine"), f"file://{tmp_path}/bucket"
    assert make(diamond(), store, storage=url) == 4
    assert len(made(diamond(), store)) == 4
    other = Store(tmp_path / "other")
    assert make(diamond(), other, storage=url) == 0
    assert made(diamond(), other) == made(diamond(), store)


def test_what_a_step_raises_is_raised_here(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="this step cannot be made"):
        make([step("bad", 1, function="fail")], Store(tmp_path))


def test_a_step_that_fits_no_machine_is_refused_before_anything_runs(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"midtrain left asks for 64 CPUs, 2 GPUs, and no machine .* has that"):
        make(diamond(), Store(tmp_path), resources={"midtrain": StepResources(cpus=64, gpus=2)})
    assert not (tmp_path / "steps").exists()


def test_who_is_paid_stays_where_the_journal_is() -> None:
    offline, paid = WriterConfig(model="offline"), WriterConfig(model="anthropic/claude-opus-4-6")
    assert not asks_somebody_paid({"judges": [offline]})
    assert asks_somebody_paid({"judges": [offline, paid]})


def test_resources_follow_the_recipe_and_the_cluster() -> None:
    train, write = step("a", 1, kind="midtrain"), step("b", 1)
    assert resources_of(train, ComputeConfig(threads=4, gpus=2), gpus=8) == StepResources(cpus=4, gpus=2)
    assert resources_of(train, ComputeConfig(threads=4), gpus=0) == StepResources(cpus=4)
    assert resources_of(write, ComputeConfig(gpus=2), gpus=8) == StepResources(cpus=1)
    asked = {"corpus": StepResources(cpus=3, memory_gb=5)}
    assert resources_of(write, ComputeConfig(resources=asked), gpus=8).words() == "3 CPUs, 5 GB"
