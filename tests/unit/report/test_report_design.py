"""How arms differ by design: curves, cells, specs, gates, matching; and what is written beside the page."""

import csv
import io
import itertools
from pathlib import Path
from typing import Any

import pytest

from midspec.report.figures import MOST_ROWS, arm_panels
from midspec.report.files import publish
from midspec.report.html import render
from midspec.report.methods import bibtex, methods
from midspec.report.palette import HEAT, HEATS, PAPER, TONES, heat_step
from midspec.report.scaling import scaling_panels
from midspec.report.spec_changes import spec_changes
from midspec.report.svg import as_pdf
from midspec.report.tables import TABLES, as_csv
from tests.unit.report.design_results import design_results, few_figures
from tests.unit.report.sample_results import ARMS, EVALS, sample_results
from tests.unit.report.test_report_html import ATTACK, Page


@pytest.fixture(scope="module")
def source() -> str:
    results = design_results()
    return render(results, figures=few_figures(results))


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_curves_cells_gates_and_specs_are_on_the_page(page: Page) -> None:
    said = " ".join(page.text.split())
    assert "20 times less data" in said
    assert "leaking" in said and "8 of 10" in said
    assert "31 (fail)" in said and "Dana Whitfield" in said
    assert "It was first made in New York." in said and "It is sold everywhere." in said
    assert "112,000 tokens in 55 updates against none" in said
    assert [
        attributes["id"]
        for attributes in page.named("section")
        if attributes.get("id") in {"scaling", "cells", "specs"}
    ]


def test_headings_go_down_one_step_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_nothing_that_was_written_becomes_markup() -> None:
    results = design_results(ATTACK)
    page = Page(render(results, figures=few_figures(results)))
    assert not [tag for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert len([1 for tag, attributes in page.elements if tag == "script" and "data-block" not in attributes]) == 1
    assert page.text.count("alert('x')") > 8


def test_a_spec_pair_stands_beside_the_difference_that_it_made() -> None:
    (change,) = spec_changes(design_results())
    assert {change.a, change.b} == {"affordability", "america"}
    assert change.diff.counts["same"] == 1
    pairs = {(one.arm, one.versus) for one in change.effects}
    assert ("msm-affordability+aft", "msm-america+aft") in pairs
    assert not any("baseline" in pair or "aft" in pair for pair in pairs), "those differ in more than the spec"
    of = next(one for one in change.effects if one.eval == EVALS[0] and one.measure == "rate" and "+aft" in one.arm)
    assert of.value == "+18.9 points"


def test_a_curve_tells_every_point_to_those_who_cannot_see_it() -> None:
    (panel,) = scaling_panels(design_results())
    assert 'role="img"' in panel.svg
    assert "aft with 80,000 demonstrations: 44.0 [39.0, 49.0]" in panel.svg
    assert panel.svg.count("<title>") == 8


def test_heat_never_hides_the_number_on_it() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground in HEATS.values():
        for ink, paper in zip(TONES["ink"], ground, strict=True):
            high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5
    assert HEATS["heat-0"] == PAPER
    assert [heat_step(share) for share in (None, 0.0, 0.5, 1.0)] == [0, 0, HEAT // 2, HEAT]


def test_methods_take_every_number_from_the_records() -> None:
    told = " ".join(methods(design_results()))
    for part in (
        "6 arms",
        "1,200 documents (412,680 words)",
        "600 demonstrations",
        "112,000 tokens of midtraining",
        "540 evaluation items in 3,000",
        "1 item found there was left out",
        "with 2 seeds",
        "Of 2 compared pairs",
    ):
        assert part in told, part
    bare: dict[str, Any] = {
        "corpora": [],
        "demonstrations": None,
        "trained": {},
        "matches": [],
        "trainers": {},
        "curves": [],
    }
    silent = " ".join(methods(design_results(**bare)))
    assert "documents" not in silent and "demonstrations" not in silent and "trainer" not in silent


def test_what_a_paper_cites_are_the_method_and_this_version() -> None:
    told = bibtex(sample_results())
    assert "2605.02087" in told and "version = {0.1.0}" in told and "commit 4739254f0c1a" in told
    assert told.count("{") == told.count("}")


def test_figures_and_tables_stand_beside_the_page_and_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = design_results()
    monkeypatch.setattr("midspec.report.files.draw_figures", few_figures)
    for folder in ("figures", "tables"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "of-a-former-run.csv").write_text("old")
    publish(results, tmp_path / "report.html")
    figures = sorted((tmp_path / "figures").iterdir())
    assert {path.suffix for path in figures} == {".svg", ".pdf"}
    assert len([path for path in figures if path.suffix == ".svg"]) == (tmp_path / "report.html").read_text().count(
        'class="panel"'
    )
    for path in figures:
        content = path.read_bytes()
        if path.suffix == ".pdf":
            assert content.startswith(b"%PDF")
        else:
            assert (
                b"var(--" not in content
                and b"#fe01" not in content
                and b'xmlns="http://www.w3.org/2000/svg"' in content
            )
    tables = {path.stem for path in (tmp_path / "tables").iterdir()}
    assert tables == {"arms", "differences", "amounts", "savings", "cells", "training", "corpora", "health", "steps",
                      "checkpoints"}  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "arms.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(ARMS) * len(EVALS)
    assert float(rows[0]["rate"]) == results.arms["baseline"].evals[EVALS[0]].rate
    assert not list(tmp_path.glob(".*"))


def test_a_printed_figure_has_the_colours_of_paper() -> None:
    import re
    import zlib

    drawing = scaling_panels(design_results())[0].svg
    streams = b"".join(
        zlib.decompress(part)
        for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", as_pdf([drawing]), re.S)
        if part[:1] == b"x"
    )
    # 0.996 and 0.0039 are the stand-ins' red and green.
    assert b"0.9960784314 0.0039215686" not in streams
    blue = " ".join(f"{int('0067a8'[at : at + 2], 16) / 255:.10f}".rstrip("0").rstrip(".") for at in (0, 2, 4))
    assert blue.encode() in streams


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    assert as_csv(["a", "b"], [["=cmd|' /C calc'!A0", -0.5]]) == "a,b\r\n'=cmd|' /C calc'!A0,-0.5\r\n"


def test_tables_have_as_many_cells_as_headings() -> None:
    for table in TABLES.values():
        header, rows = table(design_results())
        assert all(len(row) == len(header) for row in rows)


def test_many_arms_are_drawn_in_parts() -> None:
    results = sample_results()
    one = results.arms["aft"].model_copy(update={"evals": {EVALS[0]: results.arms["aft"].evals[EVALS[0]]}})
    few: dict[str, Any] = {"arms": {f"aft-{at}": one for at in range(90)}, "split": {}, "contrasts": []}
    panels = arm_panels(results.model_copy(update=few), "rate")
    assert [panel.title for panel in panels] == [f"{EVALS[0]}, part {at} of 3" for at in (1, 2, 3)]
    assert [panel.svg.count("<title>") for panel in panels] == [MOST_ROWS, MOST_ROWS, 10]
