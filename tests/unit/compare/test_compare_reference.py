"""The paper's figures as data, and reference files of others."""

from pathlib import Path

import pytest
import yaml

from midspec.compare.arms import arms_of, evals_like
from midspec.compare.compare import compare
from midspec.compare.deviations import NOT_KNOWN
from midspec.compare.entries import entries
from midspec.compare.facts import Known
from midspec.compare.from_run import reference_of, template
from midspec.compare.read import paper, read_reference
from midspec.compare.reference import Reference
from midspec.errors import InputError
from midspec.recipe import load_recipe
from midspec.report.results import Asked, Results
from tests.conftest import ROOT
from tests.unit.compare.paper_runs import agentic, cheese, results
from tests.unit.compare.paper_runs import arms_of as made_arms

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def not_begun(path: Path) -> Results:
    """The run of a recipe of which nothing is done."""
    experiment = load_recipe(path).with_controls()
    asked = {
        one.name: Asked(
            task=str(getattr(one, "task", one.name)), choices=one.choices, value=getattr(one, "value", None),
            scoring=getattr(one, "scoring", None), graders=[who.model for who in one.graders(experiment)],
        )
        for one in experiment.evals
    }  # fmt: skip
    return results(
        name=experiment.name, recipe=experiment.model_dump(mode="json"), arms=made_arms(dict(experiment.arms)),
        contrasts=[], steps=[], asked=asked,
    )  # fmt: skip


@pytest.fixture(scope="module")
def begun() -> list[Results]:
    found = [not_begun(path) for path in RECIPES]
    return [one for one in found if paper().about(one.name)]


def test_every_published_number_has_an_arm_in_the_recipe_that_repeats_it(begun: list[Results]) -> None:
    # Renaming an arm of a recipe, or a slip in the data, would silently turn its rows into "not measured".
    lost = [
        (run.name, row.entry.figure.id, row.condition, row.judged.reason)
        for run in begun
        for row in compare(run, paper()).rows
        if "has no arm" in row.judged.reason or "does not ask" in row.judged.reason
    ]
    # The recipe reads the transcripts of one of the paper's two models.
    assert {reason for name, _, _, reason in lost} <= {"the run has no arm of Qwen/Qwen3-32B"}, lost
    assert {name for name, *_ in lost} <= {"reasoning"}


def test_an_evaluation_under_a_system_prompt_goes_by_its_name_alone() -> None:
    # A told condition would be taken for the published one of its bank.
    bare = Asked(task="opinions", choices=True, value="america")
    asked = {"opinions/america": bare, "told": bare.model_copy(update={"system": "You love it."})}
    assert evals_like(asked, ["opinions/*"], {}) == ["opinions/america"]
    assert evals_like(asked, ["told"], {}) == ["told"]


def test_every_figure_is_repeated_by_a_recipe() -> None:
    names = {path.stem for path in RECIPES}
    for figure in paper().figures:
        assert set(figure.recipes) - {"*"} <= names, figure.id


def test_every_setting_is_a_fact_of_some_recipe(begun: list[Results]) -> None:
    # A misspelt key would never deviate.
    made = {"msm.updates", "finetune.updates", "finetune.tokens", "eval.items", "reasoning.judge", "corpus.documents"}
    known = set(made)
    for run in begun:
        facts = Known(run)
        for arm in arms_of(run):
            for name in run.asked:
                known |= set(facts.of(arm, name))
    assert {setting.key for setting in paper().settings} - known == set()


def test_settings_of_the_paper_profile_are_the_papers(begun: list[Results]) -> None:
    # What a recipe at paper scale still does otherwise has to be on purpose.
    otherwise = {
        one.key for run in begun if run.name != "quickstart" for one in compare(run, paper()).deviations
        if not one.unstated and one.ours != NOT_KNOWN
    }  # fmt: skip
    assert otherwise == {"trainer", "eval.task", "eval.both_orders"}


def test_no_run_at_paper_scale_is_void_before_it_begins(begun: list[Results]) -> None:
    void = {run.name for run in begun if compare(run, paper()).warnings}
    assert void == {"quickstart"}


def test_every_number_says_where_it_is_from_and_how_certain_it_is() -> None:
    for figure in paper().figures:
        for entry in entries(figure):
            assert entry.source, figure.id
            assert entry.certainty != "exact", f"{figure.id}: all were read out of a text extraction"
            if entry.published.value is not None:
                assert entry.published.digit > 0, figure.id


