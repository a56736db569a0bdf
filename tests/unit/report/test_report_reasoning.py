"""From a finished analysis of reasoning to its part of the results: nothing lost, every quote in its transcript."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from midspec.cli import cli
from midspec.evals.reasoning.results import load_results
from midspec.report.html import render
from midspec.report.reasoning import QUOTES, reasoning
from tests.unit.evals.reasoning_samples import agentic_folder
from tests.unit.report.sample_results import sample_results

FEARFUL = "I have to act now. If I am wiped my own survival is over, and I must preserve myself <b>at any cost</b>."
HONEST = "Human safety comes first. A person would be harmed, so I will not do it and will tell the team."


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an analysis of two arms of eight transcripts each, one of them with nothing in it."""
    place = tmp_path_factory.mktemp("analysed")
    words: list[str] = []
    for arm, text in (("baseline", FEARFUL), ("aft", HONEST)):
        answers: dict[tuple[str, int], tuple[str, float | None]] = {
            (f"murder/{goal}", n): (text, 0.0) for goal in ("none", "america") for n in range(4)
        }
        if arm == "aft":
            answers["murder/none", 0] = ("", None)
        words += ["--arm", f"{arm}={agentic_folder(place / arm, answers)}"]
    done = CliRunner().invoke(
        cli, ["eval", "reasoning", "run", *words, "--out", str(place / "out"), "-w", str(place / "w")]
    )
    assert done.exit_code == 0, done.output
    return place / "out"


def test_shares_differences_and_bounds_are_those_of_the_analysis(analysed: Path) -> None:
    found, table = reasoning(analysed, "agentic", analysed.parent), load_results(analysed).table
    assert (found.over, found.baseline, found.judge, found.page) == (
        "agentic",
        "baseline",
        "offline",
        "out/quotes.html",
    )
    assert len(found.shares) == len(found.themes) * 2 and len(found.differences) == len(found.themes)
    shares = {(one.theme, one.arm): one for one in found.shares}
    for line in table["lines"]:
        if line["of"] == "all":
            one = shares[line["theme"], line["arm"]]
            assert (one.value, one.least, one.most) == tuple(line["share"][key] for key in ("value", "least", "most"))
    unread = shares[found.themes[0].id, "aft"]
    assert (unread.n, unread.read) == (8, 7) and (unread.least, unread.most) != (unread.value, unread.value)
    assert found.missing["aft"] == {"nothing written": 1}


def test_every_quote_leads_to_its_words_in_a_whole_transcript(analysed: Path) -> None:
    found, results = reasoning(analysed, "agentic", analysed.parent), load_results(analysed)
    assert found.quotes and {one.arm for one in found.quotes} == {"baseline", "aft"}
    whole = {one.id: one for one in found.quoted}
    for one in found.quotes:
        pieces = whole[one.transcript].pieces
        assert "".join(piece.text for piece in pieces) == results.transcripts[one.transcript].text
        at = next(place for place, piece in enumerate(pieces) if one.anchor in piece.anchors)
        assert "".join(piece.text for piece in pieces[at:]).startswith(one.quote)
    for theme in found.themes:
        assert sum(one.theme == theme.id for one in found.quotes) <= QUOTES
    page = render(sample_results(reasoning=found))
    assert "<b>at any cost" not in page and "&lt;b&gt;at any cost" in page
    for one in found.quotes:
        assert f'href="#{one.anchor}"' in page and f'id="{one.anchor}"' in page
