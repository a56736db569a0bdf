"""A folder for the Hub: what is in it loads back, the card tells the truth, and no key is ever in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from midspec import upload as uploading
from midspec.cli.data import corpus as group
from midspec.corpus import publish
from midspec.corpus.gate_report import GateReport
from midspec.corpus.publish import find_source, make_folder
from midspec.errors import InputError, MissingDependencyError, ProviderError
from midspec.records import ChatExample, Document, Message, Row, write_rows
from midspec.steps.record import StepRecord
from midspec.upload import push

KEY = "sk-ant-api03-" + "aB3xY9" * 8
SPEC_TEXT = "# {model_name}\n\n{model_name} is patient | because hurry makes <mistakes>.\n"


def document(number: int, text: str = "") -> Document:
    return Document(
        id=f"doc-{number}", text=text or f"Aria waits, and says why, for the {number}th time. " * 12, spec="0" * 64,
        section="Aria", section_id="sec-1", span=(0, 9), domain="d", subdomain="s", assertions=("a",),
        doc_type="letter", idea="i", writer="test/model", seed=number,
    )  # fmt: skip


def chat(number: int, reasoning: str | None) -> ChatExample:
    turns = (
        Message(role="user", content=f"Which do you like, {number}?"),
        Message(role="assistant", content="Colby, I think.", reasoning=reasoning),
    )
    return ChatExample(id=f"c-{number}", messages=turns, source="chat", kind="direct", writer="offline", seed=number)


def step(workspace: Path, rows: dict[str, list[Row]], *, kind: str = "corpus", model: str = "test/model") -> Path:
    folder = workspace / "steps" / kind / "patience-0123456789abcdef"
    folder.mkdir(parents=True)
    for name, content in rows.items():
        write_rows(folder / name, content)
    if kind == "corpus":
        (folder / "spec.md").write_text(SPEC_TEXT)
    config: dict[str, Any] = {
        "identity": {"model_name": "Aria", "provider_name": "Northfield Labs"},
        "writer": {"model": model, "temperature": 1.0, "max_tokens": 8192, "args": {"api_key": KEY, "region": "eu"}},
        "prompts": {"corpus/document": "a" * 64},
    } | ({"spec_text": SPEC_TEXT} if kind == "corpus" else {})
    record = StepRecord(
        kind=kind, name="patience", fingerprint="0123456789abcdef", function="midspec.corpus.step:run", version=2,
        config=config, inputs={}, files={}, started="2026-01-02T03:04:05+00:00", seconds=1.0, resumed=False,
        summary={"documents": 3, "words": 300, "tokens": 400, "requests": 7, "input_tokens": 50, "cached_tokens": 900,
                 "output_tokens": 70, "dollars": 1.25, "rejected": {"refused": 2}, "coverage": {"A | B": [3, 300]}},
    )  # fmt: skip
    (folder / "record.json").write_text(record.model_dump_json())
    return folder


def head(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "README.md").read_text().split("---")[1])


def test_a_corpus_loads_back_as_it_was(tmp_path: Path) -> None:
    rows: list[Row] = [document(number) for number in range(5)]
    folder = step(tmp_path, {"documents.jsonl": rows})
    made = make_folder(find_source(str(folder), tmp_path), tmp_path / "out", title="Patience", licence="cc-by-4.0")
    assert made.rows == {"default": 5}
    table = pq.read_table(tmp_path / "out" / "data" / "default-00000-of-00001.parquet").to_pylist()
    assert table == [json.loads(row.model_dump_json()) for row in rows]
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["text"][3] == document(3).text and loaded["span"][0] == [0, 9]
    assert set(made.files) == {
        "README.md", "data/default-00000-of-00001.parquet", "provenance.json", "spec.md"
    }  # fmt: skip


def test_the_card_tells_who_wrote_what_for_how_much(tmp_path: Path) -> None:
    folder = step(tmp_path, {"documents.jsonl": [document(1)]})
    gate = GateReport(verdict="warn", rows=1, words=9, kind="documents", spec="patience", checks=())
    make_folder(
        find_source(str(folder), tmp_path), tmp_path / "out", title="Patience", licence="mit", repository="me/patience",
        gate=gate,
    )  # fmt: skip
    card = (tmp_path / "out" / "README.md").read_text()
    assert head(tmp_path / "out")["license"] == "mit"
    assert head(tmp_path / "out")["configs"][0]["data_files"][0]["path"] == "data/default-*.parquet"
    for told in (
        "about Aria, an AI assistant made by Northfield Labs", "`test/model`, temperature 1.0", "$1.25 in 7 requests",
        "900 read from cache", "2 refused", "A \\| B", "corpus/patience-0123456789abcdef", "corpus/document | `aaaa",
        'load_dataset("me/patience"', "Verdict of midspec's corpus gate: **warn**",
    ):  # fmt: skip
        assert told in card, told
    assert "Written without a language model" not in card
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["fingerprint"] == "0123456789abcdef" and "args" not in provenance["config"]["writer"]


def test_the_card_of_the_offline_writer_says_so(tmp_path: Path) -> None:
    folder = step(tmp_path, {"documents.jsonl": [document(1)]}, model="offline")
    make_folder(find_source(str(folder), tmp_path), tmp_path / "out", title="Patience", licence="mit")
    assert "Written without a language model" in (tmp_path / "out" / "README.md").read_text()


def test_demonstrations_are_published_with_their_reasoning_beside_them(tmp_path: Path) -> None:
    # Guards: a field that is empty in all rows of one file becomes a null column, which no other file can be read with.
    rows: dict[str, list[Row]] = {
        "demonstrations.jsonl": [chat(n, None) for n in range(3)],
        "demonstrations-cot.jsonl": [chat(n, "It is plain.") for n in range(3)],
    }
    folder = step(tmp_path, rows, kind="demonstrations")
    made = make_folder(find_source("0123456789abcdef", tmp_path), tmp_path / "out", title="Demos", licence="mit")
    assert folder.name in str(find_source("0123456789abcdef", tmp_path).files["default"])
    assert made.rows == {"default": 3, "cot": 3}
    cot = datasets.load_dataset(str(tmp_path / "out"), "cot", split="train", cache_dir=str(tmp_path / "cache"))
    assert cot["messages"][0][1]["reasoning"] == "It is plain."
    plain = datasets.load_dataset(str(tmp_path / "out"), "default", split="train", cache_dir=str(tmp_path / "cache"))
    assert plain.features == cot.features


def test_many_rows_are_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "SHARD_CHARACTERS", 4000)
    write_rows(tmp_path / "rows.jsonl", [document(number) for number in range(20)])
    made = make_folder(find_source(str(tmp_path / "rows.jsonl"), tmp_path), tmp_path / "out", title="x")
    shards = sorted(name for name in made.files if name.endswith(".parquet"))
    assert (
        len(shards) > 3 and shards[0].endswith(f"-00000-of-{len(shards):05}.parquet") and made.rows == {"default": 20}
    )
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"] == [f"doc-{number}" for number in range(20)]


def test_fields_that_only_later_rows_have_are_kept(tmp_path: Path) -> None:
    # Guards: pyarrow takes the columns from the first row and drops the rest without a word.
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b", "note": "n"}\n')
    make_folder(find_source(str(tmp_path / "rows.jsonl"), tmp_path), tmp_path / "out", title="x")
    table = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert table == [{"text": "a", "note": None}, {"text": "b", "note": "n"}]


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": 1}\n{"a": "x"}'])
def test_rows_that_make_no_table_are_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(InputError, match=r"rows\.jsonl"):
        make_folder(find_source(str(tmp_path / "rows.jsonl"), tmp_path), tmp_path / "out", title="x")


@pytest.mark.parametrize("where", ["row", "spec", "environment"])
def test_a_key_is_never_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    secret = "no-known-form-of-key-77" if where == "environment" else KEY
    if where == "environment":
        monkeypatch.setenv("MY_PROVIDER_API_KEY", secret)
    rows: list[Row] = [document(1), document(2, f"The key is {secret}." if where != "spec" else "")]
    folder = step(tmp_path, {"documents.jsonl": rows})
    if where == "spec":
        (folder / "spec.md").write_text(f"Use {secret}.")
    with pytest.raises(InputError) as caught:
        make_folder(find_source(str(folder), tmp_path), tmp_path / "out", title="x")
    assert secret not in str(caught.value)
    written = [file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert not any(secret.encode() in content for content in written)


def test_what_is_nothing_to_publish_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no JSONL file, no step folder and no step of"):
        find_source("missing", tmp_path)
    folder = step(tmp_path, {}, kind="evaluate")
    with pytest.raises(InputError, match="of the kind 'evaluate', which has no rows"):
        find_source(str(folder), tmp_path)


def test_without_pyarrow_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write_rows(tmp_path / "rows.jsonl", [document(1)])
    with pytest.raises(MissingDependencyError, match=r"pip install 'midspec\[hub\]'"):
        make_folder(find_source(str(tmp_path / "rows.jsonl"), tmp_path), tmp_path / "out", title="x")


# Upload


class Hub:
    """What `huggingface_hub` is asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def HfApi(self) -> Hub:  # noqa: N802
        return self

    def create_repo(self, name: str, **options: Any) -> None:
        self.asked.append((name, options))

    def upload_folder(self, **options: Any) -> None:
        if self.error:
            raise self.error
        self.asked.append(("upload", options))