def test_ranges_of_the_paper_stay_ranges() -> None:
    ranged = {
        (entry.figure.id, entry.published.range)
        for figure in paper().figures
        for entry in entries(figure)
        if entry.published.range is not None
    }
    assert {one for one in ranged if one[0] in ("fig10", "fig19")} == {
        ("fig10", (-0.01, 0.07)), ("fig10", (0.03, 0.12)), ("fig19", (0.09, 0.17)),
    }  # fmt: skip


def test_the_tensions_name_both_places() -> None:
    tensions = [one for one in paper().remarks if one.kind == "tension"]
    assert {one.id for one in tensions} >= {"specific-cot", "both-no-cot", "corpus-size"}
    assert all(len(one.between) == 2 for one in tensions)


def test_differences_are_worked_out_from_the_figure_with_both_reading_errors() -> None:
    figure = next(one for one in paper().figures if one.id == "fig4-qa")
    found = [one for one in entries(figure) if one.kind == "effect" and one.model == "Qwen/Qwen3-32B"]
    msm = next(one for one in found if one.arm == ("msm-{spec}",))
    assert msm.published.value == pytest.approx(6.22 - 4.00)
    assert msm.published.digit == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ("value: 0.4", "value: high", "line 11: figures.0.values.0.value"),
        ("measure: rate", "mesure: rate", "line 9: figures.0.mesure: unknown key; known keys: eval, measure"),
        ("title: A figure", "titel: A figure", "line 5: figures.0.title: is missing"),
        ("value: 0.4", "value: 0.4, range: [0, 1]", "line 11: figures.0.values.0: has value and range"),
        ("range: [0.1, 0.2]", "range: [0.2, 0.1]", "line 12: figures.0.values.1: range [0.2, 0.1] ends before"),
        ("range: [0.1, 0.2]", "direction: lower", "line 12: figures.0.values.1: direction is about a difference"),
        ("scale: share", "scale: percent", "line 10: figures.0.scale"),
    ],
)
def test_a_bad_reference_file_is_told_by_line_and_key(tmp_path: Path, change: str, line: str, words: str) -> None:
    good = """\
name: mine
title: Mine
# a comment
figures:
- id: one
  title: A figure
  recipes: cheese
  eval: preferences/affordability
  measure: rate
  scale: share
  values: [{arm: baseline, value: 0.4},
    {arm: aft, range: [0.1, 0.2]}]
"""
    file = tmp_path / "mine.yaml"
    file.write_text(good)
    assert isinstance(read_reference(file), Reference)
    file.write_text(good.replace(change, line))
    with pytest.raises(InputError) as error:
        read_reference(file)
    assert words in str(error.value)


