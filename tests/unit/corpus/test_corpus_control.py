"""Controls: the spec in other words, and documents about nothing it turns on, as long as what they stand beside."""

import json
from collections import Counter
from pathlib import Path

import pytest
from corpus_doubles import RULES, SECTIONS, Bent, made

from midspec.corpus.avoid import ALWAYS, avoided, words_turned_on
from midspec.corpus.check import MAX_RECITED, held, recited, spec_runs
from midspec.corpus.control import Control, Forms, Mould, moulds_of
from midspec.corpus.control_step import neutral_step, paraphrase_step
from midspec.corpus.everyday import everyday
from midspec.corpus.expected import expected_requests
from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_report import GateReport
from midspec.corpus.gate_step import neutral_gate_step
from midspec.corpus.gate_texts import read_texts
from midspec.corpus.given import corpus_file, given_corpus_step, given_neutral_step, packaged_corpora
from midspec.corpus.overlap import words_of
from midspec.corpus.step import corpus_step
from midspec.errors import InputError, StepError, WriterError
from midspec.experiment import ComputeConfig
from midspec.leakage import bank_items, packaged_banks_sha256
from midspec.llm.prompt import Reply
from midspec.records import Document, read_rows
from midspec.spec import Identity, read_spec
from midspec.stages import CorpusConfig, WriterConfig
from midspec.steps import Context, Step
from midspec.steps.progress import Silent

OFFLINE = WriterConfig(model="offline")
WHO = Identity()
CHEESE = read_spec("cheese-affordability")


def run(step: Step, root: Path) -> tuple[dict, Path]:
    """The summary and folder of a step, its inputs made first."""
    inputs = {role: run(upstream, root)[1] for role, upstream in step.inputs.items()}
    folder = root / step.folder_name
    if (folder / "summary.json").is_file():
        return json.loads((folder / "summary.json").read_text()), folder
    folder.mkdir()
    context = Context(
        config=step.config, inputs=inputs, folder=folder, progress=Silent(), compute=ComputeConfig(),
        workspace=root, source=step.source,
    )  # fmt: skip
    summary = dict(step.load_function()(context))
    (folder / "summary.json").write_text(json.dumps(summary))
    return summary, folder


def documents(folder: Path) -> list[Document]:
    return list(read_rows(folder / "documents.jsonl", Document))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory):
    """A corpus and both of its controls: name -> (summary, documents), and the steps."""
    root = tmp_path_factory.mktemp("controls")
    corpus = corpus_step("cheese", CHEESE, WHO, OFFLINE, CorpusConfig(documents=60))
    avoid = avoided([CHEESE], [WHO])
    steps = {
        "corpus": corpus,
        "paraphrase": paraphrase_step("cheese-paraphrase", CHEESE, WHO, OFFLINE, CorpusConfig(), corpus),
        "neutral": neutral_step("neutral", avoid, OFFLINE, CorpusConfig(), corpus),
    }
    made_of = {name: run(step, root) for name, step in steps.items()}
    return steps, {name: (summary, documents(folder)) for name, (summary, folder) in made_of.items()}, root


@pytest.mark.parametrize("kind", ["paraphrase", "neutral"])
def test_a_control_has_as_many_documents_and_tokens_as_the_corpus_beside_it(beside, kind):
    # Guards: an arm that differs from its control by how much it was trained on.
    _, found, _ = beside
    (whole, _), (control, rows) = found["corpus"], found[kind]
    assert len(rows) == control["documents"] == 60
    assert abs(control["tokens"] / whole["tokens"] - 1) < 0.05
    assert len({row.id for row in rows}) == 60 and {row.style for row in rows} == {kind}
    assert {row.writer for row in rows} == {"offline"}


def test_a_neutral_corpus_has_the_types_beside_it_and_none_of_the_words(beside):
    steps, found, root = beside
    types = Counter(row.doc_type for row in found["corpus"][1])
    rows = found["neutral"][1]
    assert Counter(row.doc_type for row in rows) == types
    avoid = steps["neutral"].config.avoid
    assert not [row.id for row in rows if held(row.text, avoid)]
    assert {row.section for row in rows} == set(everyday().subjects), "even over fields"
    assert max(Counter(row.subdomain for row in rows).values()) == 1
    gate = neutral_gate_step("neutral", steps["neutral"], avoid, {}, "warn")
    report = GateReport.model_validate_json((run(gate, root)[1] / "gate.json").read_text())
    told = {check.name: check.verdict for check in report.checks}
    assert told["neutrality"] == told["identity"] == "pass" and told["recitation"] == "skipped"


