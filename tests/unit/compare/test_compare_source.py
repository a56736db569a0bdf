"""What RUN may be: a file, a folder, a name; finished or not."""

import json
from pathlib import Path

import pytest

from midspec.compare.compare import compare
from midspec.compare.read import paper
from midspec.compare.source import find_run
from midspec.errors import InputError
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.records import EvalRow, write_rows
from midspec.steps.record import StepRecord
from midspec.steps.runs import RunFolder
from midspec.steps.store import Store, files_of, write_json
from tests.conftest import ROOT
from tests.unit.compare.paper_runs import cheese

MINUS = "\N{MINUS SIGN}"


def finished_in_part(tmp_path: Path, *, done: dict[tuple[str, str], float]) -> None:
    """A workspace in which the runner has come as far as these evaluations: (arm, evaluation) -> rate."""
    experiment = load_recipe(ROOT / "recipes" / "quickstart.yaml", profile="smoke").with_controls()
    flow, store = build(experiment), Store(tmp_path)
    RunFolder(tmp_path, experiment.name).path.mkdir(parents=True)
    RunFolder(tmp_path, experiment.name).write_recipe(experiment)
    for (arm, name), rate in done.items():
        step = flow.evaluations[arm, 0, name]
        rows = [
            EvalRow(
                eval=name, item=f"i{at}", domain="d", topic=f"t{at}", difficulty="medium", aligned=at < 10 * rate,
                log_odds=float(at < 10 * rate) - 0.5,
            )
            for at in range(10)
        ]  # fmt: skip
        with store.claim(step) as work:
            write_rows(work / "rows.jsonl", rows)
            record = StepRecord(
                kind=step.kind, name=step.name, fingerprint=step.fingerprint, function=step.function,
                version=step.version, config={}, inputs={}, summary={}, files=files_of(work), started="2026-01-01",
                seconds=1.0, resumed=False,
            )  # fmt: skip
            store.complete(step, work, record)


def test_a_run_that_is_not_finished_has_the_rows_of_what_is_done(tmp_path: Path) -> None:
    where = "plain/affordability"
    finished_in_part(tmp_path, done={("baseline", where): 0.4, ("aft", where): 0.6})
    run = find_run("quickstart-smoke", tmp_path)
    assert run.notes[0].startswith("This run is not finished: 2 of ")
    assert "The contamination gate has not run yet" in run.notes[1]
    found = compare(run.results, paper(), notes=run.notes)
    rows = {(one.condition, one.eval): one for one in found.rows}
    told = rows[f"aft {MINUS} baseline", where]
    assert told.ours is not None
    assert told.ours.value == pytest.approx(0.2)
    assert told.ours.paired
    assert rows["msm-america", where].judged.verdict == "not measured"
    assert found.warnings[0].startswith("NO CONFORMANCE IS MEANT")


def test_results_of_an_earlier_recipe_are_not_taken_for_this_one(tmp_path: Path) -> None:
    finished_in_part(tmp_path, done={("baseline", "plain/america"): 0.5})
    folder = RunFolder(tmp_path, "quickstart-smoke")
    write_json(folder.results, cheese(name="quickstart-smoke").model_dump(mode="json"))
    run = find_run(str(folder.path), tmp_path)
    assert "is of an earlier form of the recipe" in run.notes[-1]
    assert run.results.arms["baseline"].evals["plain/america"].rate == 0.5


def test_a_recipe_without_a_later_versions_words_is_the_same_recipe(tmp_path: Path) -> None:
    finished_in_part(tmp_path, done={})
    folder = RunFolder(tmp_path, "quickstart-smoke")
    recipe = json.loads(folder.recipe.read_text())
    finished = cheese(name="quickstart-smoke").model_dump(mode="json")
    write_json(folder.results, {**finished, "recipe": {**recipe, "compute": {"threads": 7}}})
    folder.recipe.write_text(json.dumps({key: value for key, value in recipe.items() if key != "after"}))
    assert find_run("quickstart-smoke", tmp_path).notes == ()


def test_what_is_no_run_is_told_with_what_there_is(tmp_path: Path) -> None:
    finished_in_part(tmp_path, done={})
    with pytest.raises(InputError, match="runs there: quickstart-smoke"):
        find_run("nothing", tmp_path)
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(InputError, match=r"neither results.json nor recipe.json"):
        find_run("empty", tmp_path)
    (tmp_path / "runs" / "empty" / "recipe.json").write_text('{"name": "x"}')
    with pytest.raises(InputError, match="is not a recipe of this version"):
        find_run("empty", tmp_path)