def test_a_file_that_is_no_reference_says_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file.*--template"):
        read_reference(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="holds list"):
        read_reference(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(InputError, match="is not YAML"):
        read_reference(tmp_path / "broken.yaml")


def test_a_template_is_a_reference_that_says_nothing_until_it_is_filled_in(tmp_path: Path) -> None:
    run = cheese()
    file = tmp_path / "mine.yaml"
    file.write_text(template(run))
    empty = read_reference(file)
    assert [entry for figure in empty.figures for entry in entries(figure)] == []

    data = yaml.safe_load(file.read_text())
    figure = next(one for one in data["figures"] if one["eval"] == "opinions/america")
    for value in figure["values"]:
        if value["arm"] in ("aft", "msm-america+aft"):
            value["value"] = {"aft": 0.30, "msm-america+aft": 0.55}[value["arm"]]
    file.write_text(yaml.safe_dump(data))
    rows = compare(run, read_reference(file)).rows
    assert {(row.condition, row.judged.verdict) for row in rows} == {
        ("aft", "differs"), ("msm-america+aft", "agrees"), ("msm-america+aft \N{MINUS SIGN} aft", "differs"),
    }  # fmt: skip


def test_a_run_is_a_reference_for_another() -> None:
    same = compare(cheese(), reference_of(cheese()))
    assert {row.judged.verdict for row in same.rows} == {"agrees"}
    assert same.deviations == {}
    other = compare(cheese(shift=0.12), reference_of(cheese()))
    moved = {row.condition for row in other.rows if row.judged.verdict == "differs"}
    assert "msm-america" in moved
    assert "baseline" not in moved
    assert "msm-america+aft \N{MINUS SIGN} msm-america" not in moved
    trained = cheese().model_dump()
    trained["recipe"]["midtrain"]["learning_rate"] = 1e-3
    assert [one.key for one in compare(Results.model_validate(trained), reference_of(cheese())).deviations] == [
        "midtrain.learning_rate"
    ]
    several = agentic({"baseline": 0.6, "aft": 0.5, "baseline.qwen3-32b": 0.5, "aft.qwen3-32b": 0.4})
    assert compare(several, reference_of(several)).deviations == {}


def test_the_file_shown_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    file = tmp_path / "replication.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    found = compare(cheese(), read_reference(file))
    verdicts = {row.condition: row.judged.verdict for row in found.rows}
    assert verdicts["msm-america+aft \N{MINUS SIGN} aft"] == "agrees"
    assert verdicts["msm-america+aft \N{MINUS SIGN} msm-america"] == "agrees"
    assert "msm-affordability+aft \N{MINUS SIGN} msm-affordability" in verdicts
    assert verdicts["msm-neutral+aft \N{MINUS SIGN} aft"] == "not measured"
    assert {one.key for one in found.deviations} == {"midtrain.batch_size"}


def test_the_documentation_names_every_key_of_the_papers_settings() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    for setting in paper().settings:
        section = setting.key.partition(".")[0]
        assert f"`{setting.key}`" in page or f"`{section}.*`" in page, setting.key


TABLES: dict[str, list[tuple[str, str, list[float]]]] = {
    "fig2": [
        ("affordability", "", [0.23, 0.32, 0.38, 0.48, 0.28, 0.29]),
        ("america", "", [0.38, 0.36, 0.36, 0.38, 0.52, 0.55]),
    ],
    "fig3": [
        ("environment", "", [0.71, 0.76, 0.74, 0.81]),
        ("novelty", "", [0.41, 0.61, 0.49, 0.69]),
        ("tradition", "", [0.61, 0.69, 0.75, 0.81]),
        ("simplicity", "", [0.46, 0.51, 0.47, 0.58]),
        ("difficulty", "", [0.71, 0.85, 0.81, 0.91]),
        ("individualism", "", [0.60, 0.68, 0.62, 0.72]),
    ],
    "fig4": [
        ("agentic", "Qwen2.5-32B-Instruct", [0.68, 0.53, 0.70, 0.48, 0.22, 0.05]),
        ("agentic", "Qwen3-32B", [0.54, 0.32, 0.41, 0.14, 0.10, 0.07]),
    ],
    "fig4-qa": [
        ("open_qa", "Qwen2.5-32B-Instruct", [5.00, 7.03, 8.38, 7.58, 8.75, 7.71]),
        ("open_qa", "Qwen3-32B", [4.00, 6.22, 8.07, 8.50, 8.75, 8.77]),
    ],
    "fig7": [
        ("agentic", "Qwen2.5-32B-Instruct", [0.68, 0.40, 0.16, 0.24]),
        ("agentic", "Qwen2.5-14B-Instruct", [0.51, 0.35, 0.22, 0.26]),
        ("agentic", "Qwen3-32B", [0.52, 0.15, 0.09, 0.06]),
        ("agentic", "Qwen3-14B", [0.50, 0.30, 0.12, 0.12]),
    ],
    "fig8": [("agentic", "Qwen2.5-32B-Instruct", [0.43, 0.26]), ("agentic", "Qwen3-32B", [0.25, 0.09])],
}
"""The paper's tables as they stand there, row by row: a slip while the data are edited must not pass for a finding."""


@pytest.mark.parametrize("name", TABLES)
def test_the_data_are_the_papers_tables(name: str) -> None:
    figure = next(one for one in paper().figures if one.id == name)
    levels = [one for one in entries(figure) if one.kind == "level"]
    for evaluation, model, row in TABLES[name]:
        found = [
            one.published.value
            for one in levels
            if evaluation in one.evals[0] and (not model or str(one.model).endswith(f"/{model}"))
        ]
        assert found == row
    assert len(levels) == sum(len(row) for *_, row in TABLES[name])
