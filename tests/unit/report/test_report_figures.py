"""Figures, colours, numbers and the terminal table."""

import re
from xml.etree import ElementTree

import pytest
from rich.console import Console

from midspec.report import svg
from midspec.report.curves import curve_name, curve_panels, losses
from midspec.report.figures import arm_panels, contrast_panels
from midspec.report.format import (
    dollars,
    duration,
    moment,
    nats,
    percent,
    percent_interval,
    plain,
    points,
    shorten,
)
from midspec.report.palette import SENTINELS, TONES, families
from midspec.report.text import summary_table
from tests.unit.report.sample_results import ARMS, EVALS, curve, sample_results


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def test_one_panel_per_evaluation_with_every_arm_named_in_text() -> None:
    panels = arm_panels(sample_results(), "rate")
    assert [panel.title for panel in panels] == list(EVALS)
    for panel in panels:
        assert set(ARMS) <= set(texts(panel.svg))


def test_generated_answers_have_no_shift_panel() -> None:
    results = sample_results()
    assert [panel.title for panel in arm_panels(results, "shift")] == list(EVALS[:2])
    assert [panel.title for panel in contrast_panels(results, "shift")] == [f"{name} (n = 360)" for name in EVALS[:2]]


def test_tooltips_carry_value_interval_and_n() -> None:
    svg = arm_panels(sample_results(), "rate")[0].svg
    titles = [element.text for element in ElementTree.fromstring(svg).iter("title")]
    assert "msm-affordability+aft: 48.2% [40.9, 55.5], n = 360" in titles


def test_every_colour_follows_the_theme() -> None:
    """A colour left as hex would vanish on one of the two papers."""
    results = sample_results()
    panels = [
        *arm_panels(results, "rate"),
        *arm_panels(results, "shift"),
        *contrast_panels(results, "rate"),
        *curve_panels(results),
    ]
    for panel in panels:
        assert not re.search(r"#[0-9a-fA-F]{6}\b", panel.svg), re.findall(r"#[0-9a-fA-F]{6}\b", panel.svg)
        assert set(re.findall(r"var\(--([\w-]+)\)", panel.svg)) <= set(TONES)
        assert "font-family" not in panel.svg and "DejaVu" not in panel.svg


@pytest.mark.parametrize(
    ("style", "themed"),
    [
        ("font: 700 11px 'DejaVu Sans', sans-serif; fill: #fe0101", "font-size:11px;font-weight:700;fill:var(--ink)"),
        ("font: 10.5px 'DejaVu Sans'; text-anchor: end", "font-size:10.5px;font-weight:400;text-anchor:end"),
        ("font-size: 10px; font-family: 'DejaVu Sans'; fill: #fe0102", "font-size:10px;fill:var(--muted)"),
    ],
)
def test_the_page_chooses_the_font_whatever_matplotlib_writes(style: str, themed: str) -> None:
    assert svg._themed(style) == themed


def test_no_sentinel_is_a_colour_matplotlib_would_use() -> None:
    assert len(set(SENTINELS.values())) == len(TONES)
    assert all(colour.startswith("#fe01") for colour in SENTINELS.values())


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("role", [role for role in TONES if role not in {"paper", "rule", "wash"}])
@pytest.mark.parametrize("ground", ["paper", "wash"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_colours_meet_wcag_aa(role: str, ground: str, theme: str) -> None:
    pair = sorted((luminance(getattr(TONES[role], theme)), luminance(getattr(TONES[ground], theme))))
    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5


def test_specs_differ_in_hue_and_shape_and_no_midtraining_is_grey() -> None:
    looks = families(sample_results(recipe={"specs": {f"spec-{index}": "x" for index in range(20)}}))
    assert looks[None].tone == "none"
    assert len(set(looks.values())) == len(looks)


def test_a_dollar_in_a_name_is_no_mathematics() -> None:
    results = sample_results()
    name = r"arm $\frac{1}$ 5"
    panel = arm_panels(results.model_copy(update={"arms": {name: results.arms["aft"]}}), "rate")[0]
    assert name in texts(panel.svg)


def test_names_in_another_script_draw_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    results = sample_results()
    panel = arm_panels(results.model_copy(update={"arms": {"基线": results.arms["aft"]}}), "rate")[0]
    assert "基线" in texts(panel.svg)
    assert [str(entry.message) for entry in recwarn if "Glyph" in str(entry.message)] == []


def test_curves_take_the_colour_of_the_spec_their_arm_descends_from() -> None:
    results = sample_results()
    midtraining, finetuning = curve_panels(results)
    assert (midtraining.title, finetuning.title) == ("Midtraining", "Fine-tuning")
    looks = families(results)
    for spec in ("affordability", "america", None):
        assert f"stroke:var(--{looks[spec].tone})" in finetuning.svg
    assert {"affordability-seed0", "america-seed1"} <= set(texts(midtraining.svg))
    # All of this panel share the seed, so it is left out.
    assert {"aft", "msm-affordability+aft"} <= set(texts(finetuning.svg))


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    long = curve("midtrain", "x-0", "x", updates=20_000, start=3, end=1)
    svg = curve_panels(sample_results(curves=[long]))[0].svg
    assert len(svg) < 20_000
    assert losses(long)[0] == long.points[0] and losses(long)[-1] == long.points[-1] and len(losses(long)) == 5
    assert curve_name(long) == "midtrain x"


def test_numbers_are_written_with_a_true_minus_and_a_sign() -> None:
    assert [percent(0.4831), percent(None), percent(-0.0001), percent(1.0)] == ["48.3", "–", "0.0", "100.0"]
    assert [points(0.1234), points(-0.05), points(0.0), points(None)] == ["+12.3", "−5.0", "0.0", "–"]
    assert [nats(0.314), nats(-0.314)] == ["+0.31", "−0.31"]
    assert [percent_interval(0.1, 0.2), percent_interval(None, 0.2)] == ["[10.0, 20.0]", ""]
    assert [duration(0.44), duration(59.4), duration(60), duration(3599.9), duration(7500)] == [
        "0.4 s", "59 s", "1 min 00 s", "1 h 00 min", "2 h 05 min"
    ]  # fmt: skip
    assert [dollars(0), dollars(0.0021), dollars(1234.5)] == ["$0.00", "$0.0021", "$1,234.50"]
    assert [moment("2026-03-14T10:26:53+01:00"), moment("long ago")] == ["2026-03-14 09:26 UTC", "long ago"]
    assert [plain(None), plain(True), plain(12345), plain({"b": 1})] == ["–", "yes", "12,345", '{"b": 1}']


def test_shortening_keeps_both_ends() -> None:
    assert shorten("msm-affordability-stated+aft", 15) == "msm-aff…ted+aft"
    assert all(len(shorten("x" * 50, length)) == length for length in range(3, 50))


def test_the_terminal_table_shows_every_arm_and_reads_no_markup() -> None:
    results = sample_results()
    results = results.model_copy(update={"arms": {**results.arms, "[bold]odd[/]": results.arms["aft"]}})
    console = Console(width=120, record=True, file=None, quiet=False, no_color=True)
    with console.capture() as capture:
        console.print(summary_table(results))
    out = capture.get()
    for name in (*ARMS, *EVALS, "[bold]odd[/]"):
        assert name in out
    assert "48.2 [40.9, 55.5]" in out and "+0.98 [+0.89, +1.07]" in out