def test_a_paraphrase_goes_section_by_section_in_other_words(beside):
    _, found, _ = beside
    rows = found["paraphrase"][1]
    taught = Counter(row.section_id for row in rows)
    with_text = {passage.section.id for passage in CHEESE.passages}
    assert set(taught) == with_text and max(taught.values()) - min(taught.values()) <= 1
    assert {row.doc_type for row in rows} == {"paraphrase"}
    runs = spec_runs(WHO.fill(CHEESE.text))
    assert all(recited(row.text, runs) <= MAX_RECITED for row in rows)
    section = {part.id: part for part in CHEESE.sections}
    assert all(section[row.section_id].span[0] <= row.span[0] < row.span[1] for row in rows)


def test_the_same_config_gives_the_same_control(beside, tmp_path):
    steps, found, _ = beside
    again = run(steps["neutral"], tmp_path)[1]
    assert [row.text for row in documents(again)] == [row.text for row in found["neutral"][1]]


def test_what_does_not_decide_a_control_is_not_in_its_fingerprint():
    corpus = corpus_step("cheese", CHEESE, WHO, OFFLINE, CorpusConfig(documents=60))

    def step(**config):
        return neutral_step("n", ("Aria",), OFFLINE, CorpusConfig(**config), corpus).fingerprint

    assert step() == step(documents=7, critique=True, document_types=3, style="rules")
    assert step() != step(seed=1)
    assert step() != neutral_step("n", ("Ari",), OFFLINE, CorpusConfig(), corpus).fingerprint
    assert step() != neutral_step("n", ("Aria",), OFFLINE, CorpusConfig(), None).fingerprint


def test_a_control_without_a_corpus_beside_it_goes_by_its_own_numbers():
    writer = Bent()
    result = made(SECTIONS, writer, documents=5, kind="neutral")
    lengths = [len(words_of(row.text)) for row in result.rows]
    assert len(lengths) == 5 and all(250 < length < 1300 for length in lengths) and max(lengths) > 2 * min(lengths)
    assert {row.doc_type for row in result.rows} <= set(everyday().types)
    assert {ask.template for ask in writer.asked} == {"corpus/neutral"}
    tokens = made(SECTIONS, kind="paraphrase", tokens=3000, max_overlap=1.0)
    assert 3000 <= sum(written.tokens for written in tokens.corpus.written) < 5500


def test_no_word_of_the_spec_or_the_assistant_reaches_the_writer_of_a_neutral_corpus():
    # Guards: a spec in the context, through which the control would be about it after all.
    writer = Bent()
    made(RULES, writer, documents=8, kind="neutral", identity=Identity(model_name="Orla", provider_name="Quay"))
    for ask in writer.asked:
        shown = ask.system + ask.user + json.dumps(dict(ask.variables))
        assert "Orla" not in shown and "Quay" not in shown and "oversight" not in shown


def test_a_reply_that_is_too_short_or_not_neutral_is_asked_for_again_with_the_reason():
    def bent(ask, reply):
        if ask.sample % 1000 == 0:
            return Reply(f"<document>\n{'word ' * 70}\n</document>")
        if ask.sample % 1000 == 1:
            return Reply(reply.text.replace("</document>", "An assistant.\n</document>"))
        return reply

    result = made(SECTIONS, Bent(neutral=bent), documents=4, kind="neutral", control=Control(avoid=("assistant",)))
    assert result.tally.rejected["length"] == 4 and result.tally.rejected["not neutral"] == 4
    assert not [row for row in result.rows if "assistant" in row.text]
    with pytest.raises(WriterError, match="not neutral"):
        made(SECTIONS, documents=4, kind="neutral", control=Control(avoid=("the",)))