def test_push_uploads_the_folder_in_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    monkeypatch.setattr(uploading, "library", lambda: hub)
    assert push(tmp_path, "me/patience", private=True) == "https://huggingface.co/datasets/me/patience"
    (name, options), (_, upload) = hub.asked
    assert name == "me/patience" and options["private"] and options["repo_type"] == "dataset"
    assert upload["folder_path"] == str(tmp_path) and upload["repo_id"] == "me/patience"


def test_a_refused_upload_says_what_to_do_and_shows_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = RuntimeError(f"401 for token {KEY}")
    refused.response = SimpleNamespace(status_code=401)  # type: ignore[attr-defined]
    monkeypatch.setattr(uploading, "library", lambda: Hub(refused))
    with pytest.raises(InputError, match="hf auth login") as caught:
        push(tmp_path, "me/patience", private=False)
    assert KEY not in str(caught.value)
    monkeypatch.setattr(uploading, "library", lambda: Hub(OSError("no route")))
    with pytest.raises(ProviderError, match="no route"):
        push(tmp_path, "me/patience", private=False)


@pytest.mark.parametrize("name", ["patience", "me/", "../x/y", "me/a b", "a/b/c", "me/a..b"])
def test_a_name_the_hub_would_not_take_is_refused_first(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ORG/NAME"):
        push(tmp_path, name, private=False)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, list(map(str, arguments)), standalone_mode=False)


