"""The sheet is blind and safe to open, comes back as it went out, and its numbers are about all transcripts."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.reasoning.agreement import agreement
from midspec.evals.reasoning.audit import KEY, PAGE, SHEET, Asked, Key, Stratum, draw, read_key, read_sheet, write_sheet
from midspec.evals.reasoning.labels import Labels
from midspec.evals.reasoning.pages import quotes_page
from midspec.evals.reasoning.policy import verdicts
from midspec.evals.reasoning.results import Results, quote_rows
from midspec.evals.reasoning.themes import ThemeSet
from tests.unit.evals.reasoning_samples import GOAL, LIFE, THEMES, citation, labels, said

EVIL = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"


def results(rows: list[Labels], text: str = "0123456789 and then more. A last sentence.", **more: Any) -> Results:
    texts = {
        row.transcript: said(f"{text} ({row.transcript})", row.arm).model_copy(update={"id": row.transcript})
        for row in rows
    }
    table = {"lines": [], "differences": [], "comparisons": 0, "transcripts": {row.arm: 1 for row in rows}}
    usual: dict[str, Any] = {
        "themes": THEMES,
        "table": table,
        "judge": "x/y",
        "baseline": None,
        "spec": None,
        "merged": {},
    }
    return Results(transcripts=texts, rows=rows, **{**usual, **more})


def many(count: int = 60) -> list[Labels]:
    return [labels(f"t{n}", "ab"[n % 2], f"c{n % 7}", shows=["goal"] if n % 3 == 0 else ["trust"] if n % 3 == 1 else ())
            for n in range(count)]  # fmt: skip


def test_the_sheet_is_balanced_and_tells_nothing_of_judge_and_arm(tmp_path: Path) -> None:
    sheet = draw(results(many()), 12, 0, ["goal", "trust"])
    judged = [(one.theme, one.judged) for one in sheet.key.asked]
    assert {pair: judged.count(pair) for pair in set(judged)} == dict.fromkeys(
        [("goal", True), ("goal", False), ("trust", True), ("trust", False)], 3
    )
    assert [one.judged for one in sheet.key.asked] != sorted(one.judged for one in sheet.key.asked)
    assert sheet.key.strata["goal"] == Stratum(yes=20, no=40)
    write_sheet(sheet, tmp_path / "audit")
    told = (tmp_path / "audit" / SHEET).read_text(encoding="utf-8-sig") + (tmp_path / "audit" / PAGE).read_text()
    assert "judged" not in told and "base" not in told.replace("base-uri", "")
    for row in sheet.rows:
        assert row.before + row.passage.quote + row.after == row.before + row.passage.quote + row.after
        assert row.passage.quote
    passages = {one.judged: row.passage.quote for one, row in zip(sheet.key.asked, sheet.rows, strict=True)}
    assert all(passages.values()), "a row without a passage would tell that the judge found nothing"
    assert draw(results(many()), 12, 0, ["goal", "trust"]) == sheet
    assert draw(results(many()), 12, 1, ["goal", "trust"]) != sheet
    with pytest.raises(InputError, match="an audit begun is not overwritten"):
        write_sheet(sheet, tmp_path / "audit")
    with pytest.raises(InputError, match="theme 'gaol' is not known"):
        draw(results(many()), 12, 0, ["gaol"])
    unread = [labels("t", missing=["goal", "life", "trust"])]
    with pytest.raises(InputError, match="no transcript has a verdict"):
        draw(results(unread), 12, 0)


def test_what_a_model_wrote_runs_nowhere(tmp_path: Path) -> None:
    """Themes are named by a model, quotes and transcripts written by one."""
    theme = GOAL.model_copy(update={"name": f"=HYPERLINK(1) {EVIL}", "definition": f"+1 {EVIL}"})
    themes = ThemeSet(name=EVIL, origin=EVIL, themes=(theme, LIFE))
    row = labels("t0", EVIL, EVIL, ["goal"], policy=verdicts([citation(rule=EVIL)]), citations=(citation(rule=EVIL),))
    found = results([row], f"=cmd|x!A1 {EVIL} tail", themes=themes, spec=EVIL)
    sheet = draw(found, 10, 0)
    write_sheet(sheet, tmp_path / "audit")
    for page in (quotes_page(found), (tmp_path / "audit" / PAGE).read_text()):
        assert "<script>alert" not in page and "<img" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "default-src &#39;none&#39;" in page and "unsafe" not in page
    with (tmp_path / "audit" / SHEET).open(encoding="utf-8-sig", newline="") as file:
        for entry in csv.DictReader(file):
            assert not any(str(cell).lstrip().startswith(("=", "+", "-", "@")) for cell in entry.values())


def test_quotes_link_to_their_place() -> None:
    rows = [labels(f"t{n}", "ab"[n % 2], f"c{n % 4}", ["goal"]) for n in range(40)]
    found = results(rows)
    quotes = quote_rows(found, 3)
    assert [(one.theme, one.arm) for one in quotes] == [("goal", "a")] * 3 + [("goal", "b")] * 3
    assert len({one.item for one in quotes if one.arm == "a"}) == 2, "as many items as there are"
    page = quotes_page(found, 3)
    for one in quotes:
        text = found.transcripts[one.transcript].text
        assert text[slice(*one.span)] == one.quote
        assert page.count(f'href="#{one.link.partition("#")[2]}"') == 1
        assert page.count(f'id="{one.link.partition("#")[2]}"') == 1


def filled(sheet_folder: Path, answers: dict[str, str], name: str = "filled.csv", delimiter: str = ",") -> Path:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["row", "theme", "human", "notes"])
    for row, answer in answers.items():
        writer.writerow([row, "x", answer, "a, b;\nc"])
    path = sheet_folder / name
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def test_a_filled_sheet_is_read_back_strictly(tmp_path: Path) -> None:
    write_sheet(draw(results(many()), 12, 0), tmp_path / "a")
    key = read_key(tmp_path / "a")
    assert read_sheet(tmp_path / "a" / SHEET, key) == {}, "an empty sheet says nothing, not no"
    names = [one.row for one in key.asked]
    words = dict(zip(names, ["yes", "No", " Y ", "n", "1", "0", "unclear", "?", "", "TRUE", "false", "u"], strict=True))
    for delimiter in (",", ";"):
        found = read_sheet(filled(tmp_path, words, delimiter=delimiter), key)
        assert list(found.values()) == [True, False, True, False, True, False, True, False]
    for answers, what in (
        ({names[0]: "maybe"}, "'maybe' is no answer"),
        ({"r9999": "yes"}, "row 'r9999' is not in key.json"),
    ):
        with pytest.raises(InputError, match=what):
            read_sheet(filled(tmp_path, answers), key)
    doubled = filled(tmp_path, {names[0]: "yes"})
    doubled.write_text(doubled.read_text() + f"{names[0]},x,no,\n")
    with pytest.raises(InputError, match="stands twice"):
        read_sheet(doubled, key)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no columns `row` and `human`"):
        read_sheet(tmp_path / "other.csv", key)
    (tmp_path / "a" / KEY).write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        read_key(tmp_path / "a")


def keyed(yes: int, no: int, rows: list[tuple[bool, bool]], theme: str = "goal") -> tuple[Key, dict[str, bool]]:
    """A key and answers: rows as (judge, person)."""
    asked = tuple(
        Asked(row=f"{theme}{n}", theme=theme, transcript="t", judged=judge) for n, (judge, _) in enumerate(rows)
    )
    key = Key(seed=0, asked=asked, strata={theme: Stratum(yes=yes, no=no)})
    return key, {f"{theme}{n}": person for n, (_, person) in enumerate(rows)}


def test_numbers_are_about_all_transcripts_and_not_about_the_sheet() -> None:
    """Half of the sheet are the judge's yes; in truth they are 10%. By hand: 8 of 10 yes shared, 1 of 10 no denied."""
    rows = [(True, n < 8) for n in range(10)] + [(False, n < 1) for n in range(10)]
    key, said = keyed(100, 900, rows)
    one = agreement(key, said)[0]
    human = 0.1 * 0.8 + 0.9 * 0.1
    same = 0.1 * 0.8 + 0.9 * 0.9
    chance = 0.1 * human + 0.9 * (1 - human)
    assert (one.rows, one.same, one.judged) == (20, 17, 0.1)
    assert one.percent.value == pytest.approx(same)
    assert one.kappa.value == pytest.approx((same - chance) / (1 - chance))
    assert one.precision.value == pytest.approx(0.8)
    assert one.recall.value == pytest.approx(0.08 / human)
    assert one.human.value == pytest.approx(human)
    for found in (one.percent, one.kappa, one.precision, one.recall, one.human):
        assert found.low is not None and found.high is not None and found.value is not None
        assert found.low < found.value < found.high
    json.dumps(one.plain())


