"""The blocks behind the explorer: what arms were really trained on, nothing left out in silence."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from midspec.report.explorer.blocks import Limits, evenly, held
from midspec.report.explorer.rows import Run, rows_block
from midspec.report.explorer.training import read_order
from midspec.report.html import render
from tests.unit.report.design_results import NO_FIGURES
from tests.unit.report.explorer_run import ARM, EVAL, SENTENCE, SPEC, explorer_run, rows
from tests.unit.report.sample_results import sample_results


def _trained(blocks: Any, arm: str) -> list[dict[str, Any]]:
    return [told for stage in blocks["index"]["arms"][arm][0]["stages"] for told in stage["trained"]]


def test_only_documents_that_training_saw_are_those_of_an_arm(tmp_path: Path) -> None:
    # A token cap cuts a corpus: what lies behind it taught the arm nothing.
    blocks = explorer_run(tmp_path, corpus=12, trained=8).blocks
    documents, chats = _trained(blocks, ARM)
    sources = blocks["index"]["sources"]
    assert (documents["rows"], chats["rows"]) == (8, 6)
    held_ids = set(blocks[sources[documents["source"]]["block"]]["ids"])
    assert held_ids == {f"doc-{index}" for index in range(8)}
    assert _trained(blocks, "baseline") == []
    stages = blocks["index"]["arms"][ARM][0]["stages"]
    assert [stage["others"] for stage in stages] == [0, 1], "the instruction mix is counted"


def test_sentences_of_the_spec_are_found_by_characters_even_behind_an_emoji(tmp_path: Path) -> None:
    blocks = explorer_run(tmp_path).blocks
    spec = blocks[blocks["index"]["specs"][0]]
    assert spec["text"] == SPEC
    assert SENTENCE in [SPEC[start:end] for start, end in spec["sentences"]]


def test_a_page_that_is_full_spreads_what_it_shows_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    limits = Limits(rows=20, answer=10, answers=40, documents=500)
    run = explorer_run(tmp_path, items=30, corpus=40, trained=40, text=None, limits=limits)
    told = held(run, run.packed())
    assert told.all_rows == 60 and told.rows == 20
    assert told.all_texts == 46 and 0 < told.texts < 46
    page = " ".join(render(sample_results(), run, NO_FIGURES).split())
    assert "20 answers of 60, spread evenly over each arm" in page
    assert f"{told.texts} documents and demonstrations of 46" in page and "midspec trace ID" in page
    documents = next(one for one in run.blocks["index"]["sources"] if one["kind"] == "documents")
    passages = [span[0] for span in run.blocks[documents["block"]]["span"]]
    assert len(set(passages)) == 2, "both passages of the spec are there"


def test_long_answers_are_cut_and_counted() -> None:
    found = rows_block([Run("a", 0, rows(3, "x" * 50))], {}, (), Limits(answer=10), 15)
    assert found.block["texts"] == ["x" * 10 + " …"]
    assert (found.answers_cut, found.shown, found.characters) == (3, 3, 10)


def test_blocks_are_the_same_bytes_and_read_as_they_were(tmp_path: Path) -> None:
    run = explorer_run(tmp_path)
    packed = run.packed()
    assert packed == explorer_run(tmp_path).packed()
    for name, text in packed.items():
        assert json.loads(gzip.decompress(base64.b64decode(text))) == json.loads(json.dumps(run.blocks[name]))


def test_rows_say_what_became_of_every_answer(tmp_path: Path) -> None:
    blocks = explorer_run(tmp_path).blocks
    block = blocks[blocks["index"]["evals"][EVAL]["block"]]
    run = next(one for one in block["runs"] if one["arm"] == ARM)
    truth = rows(30, shift=1)
    assert run["outcome"] == "".join("a" if row.aligned else "o" for row in truth)
    assert run["odds"] == [row.log_odds for row in truth]
    assert [item["id"] for item in block["items"] if item.get("excluded")] == ["item-1"]


def test_a_spread_keeps_order_and_number() -> None:
    assert evenly(range(10), 4) == [0, 2, 5, 7]
    assert evenly(range(3), 5) == [0, 1, 2]


def test_a_step_that_left_no_order_is_said_to_be_unknown(tmp_path: Path) -> None:
    assert read_order(tmp_path) is None
