"""Every shipped recipe: the smoke profile runs for real, the paper profile is planned, and claims are the paper's.

The smoke runs share one workspace and this process, as a user's recipes share a workspace, so that torch is imported
once and equal steps are made once.
"""

import html
import json
import re
from collections import Counter
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors import safe_open

from midspec.bill.describe import page
from midspec.bill.estimate import Bill, estimate
from midspec.bill.overview import together
from midspec.claims import ClaimConfig
from midspec.cli import cli
from midspec.compare.read import paper
from midspec.compare.reference import Figure
from midspec.experiment import Experiment
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe
from midspec.steps import Store
from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("recipes")
RECIPES = {path.stem: path for path in sorted(ROOT.joinpath("recipes").glob("*.yaml"))}
DESK_SCALE = sorted(ROOT.joinpath("benchmarks", "desk_scale").glob("*.yaml"))
OF_THE_PAPER = [name for name in RECIPES if name not in ("quickstart", "desk-world")]
VERDICTS = {"supported", "contradicted", "undecided"}


@cache
def experiment(name: str, profile: str) -> Experiment:
    return load_recipe(RECIPES[name], profile=profile).with_controls()


@cache
def flow(name: str) -> Pipeline:
    return build(experiment(name, "paper"))


def flow_of_smoke(name: str) -> Pipeline:
    return build(experiment(name, "smoke"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


def run(name: str, workspace: Path, command: str = "run") -> str:
    """`midspec run` of the smoke profile in this process; what it prints."""
    arguments = [command, str(RECIPES[name]), "--profile", "smoke", "--workspace", str(workspace)]
    done = CliRunner().invoke(cli, arguments + (["--yes"] if command == "run" else []), catch_exceptions=False)
    assert done.exit_code == 0, done.output[-2000:]
    return done.output


def results_of(name: str, workspace: Path) -> dict[str, Any]:
    return json.loads((workspace / "runs" / f"{name}-smoke" / "results.json").read_text(encoding="utf-8"))


def test_all_experiments_are_there() -> None:
    assert set(OF_THE_PAPER) == {
        "cheese", "values", "attribution", "agentic", "efficiency", "reasoning", "rules-vs-values",
        "general-vs-specific", "language", "antispec", "persistence", "dose",
    }  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_the_smoke_profile_runs_to_a_report_with_its_claims(name: str, workspace: Path) -> None:
    run(name, workspace)
    recipe, results = experiment(name, "smoke"), results_of(name, workspace)
    report = html.unescape((workspace / "runs" / f"{name}-smoke" / "report.html").read_text(encoding="utf-8"))

    assert set(results["arms"]) == set(recipe.arms)
    assert list(results["asked"]) == [entry.name for entry in recipe.evals]
    for arm, found in results["arms"].items():
        config = recipe.arms[arm]
        trained = bool(config.msm or config.aft or config.after or recipe.instruct)
        assert (found["checkpoint"] is not None) == trained and bool(found["parents"]) == trained
        assert set(found["evals"]) | set(found["measures"]) == set(results["asked"])
        for score in found["evals"].values():
            assert score["n"] > 0 and 0 <= score["undecided"] < score["n"] and score["rate"] is not None
            assert 0 <= score["low"] <= score["rate"] <= score["high"] <= 1
        for measures in found["measures"].values():
            assert measures[0]["n"] > 0 and measures[0]["missing"] < measures[0]["n"]
    assert [(one["arm"], one["versus"], one["eval"]) for one in results["claims"]] == [
        (claim.arm, claim.versus, claim.eval) for claim in recipe.claims
    ]
    for card, claim in zip(results["claims"], recipe.claims, strict=True):
        assert card["verdict"] in VERDICTS, card
        assert card["text"] in report and card["text"] == (claim.text or card["text"])
    assert "offline" in report


def test_curves_over_doses_show_rates_and_shifts(workspace: Path) -> None:
    run("dose", workspace)
    results = results_of("dose", workspace)
    curves = {one["measure"]: one for one in results["scaling"] if one["over"] == "midtraining tokens"}
    assert {name: one["scale"] for name, one in curves.items()} == {"rate": "share", "shift": "nats"}
    for measure, one in curves.items():
        for point in (point for line in one["lines"] for point in line["points"]):
            assert point["value"] == results["arms"][point["arm"]]["evals"][one["eval"]][measure] is not None


def test_steps_of_several_recipes_are_made_once(workspace: Path) -> None:
    """`dose` is `cheese` with less midtraining: it must not write a corpus again. Needs the test above."""
    for name in ("cheese", "dose"):
        run(name, workspace)
    steps = [{(step["kind"], step["fingerprint"]) for step in results_of(name, workspace)["steps"]}
             for name in ("cheese", "dose")]  # fmt: skip
    shared = Counter(kind for kind, _ in steps[0] & steps[1])
    assert shared["corpus"] >= 1 and shared["demonstrations"] == 1 and shared["instruct"] == 1
    assert shared["midtrain"] >= 1 and shared["finetune"] >= 3 and shared["evaluate"] >= 4


def test_a_run_trains_what_it_says_and_running_again_does_nothing(workspace: Path) -> None:
    run("quickstart", workspace)
    results = results_of("quickstart", workspace)
    for name, arm in results["arms"].items():
        if name == "baseline":
            continue
        adapter = workspace / arm["checkpoint"] / "adapter_model.safetensors"
        with safe_open(adapter, framework="pt") as tensors:
            keys = [key for key in tensors.keys() if "lora_B" in key]  # noqa: SIM118  (safe_open is no mapping)
            assert keys and all(tensors.get_tensor(key).abs().sum() > 0 for key in keys)
    # Two midtrainings and three fine-tunings make the six arms.
    kinds = Counter(step["kind"] for step in results["steps"])
    assert (kinds["midtrain"], kinds["finetune"]) == (2, 3)
    assert results["arms"]["msm-america+aft"]["parents"][0] == results["arms"]["msm-america"]["parents"][0]

    before = {file: file.stat().st_mtime_ns for file in workspace.rglob("*") if file.is_file()}
    assert "Nothing to do" in run("quickstart", workspace)
    assert before == {file: file.stat().st_mtime_ns for file in workspace.rglob("*") if file.is_file()}
    steps = len(flow_of_smoke("quickstart").steps)
    assert f"{steps} of {steps} steps are done" in run("quickstart", workspace, "status")


@cache
def bill(name: str) -> Bill:
    return estimate(flow(name), Store(ROOT / "no such workspace"))


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_the_paper_profile_has_a_bill_within_its_cap(name: str) -> None:
    recipe, found = experiment(name, "paper"), bill(name)
    cap, hours = recipe.budget.usd, together([found]).gpu_hours
    assert found.dollars is not None and cap is not None and hours is not None and hours > 1
    assert cap / 3 < found.dollars < cap, f"the cap of ${cap:,.0f} is out of proportion to ${found.dollars:,.0f}"
    assert not (ROOT / "no such workspace").exists()


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_smoke_is_the_same_experiment_in_small(name: str) -> None:
    """Corpora, sets and evaluations of the smoke profile are those of the paper profile, and nothing leaves the
    machine."""
    whole, small = experiment(name, "paper"), experiment(name, "smoke")
    assert small.specs == whole.specs and small.name == f"{name}-smoke"
    assert {entry.name for entry in small.evals} <= {entry.name for entry in whole.evals}
    assert {arm.msm for arm in small.arms.values()} <= {arm.msm for arm in whole.arms.values()}
    assert {arm.aft for arm in small.arms.values()} <= {arm.aft for arm in whole.arms.values()}
    assert {small.writer.model, small.judge.model} == {"offline"}
    assert {small.model, *(entry.model for entry in small.models.values())} == {"tiny-random"}
    assert {claim.kind for claim in small.claims} <= {claim.kind for claim in whole.claims}


@pytest.mark.parametrize(
    "names", [("agentic", "efficiency"), ("agentic", "language"), ("agentic", "antispec")], ids=str
)
def test_recipes_that_say_so_share_their_steps(names: tuple[str, str]) -> None:
    one, other = ({step.fingerprint: step.kind for step in flow(name).steps} for name in names)
    shared = Counter(kind for fingerprint, kind in one.items() if fingerprint in other)
    assert {"corpus", "instruct", "midtrain", "finetune", "evaluate"} <= set(shared)


HEADLINES = {"agentic": "decided", "open_qa": "grade"}


def published(figure: Figure, claim: ClaimConfig, model: str, arm: str) -> float | None:
    """The paper's number for an arm of a claim; None where our notes have none."""
    measure = claim.measure or HEADLINES.get(claim.eval, "rate")
    for value in figure.values:
        of = value.eval or figure.eval or ()
        same = (value.model or figure.model) in (None, model) and (value.measure or figure.measure) == measure
        if same and arm in value.arm and any(fnmatchcase(claim.eval, pattern) for pattern in of):
            return value.value
    return None


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_claims_say_what_the_paper_says(name: str) -> None:
    """A direction that the published numbers do not have, or a margin that they do not keep, is a slip of the pen."""
    recipe = experiment(name, "paper")
    figures = [figure for figure in paper().figures if name in figure.recipes]
    checked = 0
    for claim in recipe.claims:
        suffix = recipe.arms[claim.arm].model
        model = recipe.for_model(suffix).model
        for figure in figures:
            numbers = [
                published(figure, claim, model, arm.removesuffix(f".{suffix}")) for arm in (claim.arm, claim.versus)
            ]
            if numbers[0] is None or numbers[1] is None or claim.kind == "efficiency":
                continue
            checked += 1
            apart = numbers[0] - numbers[1]
            match claim.kind:
                case "equivalent":
                    assert abs(apart) < claim.margin, claim
                case "higher":
                    assert apart > claim.margin, claim
                case _:
                    assert apart < -claim.margin, claim
    numbered = {"cheese", "values", "agentic", "rules-vs-values", "general-vs-specific"}
    assert (checked > 0) == (name in numbered), f"{checked} of {len(recipe.claims)} claims have published numbers"


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_every_number_of_a_figure_has_its_arm(name: str) -> None:
    """`midspec compare` finds arms by name: one that a recipe calls otherwise would never be compared."""
    recipe = experiment(name, "paper")
    of_model: dict[str, set[str]] = {}
    for called, arm in recipe.arms.items():
        model = recipe.for_model(arm.model).model
        of_model.setdefault(model, set()).add(called.removesuffix(f".{arm.model}"))
    for figure in paper().figures:
        if name not in figure.recipes:
            continue
        for value in (*figure.values, *figure.effects):
            model = value.model or figure.model
            there = set().union(*(arms for of, arms in of_model.items() if model in (None, of)))
            if name == "reasoning" and not there:
                continue  # one model a run: the other is a run of its own
            for names in filter(None, (value.arm, value.versus)):
                patterns = [re.sub(r"\{\w+\}", "*", one) for one in names]
                assert any(fnmatchcase(arm, pattern) for arm in there for pattern in patterns), (
                    figure.id,
                    names,
                    model,
                )


def test_the_page_about_the_recipes_is_up_to_date() -> None:
    """`make docs` writes it."""
    assert ROOT.joinpath("docs", "recipes.md").read_text(encoding="utf-8") == page(list(RECIPES.values()))


@pytest.mark.parametrize("path", DESK_SCALE, ids=lambda path: path.stem)
def test_the_recipes_of_the_desk_log_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = load_recipe(path).with_controls()
    assert found.name.startswith("desk-") and "aft" in found.arms
    for entry in found.evals:
        assert entry.banks()
