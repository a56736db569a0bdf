"""A recipe on a Ray cluster, a node of which is killed midway, ends like the same recipe in one process."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import command, midspec

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
SMOKE = (RECIPE, "--profile", "smoke", "--set", "compute.threads=1", "--yes")


@pytest.fixture
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # By default Ray takes half a minute to believe that a machine is dead.
    noticed = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": noticed}
    made = Cluster(initialize_head=True, head_node_args=head)
    yield made
    made.shutdown()


def fingerprints(workspace: Path) -> dict[str, str]:
    """Kind and fingerprint of every finished step -> its rows, where it has any."""
    found: dict[str, str] = {}
    for file in sorted(workspace.glob("steps/[!.]*/*/record.json")):
        record = json.loads(file.read_text())
        rows = file.parent / "rows.jsonl"
        found[f"{record['kind']} {record['fingerprint']}"] = rows.read_text() if rows.exists() else ""
    return found


def test_the_quickstart_with_a_node_killed_midway(cluster: Any, tmp_path: Path) -> None:
    midspec("run", *SMOKE, "--workspace", tmp_path / "one")
    doomed, other = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2)
    away = "{midtrain: {cpus: 2}, finetune: {cpus: 2}, evaluate: {cpus: 2}}"  # not on the head, which must live
    run = command(
        "run", *SMOKE, "--engine", "ray", "--address", cluster.address, "--workspace", tmp_path / "many",
        "--set", f"compute.resources={away}",
    )  # fmt: skip
    assert other is not None
    deadline = time.monotonic() + 480
    while not list((tmp_path / "many/steps").glob("midtrain/*")):
        assert time.monotonic() < deadline, "no midtraining was finished"
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.05)
    cluster.remove_node(doomed, allow_graceful=False)
    _, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors
    assert fingerprints(tmp_path / "many") == fingerprints(tmp_path / "one")
    assert (tmp_path / "many/runs/quickstart-smoke/report.html").is_file()
