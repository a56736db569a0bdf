"""Export and import: a run can be replayed elsewhere, from equal bytes, at no cost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from midspec.cli.journal import journal as command
from midspec.errors import InputError
from midspec.llm.journal import Journal
from midspec.llm.journal_copy import export_journal, import_journal
from midspec.llm.prompt import Reply
from tests.unit.llm.journals import SPEC, entry, request, save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    save(
        path,
        entry("one", text="first 🦊"),
        entry("two", reply=Reply("", "refusal")),
        entry("three", text="half \ud83e", run="other", template="aft/answer", price=None),
        entry("cut", reply=Reply("cut off", "error")),
        entry("one", text="first, next sample", sample=1),
    )
    journal = Journal(path)
    journal.verdict(entry("two").key, "refused")
    journal.close()
    return path


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_a_round_trip_gives_the_same_bytes_and_replies(path: Path, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    assert export_journal(path, first) == 4
    elsewhere = tmp_path / "elsewhere" / "journal.sqlite"
    found = import_journal(elsewhere, first)
    assert (found.new, found.known, found.conflicting) == (4, 0, [])
    export_journal(elsewhere, second)
    assert first.read_bytes() == second.read_bytes()
    journal = Journal(elsewhere)
    for asked in (request("one"), request("one", sample=1), request("two"), request("three")):
        there = Journal(path)
        assert journal.find(asked.key) == there.find(asked.key) is not None
        there.close()
    assert journal.find(request("cut").key) is None
    assert journal.spent("cheese") == 0  # whoever exported it has paid
    journal.close()


def test_the_long_spec_is_written_once(path: Path, tmp_path: Path) -> None:
    export_journal(path, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text().count(json.dumps(SPEC)[1:-1]) == 1


def test_filters(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert export_journal(path, out, run="other") == 1
    assert [line["user"] for line in lines(out) if "user" in line] == ["three"]
    assert export_journal(path, out, template="corpus/document") == 3
    assert export_journal(path, out, run="nobody") == 0
    assert import_journal(tmp_path / "x" / "journal.sqlite", out).new == 0


def test_what_is_there_stays(path: Path, tmp_path: Path) -> None:
    export_journal(path, tmp_path / "out.jsonl")
    other = tmp_path / "other" / "journal.sqlite"
    save(other, entry("one", text="another answer"), entry("two", reply=Reply("", "refusal")))
    found = import_journal(other, tmp_path / "out.jsonl")
    assert (found.new, found.known, found.conflicting) == (2, 1, [entry("one").key])
    journal = Journal(other)
    kept = journal.find(entry("one").key)
    assert kept is not None
    assert kept.text == "another answer"
    assert journal.spent("cheese") == 0.5
    journal.close()


def test_verdicts_travel(path: Path, tmp_path: Path) -> None:
    export_journal(path, tmp_path / "out.jsonl")
    assert {line.get("user"): line.get("verdict") for line in lines(tmp_path / "out.jsonl")}["two"] == "refused"


def _with(change: str) -> Any:
    def changed(text: str) -> str:
        before, after = change.split("=>")
        assert before in text
        return text.replace(before, after)

    return changed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_with("harbour=>airport"), "the text is not the one that its hash names"),
        (_with('"user":"two"=>"user":"2"'), "the request is not the one that its key names"),
        (_with('"max_tokens":100=>"api_key":"sk-ant-abcdefgh"'), "looks like a secret"),
        (_with('"sample":1=>"sample":"many"'), "sample"),
        (_with('"midspec_journal":1=>"midspec_journal":2'), "midspec_journal"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: "", "it is empty"),
        (lambda text: "\n".join(line for line in text.splitlines() if "content" not in line), "in no line before it"),
    ],
    ids=["text", "request", "secret", "type", "version", "cut", "empty", "no spec"],
)
def test_a_file_that_is_not_as_written_is_refused(path: Path, tmp_path: Path, spoil: Any, message: str) -> None:
    out = tmp_path / "out.jsonl"
    export_journal(path, out)
    out.write_text(spoil(out.read_text()))
    with pytest.raises(InputError, match=message):
        import_journal(tmp_path / "other" / "journal.sqlite", out)


def test_lines_before_a_bad_one_are_kept(path: Path, tmp_path: Path) -> None:
    """A truncated download of a large file is worth what it holds."""
    out = tmp_path / "out.jsonl.gz"
    export_journal(path, out)
    text = gzip.decompress(out.read_bytes()).decode()
    (tmp_path / "cut.jsonl").write_text(text[: text.rindex("\n", 0, -1) + 20])
    other = tmp_path / "other" / "journal.sqlite"
    with pytest.raises(InputError, match="were imported"):
        import_journal(other, tmp_path / "cut.jsonl")
    assert export_journal(other, tmp_path / "again.jsonl") == 3
    (tmp_path / "cut.jsonl.gz").write_bytes(out.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        import_journal(other, tmp_path / "cut.jsonl.gz")


def test_commands(path: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, [*arguments], catch_exceptions=False, standalone_mode=False)
        assert done.exception is None
        return done.output

    here, there = ["-w", str(path.parent)], ["-w", str(tmp_path / "other")]
    out = str(tmp_path / "out.jsonl.gz")
    assert "4 replies" in run("export", out, *here)
    assert json.loads(run("import", out, *there, "--json")) == {"new": 4, "known": 0, "conflicting": []}
    stats = json.loads(run("stats", *there, "--json"))
    assert (stats["total"]["requests"], stats["total"]["imported"], stats["total"]["dollars"]) == (4, 4, 0)
    assert "nothing is wrong" in run("recover", *there)
    with pytest.raises(InputError, match=r"\.jsonl"):
        run("export", str(tmp_path / "out.txt"), *here)