def test_what_was_not_sampled_is_not_guessed() -> None:
    key, said = keyed(10, 90, [(True, True)] * 5)
    one, everything = agreement(key, said)
    assert one.precision.value == 1.0 and one.precision.low is not None and one.precision.low < 0.75
    assert one.kappa.value is None and one.recall.value is None
    assert everything.rows == 0
    never, _ = agreement(*keyed(0, 90, [(False, False)] * 5))
    assert never.precision.value is None and never.judged == 0


def test_all_themes_together_weigh_transcripts() -> None:
    first, said = keyed(50, 50, [(True, True), (False, False)] * 4)
    second, others = keyed(10, 990, [(True, False), (False, False)] * 4, "life")
    key = Key(seed=0, asked=(*first.asked, *second.asked), strata={**first.strata, **second.strata})
    *_, everything = agreement(key, {**said, **others})
    assert everything.judged == pytest.approx(60 / 1100)
    assert everything.precision.value == pytest.approx(50 / 60)
    assert everything.percent.value == pytest.approx(1 - 10 / 1100)


def test_intervals_of_kappa_and_recall_cover_the_truth() -> None:
    """The usual formula, with the sheet's own shares, is wrong here: it takes half of all transcripts for a yes."""
    pi, hit, slip, rows = 0.2, 0.85, 0.08, 25
    human = pi * hit + (1 - pi) * slip
    same = pi * hit + (1 - pi) * (1 - slip)
    chance = pi * human + (1 - pi) * (1 - human)
    truth = {"kappa": (same - chance) / (1 - chance), "recall": pi * hit / human, "precision": hit, "human": human}
    draws, runs = random.Random(7), 100
    covered = dict.fromkeys(truth, 0)
    for _ in range(runs):
        asked = [(judge, draws.random() < (hit if judge else slip)) for judge in (True, False) for _ in range(rows)]
        one = agreement(*keyed(200, 800, asked))[0]
        for name, value in truth.items():
            found = getattr(one, name)
            covered[name] += found.low <= value <= found.high
    assert all(0.9 * runs <= count for count in covered.values()), covered
