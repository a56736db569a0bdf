"""`midspec journal stats`: every number against ones counted by hand."""

from array import array
from pathlib import Path

import pytest
from click.testing import CliRunner

from midspec.cli.journal import journal as command
from midspec.errors import StoreError
from midspec.llm.journal import Journal
from midspec.llm.journal_stats import percentile, read_stats
from midspec.llm.prompt import Reply
from tests.unit.llm.journals import entry, save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    save(
        path,
        *(
            entry(
                f"q{number}",
                seconds=float(number),
                price=0.5,
                reply=Reply("x", "refusal" if number == 3 else "stop", 10, 20, 5, 3),
            )
            for number in range(1, 21)
        ),
        entry("unpriced", run="other", model="mine/model", price=None, reply=Reply("x", "max_tokens")),
    )
    journal = Journal(path)
    journal.verdict(entry("q3").key, "refused")
    journal.failed(entry("q1").key, kind="deadline", seconds=600.0, run="cheese", step="step-1", price=0.25)
    journal.failed(entry("q1").key, kind="rate limit", seconds=0.1, run="cheese", step="step-1")
    journal.close()
    return path


def test_numbers(path: Path) -> None:
    stats = read_stats(path)
    assert stats.total.requests == 21
    cheese = stats.groups["run"]["cheese"].as_dict()
    assert cheese == {
        "requests": 20,
        "imported": 0,
        "stop_reasons": {"stop": 19, "refusal": 1},
        "verdicts": {"refused": 1},
        "input_tokens": 200,
        "cached_tokens": 400,
        "cache_write_tokens": 100,
        "output_tokens": 60,
        "dollars": 10.25,
        "unpriced": 0,
        "failures": {"deadline": 1, "rate limit": 1},
        "seconds": {"median": 10.0, "p95": 19.0},
    }
    other = stats.groups["model"]["mine/model"]
    assert (other.requests, other.unpriced, other.dollars) == (1, 1, 0.0)
    journal = Journal(path)
    assert journal.spent("cheese") == cheese["dollars"]
    journal.close()


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile(array("d"), 0.5) is None
    assert percentile(array("d", [3.0]), 0.95) == 3.0
    assert percentile(array("d", [4.0, 1.0, 2.0, 3.0]), 0.5) == 2.0
    assert percentile(array("d", range(1, 101)), 0.95) == 95.0


def test_it_reads_beside_a_writer_and_changes_nothing(path: Path) -> None:
    journal = Journal(path)
    before = path.read_bytes()
    assert read_stats(path).total.requests == 21
    assert path.read_bytes() == before
    journal.close()


def test_words(path: Path) -> None:
    done = CliRunner().invoke(command, ["stats", "-w", str(path.parent)], catch_exceptions=False)
    assert "21 requests answered" in done.output
    assert "$10.25 paid" in done.output
    assert "1 replies came from models without a known price" in done.output


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no journal"):
        read_stats(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []
