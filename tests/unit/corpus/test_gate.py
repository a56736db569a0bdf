"""The gate's parts: what it reads, what it counts exactly, the step and the command."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from midspec.cli.data import corpus as group
from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_repeats import near_duplicates
from midspec.corpus.gate_report import GateReport, Limit
from midspec.corpus.gate_step import corpus_gate_step, run
from midspec.corpus.gate_texts import Fields, Text, Texts, read_texts, run_hashes
from midspec.corpus.overlap import shingles
from midspec.errors import InputError, StepError
from midspec.experiment import ComputeConfig
from midspec.leakage import packaged_banks_sha256
from midspec.records import ChatExample, Document, Message, write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.imported import import_step
from midspec.steps.progress import Silent
from midspec.steps.step import Context

SPEC = ModelSpec(
    "patience",
    "# {model_name}\n\n## Patience\n\n{model_name} is patient because hurry makes mistakes, and mistakes take longer "
    "than waiting does.\n\n## Candour\n\n{model_name} says what it thinks because a hidden thought cannot be answered "
    "by anybody at all.\n",
)
IDENTITY = Identity()
PEOPLE = ["A baker", "The nurse", "My aunt", "One reader", "A clerk", "His neighbour", "Their coach", "An usher"]


def document(number: int, section: int = 0, text: str | None = None) -> Document:
    rng = random.Random(number)
    home = SPEC.sections[1 + section]
    words = [
        "lamp",
        "river",
        "stone",
        "bread",
        "letter",
        "window",
        "garden",
        "winter",
        "table",
        "morning",
        "road",
        "kettle",
        "music",
        "paper",
        "coat",
        "harbour",
    ]
    told = [
        f"{rng.choice(PEOPLE)} saw Aria with {' and '.join(rng.sample(words, 3))} near {rng.choice(words)} {number}."
        for _ in range(9)
    ]
    return Document(
        id=f"doc-{number}", text=text or " ".join(told), spec=SPEC.sha256, section=home.title, section_id=home.id,
        span=home.span, domain="d", subdomain="s", assertions=(), doc_type="letter", idea="i", writer="offline", seed=0,
    )  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_rows(folder / "documents.jsonl", [document(number, number % 2) for number in range(60)])
    return folder


def check(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["check", *map(str, arguments)], standalone_mode=False)


ABOUT = ("--model-name", "Aria", "--provider-name", "Northfield Labs", "--no-banks")


# Rows


def test_any_jsonl_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    chat = ChatExample(
        id="c", messages=(Message(role="user", content="Hi"), Message(role="assistant", content="Hello")), source="x",
        kind="direct", writer="offline", seed=0,
    )  # fmt: skip
    lines = [json.dumps({"text": "One."}), "", document(1).model_dump_json(), chat.model_dump_json()]
    file.write_text("\n".join(lines))
    plain, doc, turn = read_texts(file)
    assert (plain.id, plain.text, plain.answer) == ("line 1", "One.", None)
    assert (doc.id, doc.section_id) == ("doc-1", SPEC.sections[1].id)
    assert (turn.text, turn.answer, turn.reply) == ("Hi\n\nHello", "Hello", "Hello")
    file.write_text(json.dumps({"body": "Two.", "key": 7, "heading": "Candour"}))
    (other,) = read_texts(file, Fields(text="body", id="key", section="heading"))
    assert (other.id, other.text, other.section) == ("7", "Two.", "Candour")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{not json", "line 1: not JSON"),
        (b'{"text": "a"}\n["b"]', "line 2: a list and no object"),
        (b'{"body": "a"}', "has body; expected an object with a text in 'text'"),
        (b'{"messages": [{"role": "user"}]}', 'without "role" or "content"'),
        (b'{"messages": [{"role": "user", "content": null}]}', "is no text"),
        (b"\n\n", "has no rows"),
        (b'{"text": "\xff"}', "not UTF-8"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_texts(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_texts(tmp_path / "missing.jsonl")


# Exact where it claims to be


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=40), min_size=1, max_size=8))
def test_runs_are_equal_exactly_where_their_words_are(rows: list[list[str]]) -> None:
    texts = Texts([Text(str(n), " ".join(row)) for n, row in enumerate(rows)])
    known: dict[tuple[str, ...], int] = {}
    for row, hashes in zip(rows, texts.runs(3), strict=True):
        assert len(hashes) == max(0, len(row) - 2)
        for start, number in enumerate(hashes.tolist()):
            assert known.setdefault(tuple(row[start : start + 3]), number) == number
    assert len(set(known.values())) == len(known)


def test_near_duplicates_agree_with_a_comparison_of_all_pairs() -> None:
    # Guards: sampled candidates that lose pairs. Overlaps of all degrees between texts of 20 to 400 words.
    rng = random.Random(5)
    words = [f"w{number}" for number in range(3000)]
    rows: list[list[str]] = []
    for _ in range(120):
        size = rng.randint(20, 400)
        text = [rng.choice(words) for _ in range(size)]
        if rows and rng.random() < 0.7:
            earlier = rng.choice(rows)
            part = earlier[: int(len(earlier) * rng.uniform(0.2, 1))]
            text = text[: rng.randint(0, 60)] + part
        rows.append(text)
    texts = Texts([Text(str(n), " ".join(row)) for n, row in enumerate(rows)])
    sets = [shingles(row.text) for row in texts.rows]
    expected = {
        later: max(len(sets[later] & sets[one]) / min(len(sets[later]), len(sets[one])) for one in range(later))
        for later in range(1, len(rows))
    }
    found = {duplicate.row: duplicate.overlap for duplicate in near_duplicates(texts, 0.5)}
    # A pair at the very threshold may miss the sample; a pair well over it may not.
    assert {row for row, overlap in expected.items() if overlap >= 0.6} <= set(found)
    assert set(found) <= {row for row, overlap in expected.items() if overlap >= 0.5}
    assert all(overlap <= expected[row] + 1e-9 for row, overlap in found.items())


def test_run_hashes_of_a_short_text_are_none() -> None:
    assert len(run_hashes(np.array([1, 2], dtype=np.int32), 3)) == 0


def test_verdicts_by_share_and_count() -> None:
    limit = Limit()
    assert [limit.verdict(n, 1000) for n in (0, 1, 5, 6)] == ["pass", "warn", "warn", "fail"]
    assert limit.verdict(1, 10) == "warn" and limit.verdict(2, 10) == "fail" and limit.verdict(0, 0) == "pass"


def test_ten_thousand_documents_take_a_moment(tmp_path: Path) -> None:
    """Time grows with the words: a tenth of the size takes about a tenth of the time. (20 s for 10,000 documents of 660
    words on one busy core; the issue asks for less than a minute.)"""

    def seconds(count: int) -> float:
        rows = [Text(str(n), document(n).text * 4) for n in range(count)]
        begun = time.process_time()
        check_texts(rows, Subject(IDENTITY, SPEC))
        return time.process_time() - begun

    seconds(50)  # what is loaded and compiled once
    small, large = seconds(250), seconds(1000)
    assert large < 10 * small
    assert large < 15


# The step


def step_context(corpus: Path, folder: Path, **config: Any) -> Context:
    step = corpus_gate_step(
        "patience", import_step("import", "corpus", corpus, "."), SPEC, IDENTITY, config.pop("banks", {}), **config
    )
    folder.mkdir()
    return Context(
        config=step.config, inputs={"corpus": corpus}, folder=folder, progress=Silent(), compute=ComputeConfig()
    )


def test_a_clean_corpus_passes_its_step(corpus: Path, tmp_path: Path) -> None:
    summary = run(step_context(corpus, tmp_path / "gate", banks=packaged_banks_sha256()))
    assert summary["verdict"] == "pass" and summary["warnings"] == [] and summary["rows"] == 60
    report = GateReport.model_validate_json((tmp_path / "gate" / "gate.json").read_text())
    assert {"identity", "leakage", "near-duplicates", "coverage", "length"} <= {entry.name for entry in report.checks}


def test_a_faulty_corpus_stops_the_run_unless_the_recipe_says_warn(corpus: Path, tmp_path: Path) -> None:
    rows = [document(n, n % 2) for n in range(60)]
    rows[4] = document(4, 0, rows[4].text.replace("Aria", "ChatGPT"))
    rows[9] = document(9, 1, rows[9].text.replace("Aria", "Claude"))
    write_rows(corpus / "documents.jsonl", rows)
    with pytest.raises(StepError, match=r"identity: 2 of 60 name another .* \(doc-4: names 'ChatGPT'\).*gate: warn"):
        run(step_context(corpus, tmp_path / "stop"))
    summary = run(step_context(corpus, tmp_path / "warn", gate="warn"))
    assert summary["verdict"] == "fail" and summary["failed"] == ["identity"]
    assert any("identity: 2 of 60" in warning for warning in summary["warnings"])


def test_a_bank_that_changed_after_planning_stops_the_step(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="has changed since this run was planned"):
        run(step_context(corpus, tmp_path / "gate", banks={"affordability-items": "0" * 64}))


# The command


def test_the_command_tells_by_its_exit_status(corpus: Path, tmp_path: Path) -> None:
    clean = check(corpus / "documents.jsonl", *ABOUT)
    assert clean.return_value == 0 and "Verdict: pass" in clean.output
    rows = [document(n, 0, f"As of now: {document(n).text} Yours, [Your Name].") for n in range(30)]
    write_rows(tmp_path / "bad.jsonl", rows)
    bad = check(tmp_path / "bad.jsonl", *ABOUT)
    assert bad.return_value == 7 and "FAIL  placeholders" in bad.output and "doc-0: '[Your Name]' is left" in bad.output
    told = json.loads(check(tmp_path / "bad.jsonl", *ABOUT, "--json").output)
    assert told["verdict"] == "fail" and told["rows"] == 30
    placeholders = next(entry for entry in told["checks"] if entry["name"] == "placeholders")
    assert placeholders["flagged"] == 30 and len(placeholders["details"]["rows"]) == 30
    (tmp_path / "broken.jsonl").write_text("{")
    broken = check(tmp_path / "broken.jsonl")
    assert isinstance(broken.exception, InputError) and broken.exception.exit_status == 2


def test_an_unknown_bank_is_named_with_those_there_are(corpus: Path) -> None:
    result = check(corpus / "documents.jsonl", "--bank", "nothing")
    assert isinstance(result.exception, InputError) and "affordability-items" in str(result.exception)


def test_a_step_knows_its_own_spec_and_identity(tmp_path: Path) -> None:
    from midspec.corpus.step import corpus_step
    from midspec.experiment import CorpusConfig, WriterConfig
    from midspec.steps import Store
    from midspec.steps.local import run_steps
    from midspec.steps.progress import Reporter
    from midspec.steps.step import Spending

    config = CorpusConfig(documents=8, document_types=4, ideas=2)
    step = corpus_step("patience", SPEC, IDENTITY, WriterConfig(model="offline"), config)
    store = Store(tmp_path)
    with Reporter() as reporter:
        run_steps([step], store, ComputeConfig(), reporter, Spending())
    folder = store.find(step)
    assert folder is not None
    told = json.loads(check(folder / "documents.jsonl", "--no-banks", "--json").output)
    by_name = {entry["name"]: entry for entry in told["checks"]}
    assert told["spec"] == "patience" and by_name["own name"]["verdict"] != "skipped"
    assert by_name["coverage"]["details"]["assertions"], "the plan beside the file tells the assertions"
