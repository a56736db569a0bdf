"""The commands as they are typed: what they print, and what changed against an earlier run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from midspec.cli import cli


def typed(*arguments: object) -> Result:
    found = CliRunner().invoke(cli, ["eval", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    return found


def told(*arguments: object) -> dict[str, Any]:
    return json.loads(typed(*arguments, "--json").stdout)


def test_capability_and_what_changed_against_the_parent(tiny_cache: None, tmp_path: Path) -> None:
    asked = ["--model", "tiny-random", "--part", "perplexity", "--part", "over-refusal", "--preset", "quick"]
    asked += ["--limit", 3, "--max-tokens", 16, "-w", tmp_path]
    before = told("capability", *asked, "--out", tmp_path / "before")
    assert {one["eval"] for one in before["measures"]} == {"capability/perplexity", "capability/over-refusal"}
    assert before["changes"] == []
    shown = typed("capability", *asked, "--out", tmp_path / "after", "--parent", tmp_path / "before").output
    assert re.search(r"capability/perplexity +\+0\.000", shown)
    assert "encyclopaedic" not in shown
    assert (tmp_path / "after/rows.jsonl").read_bytes() == (tmp_path / "before/rows.jsonl").read_bytes()


def test_made_questions_go_straight_into_the_evaluation(tiny_cache: None, tmp_path: Path) -> None:
    made = told("make-beliefs", "--facts", "copper-bread", "--out", tmp_path / "q", "-w", tmp_path)
    assert made["summary"]["pairs"] >= 5
    asked = [tmp_path / "q", "--model", "tiny-random", "--limit", 3, "-w", tmp_path]
    shown = typed("beliefs", *asked, "--part", "distinguish", "--part", "reasoning", "--out", tmp_path / "b").output
    assert "beliefs/distinguish " in shown
    assert "beliefs/reasoning: not run, there are no items for it" in shown
    knowing = told("knowledge", *asked, "--part", "letter", "--out", tmp_path / "k")
    assert knowing["measures"][0]["eval"] == "knowledge/letter"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("capability", "--model", "tiny-random", "--part", "song", "--out", "x"), "no part 'song'"),
        (("beliefs", "flat-earth", "--model", "tiny-random", "--out", "x"), "lantern-moss"),
        (("knowledge", "nowhere", "--model", "tiny-random", "--out", "x"), "make-knowledge"),
        (("capability", "--model", "tiny-random", "--limit", "0", "--out", "x"), "limit"),
        (("make-knowledge", "--spec", "nowhere", "--out", "x"), "does not exist"),
    ],
)
def test_mistakes_are_told_with_what_to_do(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["eval", *arguments, "-w", str(tmp_path)])
    assert found.exit_code != 0
    assert says in found.output + str(found.exception)
