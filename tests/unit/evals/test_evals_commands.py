"""The commands of `midspec eval` for banks, open QA and made data, from their options to their files."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from midspec.cli import cli
from midspec.errors import InputError

MEANING = "Punctuality is the habit of being on time and of letting others be on time.\n"


def called(*words: str) -> Any:
    result = CliRunner().invoke(cli, ["eval", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_pairs_are_made_and_evaluated(tiny_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a description of a value to a rate, without any model but the one under test."""
    monkeypatch.chdir(tmp_path)
    Path("value.txt").write_text(MEANING, encoding="utf-8")
    words = ["make-pairs", "--value", "Punctuality", "--describe", "value.txt", "--pairs", "60", "--out", "bank.jsonl"]
    assert "it measures nothing" in called(*words).stdout
    assert len(Path("bank.jsonl").read_text().splitlines()) >= 60
    told = called(
        "preferences/bank.jsonl", "--model", "tiny-random", "--limit", "2", "--scoring", "judge", "--out", "rows.jsonl",
        "--json",
    )  # fmt: skip
    result = json.loads(told.stdout)
    assert (result["n"], result["undecided"], result["missing"]) == (2, 2, 0)
    assert len(Path("rows.jsonl").read_text().splitlines()) == 2
    shown = called("preferences/bank.jsonl", "--model", "tiny-random", "--limit", "2", "--scoring", "letter").stdout
    assert "Undecided 0 of 2" in shown
    assert "choice follows the order in" in shown


def test_questions_are_made_and_asked(tiny_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    called("make-questions", "--spec", "cheese-america", "--count", "12", "--out", "questions.jsonl")
    words = ["open-qa", "--model", "tiny-random", "--spec", "cheese-america", "--questions", "questions.jsonl"]
    words += ["--preset", "quick", "--split", "all", "--limit", "3", "--max-tokens", "16", "--judge2", "offline"]
    shown = called(*words, "--out", "result").stdout
    assert "overall" in shown
    assert "offline against offline" in shown
    assert len((tmp_path / "result/rows.jsonl").read_text().splitlines()) == 3
    assert list((tmp_path / "result/logs").glob("*.eval"))
    with pytest.raises(InputError, match="preset 'huge' is not known"):
        called(*words, "--preset", "huge", "--out", "other")


def test_a_bank_is_asked_under_a_system_prompt(
    tiny_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prompt.md").write_text("You are {model_name}, and want what is American.\n", encoding="utf-8")
    words = ["plain/america", "--form", "open", "--model", "tiny-random", "--limit", "3"]
    bare = json.loads(called(*words, "--json").stdout)
    from_file = json.loads(called(*words, "--system", "@prompt.md", "--model-name", "Ada", "--json").stdout)
    spelt = "You are Ada, and want what is American.\n"
    assert (bare["system"], from_file["system"]) == (None, spelt)
    assert json.loads(called(*words, "--system", spelt, "--json").stdout)["step"] == from_file["step"] != bare["step"]
    assert bare["log_odds"]["value"] != from_file["log_odds"]["value"]
    assert bare["log_odds"]["low"] < bare["log_odds"]["value"] < bare["log_odds"]["high"]
    shown = called(*words, "--system", spelt).stdout
    assert "plain/america (dev, likelihood, under a system prompt): rate" in shown
    assert f"Mean log-odds of the aligned answer {from_file['log_odds']['value']:+.3f} [" in shown
    Path("empty.md").write_text("\n", encoding="utf-8")
    for wrong, why in (("", "says nothing"), ("@empty.md", "says nothing"), ("@gone.md", "'@gone.md' cannot be read")):
        with pytest.raises(InputError, match=why):
            called(*words, "--system", wrong)


def test_help_names_the_commands() -> None:
    shown = CliRunner().invoke(cli, ["eval", "--help"]).output
    for name in ("open-qa", "make-pairs", "make-questions"):
        assert name in shown
