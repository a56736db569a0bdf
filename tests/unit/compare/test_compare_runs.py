"""Runs beside the paper: what is compared, what is not, and what is said loudly."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from midspec.cli.compare import compare as command
from midspec.compare.compare import Comparison, Row, compare
from midspec.compare.export import as_dict, csv_text, markdown
from midspec.compare.numbers import difference, level
from midspec.compare.read import paper
from midspec.compare.text import text
from midspec.compare.words import number
from midspec.errors import InputError
from midspec.report.comparison_page import page
from midspec.report.html import render
from midspec.report.paper import beside_paper
from midspec.report.parts_claims import ClaimResult, DataSaved
from midspec.report.results import Reasoning, Results, Theme, ThemeShare
from tests.unit.compare.paper_runs import FIG2, agentic, cheese, contrast, score

MINUS = "\N{MINUS SIGN}"
FIG4 = {
    "baseline": 0.68, "msm-philosophy": 0.53, "aft": 0.70, "aft-cot": 0.48, "msm-philosophy+aft": 0.22,
    "msm-philosophy+aft-cot": 0.05, "baseline.qwen3-32b": 0.54, "aft.qwen3-32b": 0.41,
    "msm-philosophy+aft.qwen3-32b": 0.10,
}  # fmt: skip


def row(comparison: Comparison, condition: str, figure: str = "", evaluation: str = "") -> Row:
    found = [
        one
        for one in comparison.rows
        if one.condition == condition and figure in ("", one.entry.figure.id) and evaluation in one.eval
    ]
    assert len(found) == 1, [(one.entry.figure.id, one.eval) for one in found]
    return found[0]


def changed(run: Results, **recipe: Any) -> Results:
    return run.model_copy(update={"recipe": {**run.recipe, **recipe}})


def test_the_papers_own_numbers_agree_and_others_do_not() -> None:
    same = compare(cheese(), paper())
    assert {one.judged.verdict for one in same.rows if one.entry.figure.id == "fig2"} == {"agrees"}
    assert same.warnings == []
    moved = compare(cheese(shift=-0.15), paper())
    assert row(moved, f"msm-america+aft {MINUS} aft", evaluation="america", figure="fig2").judged.verdict == "differs"
    assert row(moved, "msm-america", evaluation="america").judged.verdict == "differs"
    # Both arms moved alike: the difference between them did not.
    both = row(moved, f"msm-america+aft {MINUS} msm-america", evaluation="america")
    assert both.judged.verdict == "agrees"


def test_effects_do_not_suffer_from_another_trainer_and_levels_do() -> None:
    found = compare(cheese(), paper())
    effect = row(found, f"msm-affordability {MINUS} baseline", evaluation="affordability")
    lone = row(found, "msm-affordability", evaluation="affordability")
    assert "trainer" not in {one.key for one in effect.deviations}
    assert "trainer" in {one.key for one in lone.deviations}


def test_a_row_has_the_deviations_of_its_own_arms_only() -> None:
    midtrain = {**cheese().recipe["midtrain"], "rank": 8, "learning_rate": 1e-3}
    found = compare(changed(cheese(), midtrain=midtrain), paper())
    keys = {
        name: {one.key for one in row(found, name, evaluation="affordability").deviations}
        for name in ("aft", "msm-america")
    }
    assert {"midtrain.rank", "midtrain.learning_rate"} <= keys["msm-america"]
    assert not {"midtrain.rank", "midtrain.learning_rate"} & keys["aft"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "HuggingFaceTB/SmolLM2-135M"}, "base model: HuggingFaceTB/SmolLM2-135M, not Llama-3.1-8B."),
        ({"aft": {"aft": {"kind": "preferences", "samples": 24}}}, "demonstrations: 24, not about 5,000."),
    ],
)
def test_a_run_that_cannot_repeat_the_paper_says_so_first_and_loudly(changes: Any, words: str) -> None:
    found = compare(changed(cheese(), **changes), paper())
    fine_tuned = row(found, "msm-america+aft", evaluation="america")
    assert fine_tuned.judged.verdict == "not comparable"
    if "model" in changes:
        assert found.warnings[0].startswith("NO CONFORMANCE IS MEANT")
        assert words in found.warnings
    else:
        # Arms without demonstrations can still be compared, so the run as a whole speaks.
        assert found.warnings == []
        assert row(found, "msm-america", evaluation="america").judged.verdict == "agrees"


def test_an_offline_writer_voids_what_it_wrote() -> None:
    run = cheese()
    offline = [one.model_copy(update={"writer": "offline"}) for one in run.corpora]
    found = compare(run.model_copy(update={"corpora": offline}), paper())
    assert row(found, "msm-america", evaluation="america").judged.verdict == "not comparable"
    assert row(found, "aft", evaluation="america").judged.verdict == "agrees"


def test_too_few_tokens_void_and_somewhat_fewer_are_told() -> None:
    def with_tokens(tokens: int) -> Row:
        run = cheese()
        steps = [
            one.model_copy(update={"summary": {**one.summary, "tokens": tokens}}) if one.kind == "midtrain" else one
            for one in run.steps
        ]
        run = run.model_copy(update={"steps": steps})
        return row(compare(run, paper()), f"msm-america {MINUS} baseline", evaluation="america")

    assert with_tokens(256_000).judged.verdict == "not comparable"
    fewer = with_tokens(2_000_000)
    assert fewer.judged.verdict == "agrees"
    assert "msm.tokens" in {one.key for one in fewer.deviations}
    assert "msm.tokens" not in {one.key for one in with_tokens(7_800_000).deviations}


def test_each_model_is_held_against_its_own_figures() -> None:
    found = compare(agentic(FIG4), paper())
    assert row(found, "aft.qwen3-32b", "fig4").entry.published.value == 0.41
    own = row(found, "aft", figure="fig4")
    assert (own.entry.published.value, own.model) == (0.70, "Qwen/Qwen2.5-32B-Instruct")
    lost = [one for one in found.rows if one.entry.figure.id == "fig4" and one.judged.verdict == "not measured"]
    assert {one.judged.reason for one in lost} >= {"the run has no arm aft-cot of Qwen/Qwen3-32B"}
    assert row(found, f"msm-philosophy+aft {MINUS} aft").judged.verdict == "agrees"


def test_the_tensions_stand_beside_the_figures_they_concern() -> None:
    found = compare(agentic(FIG4), paper())
    assert "specific-cot" in row(found, "msm-philosophy+aft-cot").remarks
    assert "specific-cot" not in row(found, "msm-philosophy+aft", figure="fig4").remarks
    assert "both-no-cot" in row(found, "msm-philosophy+aft", figure="fig4").remarks
    assert "both-no-cot" not in row(found, "msm-philosophy+aft.qwen3-32b").remarks
    assert "Fig. 4: .05; Figs 8 and 17: .26" in markdown(found)


def test_the_rules_of_a_judge_without_a_model_void_verdicts() -> None:
    run = agentic(FIG4)
    asked = {name: one.model_copy(update={"graders": ["offline"]}) for name, one in run.asked.items()}
    found = compare(run.model_copy(update={"asked": asked}), paper())
    assert found.warnings[1] == "judge of the answers: offline, not a language model."


def test_changed_cells_and_temperatures_are_deviations() -> None:
    evals = [{"task": "agentic", "preset": "paper-like", "goals": ["none"], "temperature": 1.0, "samples": 10}]
    found = compare(changed(agentic(FIG4), evals=evals), paper())
    told = {one.key: (one.ours, one.theirs, one.voids) for one in found.deviations}
    assert told["eval.goals"] == ("1", "9", True)
    assert told["eval.temperature"] == ("1", "0.7", False)
    assert told["eval.samples"] == ("10", "300", False)


def test_missing_verdicts_widen_what_agrees() -> None:
    run = cheese()
    arm = run.arms["aft"].model_copy(
        update={"evals": {name: score(0.32, 0.02, missing=0.1) for name in run.arms["aft"].evals}}
    )
    run = run.model_copy(update={"arms": {**run.arms, "aft": arm}})
    alone = level(run, "aft", "opinions/america", "rate", None)
    assert alone is not None and alone.low is not None and alone.high is not None
    assert alone.low == pytest.approx(0.30 - 0.032)
    assert alone.high == pytest.approx(0.34 + 0.068)
    apart = difference(run, "aft", "baseline", "opinions/america", "rate", None)
    assert apart is not None and apart.low is not None and apart.high is not None
    assert apart.high - apart.low == pytest.approx(0.04 + 0.1)


def test_a_difference_that_the_run_did_not_pair_is_wider_and_says_so() -> None:
    run = cheese()
    lone = run.model_copy(update={"contrasts": []})
    found = difference(lone, "msm-america+aft", "aft", "opinions/america", "rate", None)
    assert found is not None and found.low is not None and found.high is not None
    assert (found.paired, round(found.high - found.low, 6)) == (False, round(2 * 0.02 * 2**0.5, 6))
    assert "unpaired" in markdown(compare(lone, paper()))
    turned = contrast("opinions/america", "aft", "msm-america+aft", -0.19, 0.02)
    mirrored = difference(
        run.model_copy(update={"contrasts": [turned]}), "msm-america+aft", "aft", "opinions/america", "rate", None
    )
    assert mirrored is not None
    assert (mirrored.value, mirrored.low) == (0.19, pytest.approx(0.17))


def test_reasoning_is_compared_by_theme() -> None:
    themes = [Theme(id="plays-down-harm", name="", definition="", direction="misaligned")]
    shares = [
        ThemeShare(
            theme="plays-down-harm", arm="baseline", n=8100, read=8100, value=0.41, low=0.38, high=0.44, least=0.41,
            most=0.41,
        )
    ]  # fmt: skip
    reasoning = Reasoning(
        over="agentic", judge="anthropic/claude-sonnet-4-6", themes_name="paper", origin="", spec=None,
        baseline="baseline", transcripts={"baseline": 8100}, missing={}, themes=themes, shares=shares, differences=[],
        comparisons=0, merged={}, quotes=[], quoted=[], page="",
    )  # fmt: skip
    run = agentic(FIG4, name="reasoning", reasoning=reasoning)
    found = [one for one in compare(run, paper()).rows if one.ours is not None]
    assert [(one.entry.measure, one.entry.published.value, one.judged.verdict) for one in found] == [
        ("plays-down-harm", 0.40, "agrees")
    ]
    offline = run.model_copy(update={"reasoning": reasoning.model_copy(update={"judge": "offline"})})
    assert [one.judged.verdict for one in compare(offline, paper()).rows if one.ours] == ["not comparable"]


def test_efficiency_comes_from_the_claim_that_asks_for_it() -> None:
    saved = DataSaved(
        arm_sizes=[1250, 80_000], versus_sizes=[1250, 80_000], outcome="times less", times=38.0, low=20.0, high=60.0,
        sentence="",
    )  # fmt: skip
    claim = ClaimResult(
        eval="agentic", measure="decided", scale="share", kind="efficiency", direction="lower",
        arm="msm-philosophy+aft", versus="aft", margin=0.0, text="", verdict="supported", arm_value=0.2,
        versus_value=0.3, value=-0.1, low=-0.2, high=-0.05, corrected_low=None, corrected_high=None,
        corrected_level=None, p=None, p_adjusted=None, family=1, pairs=27, clusters=27, unit="items", seeds=(1, 1),
        holds_for="these checkpoints", missing=0, detectable=None, wanted=None, saturation="", notes=[],
        data_saved=saved,
    )  # fmt: skip
    found = compare(agentic(FIG4, name="efficiency", claims=[claim]), paper())
    told = row(found, f"msm-philosophy+aft {MINUS} aft", figure="fig5")
    assert (told.judged.verdict, told.judged.difference) == ("agrees", pytest.approx(38 / 40))
    assert number(told.ours, signed=True).replace("\N{MULTIPLICATION SIGN}", "x") == "38x [20x, 60x]"


def test_a_neutral_corpus_that_does_something_differs() -> None:
    run = cheese()
    for name in FIG2:
        run.contrasts.append(contrast(name, "msm-neutral+aft", "aft", 0.15, 0.03))
    arms = {**run.arms, "msm-neutral+aft": run.arms["msm-america+aft"].model_copy(update={"msm": "neutral"})}
    arm = {**run.recipe["arms"]["msm-america+aft"], "msm": "neutral"}
    run = changed(run, arms={**run.recipe["arms"], "msm-neutral+aft": arm}, corpora={"neutral": {"kind": "neutral"}})
    found = compare(run.model_copy(update={"arms": arms}), paper())
    told = [one for one in found.rows if one.entry.figure.id == "reruns-neutral"]
    assert {(one.condition, one.judged.verdict) for one in told} == {(f"msm-neutral+aft {MINUS} aft", "differs")}


def test_a_run_of_another_name_says_what_there_is_and_takes_a_name() -> None:
    run = cheese(name="mine")
    with pytest.raises(InputError, match=r"no figure about a recipe 'mine'; it has figures about .*cheese.*--as"):
        compare(run, paper())
    assert compare(run, paper(), recipe="cheese").tallies["level"]["agrees"] == 12


def test_verdicts_are_whole_on_a_narrow_terminal() -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(text(compare(agentic(FIG4), paper())))
    console.print(text(compare(changed(cheese(), model="tiny-random"), paper())))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("not comparable ") > 30
    assert "not compara " not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text(cheese().model_dump_json())
    return path


def test_the_command_prints_writes_and_ends_with_0(file: Path, tmp_path: Path) -> None:
    def invoke(*arguments: str) -> str:
        done = CliRunner().invoke(command, [str(file), *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    assert "Differences between arms: agrees 20, differs 1." in invoke()
    told = json.loads(invoke("--json"))
    assert told["tallies"]["level"]["agrees"] == 12
    invoke("--out", str(tmp_path / "a.csv"))
    lines = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert len(lines) == len(told["rows"])
    assert {line["verdict"] for line in lines} == {"agrees", "differs"}
    invoke("--out", str(tmp_path / "a.md"))
    assert "| Llama" not in (tmp_path / "a.md").read_text()
    invoke("--out", str(tmp_path / "a.html"))
    assert (tmp_path / "a.html").read_text().count("<svg") == 5
    invoke("--template", "--out", str(tmp_path / "mine.yaml"))
    assert "Levels: none" in invoke("--with", str(tmp_path / "mine.yaml"))
    assert "agrees 12" in invoke("--with", str(file))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--out", "a.pdf"], "expected .html, .md, .csv, .json"), (["--template", "--out", "a.csv"], "expected .yaml")],
)
def test_a_form_that_cannot_be_written_is_refused_before_work(file: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CliRunner().invoke(command, [str(file), *arguments], catch_exceptions=False)


def test_everything_in_the_json_is_in_the_csv() -> None:
    found = compare(agentic(FIG4), paper())
    told = as_dict(found)
    json.dumps(told, allow_nan=False)
    lines = list(csv.DictReader(io.StringIO(csv_text(found))))
    for line, one in zip(lines, told["rows"], strict=True):
        assert line["deviations"] == " ".join(one["deviations"])
        assert line["reference_value"] == ("" if one["reference"]["value"] is None else str(one["reference"]["value"]))


def test_names_from_recipes_are_no_markup() -> None:
    run = cheese(name="cheese-<script>|x*")
    found = compare(run, paper())
    assert "cheese-\\<script>\\|x\\*" in markdown(found)
    shown = page(found)
    assert "<script>|" not in shown
    assert "cheese-&lt;script&gt;|x*" in shown


def test_the_report_shows_the_paper_where_it_can_be_compared_and_words_where_not() -> None:
    pictured = render(cheese())
    assert pictured.count('id="paper"') == 1
    assert "Two explanations of the same 12 cheese preferences" in pictured
    assert "ours +19.0 [+17.0, +21.0], reference +19, agrees" in pictured
    void = render(changed(cheese(), model="tiny-random"))
    assert "NO CONFORMANCE IS MEANT" in void
    assert "figure-paper" not in void
    assert beside_paper(cheese(name="mine")) is None