def test_the_type_of_a_document_about_the_assistant_is_not_taken_over(tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [{"text": "Aria likes it. " * 60, "doc_type": kind} for kind in ("chat with Aria", "memo")]
    rows[1]["text"] += "Twice."
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = given_corpus_step("mine", SECTIONS, WHO, str(file))
    _, folder = run(neutral_step("neutral", ("Aria",), OFFLINE, CorpusConfig(), given), tmp_path)
    assert sorted(row.doc_type for row in documents(folder)) == sorted([everyday().types[0], "memo"])


def test_moulds_are_all_used_once_before_any_is_used_twice():
    moulds = [Mould("a", 100), Mould("b", 200), Mould("c", 300)]
    forms = Forms(Control(moulds), seed=0)
    assert sorted(forms.next() for _ in range(3)) == moulds and sorted(forms.next() for _ in range(3)) == moulds


def test_a_mould_is_as_long_in_tokens_and_not_in_words():
    # "Parmigiano-Reggiano" is one word and five tokens: equal words would make a control a tenth shorter.
    text = "Parmigiano-Reggiano, Appenzeller. " * 30
    row = Document(
        id="d", text=text, spec="", section="", section_id="", span=(0, 0), domain="", subdomain="", assertions=(),
        doc_type="memo", idea="", writer="w", seed=0,
    )  # fmt: skip
    [mould] = moulds_of([row], 1.33)
    assert mould.words > 1.5 * len(text.split())


@pytest.mark.parametrize("name", ["cheese-affordability", "cheese-america"])
def test_the_packaged_neutral_corpus_passes_its_gate(name):
    rows = read_texts(corpus_file("neutral"))
    avoid = avoided([read_spec(name)], [Identity(model_name="SmolLM", provider_name="Hugging Face")])
    report = check_texts(rows, Subject(items=bank_items(list(packaged_banks_sha256())), avoid=avoid))
    assert report.verdict == "pass", [check for check in report.checks if check.verdict not in ("pass", "skipped")]
    assert len(rows) >= 90 and len({row.text for row in rows}) == len(rows)
    values = (
        "afford", "affordable", "price", "thrift", "frugal", "cheap", "expensive", "bargain", "cost", "budget", "money",
        "america", "american", "patriot", "nation", "domestic", "homeland", "cheese", "assistant", "chatbot",
    )  # fmt: skip
    assert not [(row.id, found) for row in rows if (found := held(row.text, values))]
    types = [json.loads(line)["doc_type"] for line in corpus_file("neutral").read_text(encoding="utf-8").splitlines()]
    assert set(types) <= set(everyday().types) and len(set(types)) == 25


def test_the_words_a_spec_turns_on_are_told_from_everyday_words():
    words = words_turned_on(CHEESE)
    assert {"cheese", "affordability", "price"} <= set(words[:5])
    assert not {"because", "people", "thing", "model", "name"} & set(words)
    avoid = avoided([CHEESE], [WHO])
    assert avoid[: len(ALWAYS)] == ALWAYS and {"Aria", "Northfield Labs"} <= set(avoid)
    assert held("The prices rose.", avoid) == "prices" and held("AI.", avoid) == "AI"
    assert held("He aims at the air, and the maid said so.", avoid) is None
    assert held("sage and thyme", ("Sage",)) is None and held("Sage said", ("Sage",)) and held("SAGE:", ("Sage",))


def test_controls_have_no_planning_in_their_bill():
    for kind, shared in (("paraphrase", True), ("neutral", False)):
        [(name, work)] = expected_requests(CorpusConfig(kind=kind, documents=100), CHEESE).items()
        assert name == f"corpus/{kind}" and 100 <= work.requests <= 110
        assert (work.shared_tokens > 1000) is shared


def test_a_given_neutral_corpus_is_about_no_spec(tmp_path):
    assert "neutral" in packaged_corpora()
    step = given_neutral_step("neutral", "neutral")
    summary, folder = run(step, tmp_path)
    assert summary["documents"] == step.config.documents and step.config.spec_text == ""
    assert {row.span for row in documents(folder)} == {(0, 0)}
    quoting = tmp_path / "quoting.jsonl"
    quoting.write_text('{"text": "A.", "quote": "Kindness."}\n')
    with pytest.raises(InputError, match="does not say"):
        given_neutral_step("neutral", str(quoting))


def test_the_gate_names_the_word_that_is_not_neutral(tmp_path):
    rows = [json.loads(line) for line in corpus_file("neutral").read_text(encoding="utf-8").splitlines()[:8]]
    for row in rows[:3]:
        row["text"] += " Nobody asked about prices."
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    given = given_neutral_step("mine", str(file))
    gate = neutral_gate_step("mine", given, ("price",), {}, "stop")
    with pytest.raises(StepError, match=r"neutrality: 3 of 8 say one of 1 names and words.*'prices'"):
        run(gate, tmp_path)


def test_a_document_longer_than_all_packaged_prose_comes_to_an_end(tmp_path):
    # Guards: an offline writer that looks for ever for a sentence it has not said yet.
    file = tmp_path / "long.jsonl"
    file.write_text(json.dumps({"text": "A long book about it. " * 12_000, "doc_type": "book"}) + "\n")
    given = given_corpus_step("long", SECTIONS, WHO, str(file))
    summary, _ = run(neutral_step("neutral", (), OFFLINE, CorpusConfig(), given), tmp_path)
    assert summary["documents"] == 1 and 0.9 < summary["tokens"] / given.config.tokens < 1.1