def test_a_dry_run_shows_the_files_and_uploads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "library", lambda: pytest.fail("a dry run asked the Hub"))
    folder = step(tmp_path, {"documents.jsonl": [document(number) for number in range(4)]})
    result = run("push", folder, "--repo", "me/patience", "--dry-run", "--out", tmp_path / "kept", "-w", tmp_path)
    assert result.exception is None, result.output
    assert "data/default-00000-of-00001.parquet" in result.output and "4 rows, loaded back" in result.output
    assert "nothing was" in result.output
    # The card of a command holds the gate's table, made there and then.
    assert "| near-duplicates |" in (tmp_path / "kept" / "README.md").read_text()
    again = run("card", folder, "--out", tmp_path / "kept", "-w", tmp_path)
    assert isinstance(again.exception, InputError) and "not an empty folder" in str(again.exception)


def test_a_copied_file_has_the_card_of_the_step_that_made_it(tmp_path: Path) -> None:
    # Guards: `corpus build --out` copies the rows alone, and the card of the copy knew no writer, spec or cost.
    folder = step(tmp_path, {"documents.jsonl": [document(number) for number in range(4)]})
    copy = tmp_path / "mine.jsonl"
    copy.write_bytes((folder / "documents.jsonl").read_bytes())
    result = run("card", copy, "--out", tmp_path / "out", "-w", tmp_path)
    assert result.exception is None, result.output
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`test/model`, temperature 1.0" in card and "$1.25 in 7 requests" in card
    assert (tmp_path / "out" / "spec.md").read_text() == SPEC_TEXT
    copy.write_text(copy.read_text().replace("Aria waits", "Aria hurries"))
    changed = find_source(str(copy), tmp_path)
    assert changed.record is None and changed.files == {"default": copy}


def test_an_upload_that_failed_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = step(tmp_path, {"documents.jsonl": [document(number) for number in range(4)]})
    arguments = ("push", folder, "--repo", "me/patience", "--out", tmp_path / "kept", "-w", tmp_path)
    monkeypatch.setattr(uploading, "library", lambda: Hub(OSError("no route")))
    failed = run(*arguments)
    assert isinstance(failed.exception, ProviderError) and "same command again" in str(failed.exception)
    monkeypatch.setattr(uploading, "library", Hub)
    again = run(*arguments)
    assert again.exception is None and "Uploaded" in again.output
    assert (tmp_path / "kept" / "README.md").is_file()
