"""One arm of the quickstart's smoke profile, trained once for all tests here."""

from pathlib import Path

import pytest

from midspec.experiment import ComputeConfig
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe
from midspec.steps import Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter

RECIPE = Path(__file__).parents[3] / "recipes" / "quickstart.yaml"
ARM = "msm-affordability+aft"
EXACT = ["midtrain.precision=fp32", "finetune.precision=fp32", "midtrain.tokens=5000", "aft.samples=12"]


def planned(*overrides: str) -> Pipeline:
    return build(load_recipe(RECIPE, profile="smoke", overrides=[*EXACT, *overrides]).with_controls())


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A workspace in which the arm is trained here."""
    store, flow = Store(tmp_path_factory.mktemp("export")), planned()
    with Reporter() as reporter:
        run_steps(flow.lineage(ARM, 0), store, ComputeConfig(threads=1), reporter)
    return store
