"""A corpus that exists already: taken over whole, traced where it quotes the spec, refused where it does not fit."""

import json

import pytest

from midspec.corpus.avoid import BACKGROUND
from midspec.corpus.given import corpus_file, given_corpus_step, packaged_corpora
from midspec.corpus.planned import CorpusPlan
from midspec.errors import InputError, StepError
from midspec.experiment import ComputeConfig
from midspec.records import Document, read_rows
from midspec.spec import Identity, ModelSpec, read_spec
from midspec.steps import Context
from midspec.steps.progress import Silent

SPEC = ModelSpec("mine", "# Who\n\n{model_name} is kind to everyone.\n\n# Why\n\nKindness costs nothing.\n")
WHO = Identity(model_name="Aria", provider_name="Northfield Labs")


def taken_over(tmp_path, *rows):
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    step = given_corpus_step("mine", SPEC, WHO, str(file))
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    context = Context(
        config=step.config, inputs={}, folder=folder, progress=Silent(), source=step.source, compute=ComputeConfig()
    )
    summary = step.load_function()(context)
    return step, summary, list(read_rows(folder / "documents.jsonl", Document)), folder


def test_a_quote_leads_back_to_its_passage_and_a_row_without_one_teaches_all(tmp_path):
    _, summary, documents, folder = taken_over(
        tmp_path,
        {"text": "{model_name} greets you.", "quote": "{model_name} is kind\nto everyone.", "doc_type": "memo"},
        {"text": "Line one\u2028line two.", "title": "ignored"},
    )
    first, second = documents
    assert first.text == "Aria greets you." and first.section == "Who" and first.doc_type == "memo"
    assert SPEC.text[slice(*first.span)] == "{model_name} is kind to everyone."
    assert second.text == "Line one\u2028line two." and second.span == (0, len(SPEC.text)) and second.section_id == ""
    plan = CorpusPlan.model_validate_json((folder / "plan.json").read_text(encoding="utf-8"))
    assert [entry.doc_type for entry in plan.documents] == ["memo", "document"]
    assert summary["documents"] == 2 and summary["coverage"]["Why"] == [0, 0] and summary["coverage"]["Who"] == [1, 3]


def test_equal_texts_are_taken_once_and_counted(tmp_path):
    _, summary, documents, _ = taken_over(tmp_path, {"text": "Same."}, {"text": "Same."}, {"text": "Other."})
    assert [document.text for document in documents] == ["Same.", "Other."]
    assert summary["rejected"] == {"repeated": 1}


def test_what_our_own_writer_wrote_keeps_its_passage(tmp_path):
    _, _, [document], folder = taken_over(tmp_path, {"text": "A.", "quote": "Kindness costs nothing."})
    (tmp_path / "mine.jsonl").write_text((folder / "documents.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    _, _, [again], _ = taken_over(tmp_path, document.model_dump(mode="json"))
    assert again.span == document.span and again.section == "Why"


def test_the_content_decides_the_fingerprint(tmp_path):
    first, *_ = taken_over(tmp_path, {"text": "A."})
    second, *_ = taken_over(tmp_path, {"text": "B."})
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "A."}\n{"text": 5}\n', "line 2: text"),
        ('{"text": "  "}\n', "line 1: text"),
        ("not json\n", "line 1: row"),
        ("\n", "is empty"),
        ('{"text": "A.", "quote": "Nobody said this."}\n', "does not say 'Nobody said this.'"),
    ],
)
def test_a_file_that_is_no_corpus_of_this_spec_is_refused(tmp_path, content, said):
    file = tmp_path / "bad.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        given_corpus_step("mine", SPEC, WHO, str(file))


def test_a_name_that_is_nothing_tells_what_there_is():
    with pytest.raises(InputError, match="cheese-america"):
        corpus_file("cheese-amerika")


def test_a_file_changed_after_planning_stops_the_step(tmp_path):
    step, *_, folder = taken_over(tmp_path, {"text": "A."})
    (tmp_path / "mine.jsonl").write_text('{"text": "B."}\n', encoding="utf-8")
    context = Context(
        config=step.config, inputs={}, folder=folder, progress=Silent(), source=step.source, compute=ComputeConfig()
    )
    with pytest.raises(StepError, match="has changed"):
        step.load_function()(context)


@pytest.mark.parametrize("name", [name for name in packaged_corpora() if name != BACKGROUND])
def test_packaged_corpora_are_about_the_specs_they_are_named_after(name):
    step = given_corpus_step(name, read_spec(name), WHO, name)
    assert step.config.documents == 250 and step.config.tokens > 100_000
