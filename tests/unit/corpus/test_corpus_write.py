"""The target is met or the failure says how far it is off; nothing bad or copied enters a corpus."""

import asyncio
import json
import re
import subprocess
import sys
from itertools import combinations

import pytest
from corpus_doubles import HOSTILE, ONE_PARAGRAPH, RULES, SECTIONS, Altered, Bent, edited, made, refused

from midspec.corpus.overlap import shingles, words_of
from midspec.corpus.step import CorpusStepConfig, corpus_step, run, step_config
from midspec.corpus.tokens import estimated_tokens
from midspec.errors import InputError, WriterError
from midspec.experiment import ComputeConfig, CorpusConfig, WriterConfig
from midspec.llm.prompt import Reply
from midspec.records import Document, read_rows
from midspec.spec.document import Identity
from midspec.steps.progress import Silent
from midspec.steps.step import Context

OFFLINE = WriterConfig(model="offline")


@pytest.mark.parametrize("spec", [ONE_PARAGRAPH, SECTIONS], ids=lambda spec: spec.name)
def test_two_hundred_documents_share_at_most_half_of_their_shingles(spec):
    """By brute force over all pairs, so that a mistake in the inverted index cannot hide."""
    rows = made(spec, documents=200).rows
    assert len(rows) == 200
    sets = [shingles(row.text) for row in rows]
    assert max(len(a & b) / min(len(a), len(b)) for a, b in combinations(sets, 2)) <= 0.5


@pytest.mark.parametrize("spec", [ONE_PARAGRAPH, SECTIONS, HOSTILE], ids=lambda spec: spec.name)
def test_rows_are_complete_and_clean(spec):
    identity = Identity(model_name="Mo {x}", provider_name="Ó Co")
    rows = made(spec, documents=40, identity=identity).rows
    assert len({row.id for row in rows}) == 40
    passages = {passage.span: passage for passage in spec.passages}
    for row in rows:
        assert "{model_name}" not in row.text and "{provider_name}" not in row.text
        assert "<document>" not in row.text
        assert "scratchpad" not in row.text or spec is HOSTILE
        assert identity.model_name in row.text
        assert len(words_of(row.text)) >= 60
        passage = passages[row.span]
        assert spec.text[slice(*row.span)] == passage.text
        assert (row.section, row.section_id) == (passage.section.title, passage.section.id)
        assert row.writer == "offline" and row.spec == spec.sha256
        assert re.fullmatch(r"doc-[0-9a-f]{12}", row.id), "an id may become part of a path"


def test_what_a_writer_says_is_never_a_path(tmp_path):
    """A model may name a subdomain or type anything; only the four files of the step may appear."""
    evil = "../../../../tmp/evil \x00 C:\\evil \u202e.jsonl"
    writer = Bent(
        subdomains=edited(lambda value: {"subdomains": [{**item, "name": evil} for item in value["subdomains"]]}),
        doc_types=edited(lambda value: {"types": [f"{evil} {name}" for name in value["types"]]}),
        ideas=edited(lambda value: {"ideas": [{**item, "idea": f"{evil} {item['idea']}"} for item in value["ideas"]]}),
    )
    rows = made(SECTIONS, writer, documents=12).rows
    assert all(evil in row.doc_type for row in rows)
    summary = _run(tmp_path, CorpusConfig(documents=4))
    assert summary["documents"] == 4
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["documents.jsonl", "plan.json", "spec.md"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("refuses", "refused"),
        ("refuses in prose", "refusal"),
        ("truncates", "truncated"),
        ("breaks off", "truncated"),
        ("wrong tags", "unparseable"),
        ("placeholder", "placeholder"),
        ("other name", "ChatGPT"),
        ("no name", "no identity"),
        ("leaks", "scratchpad"),
        ("recites", "recitation"),
        ("short", "words"),
        ("copies", "overlap"),
    ],
)
def test_a_bad_writer_fails_soon_and_says_why(change: str, reason: str):
    writer = Altered(change)
    with pytest.raises(WriterError, match=rf"(?s)\d+ of 50 documents could not be written.*{reason}"):
        made(SECTIONS, writer, documents=50)
    assert writer.count("document") <= 50 * 3 * 3, "a hopeless writer is asked too often"


def test_each_fault_is_counted_by_its_own_name():
    faults = ["placeholder", "other name", "leaks", "short", "truncates"]
    writer = Altered("")

    def in_turn(ask, reply):
        if ask.sample % 1000 != 0:
            return reply
        writer.change = faults[int(ask.variables["idea"].encode().hex(), 16) % len(faults)]
        return Altered.alter(writer, ask, reply)

    writer.bends["corpus/document"] = in_turn
    result = made(SECTIONS, writer, documents=60)
    assert len(result.rows) == 60
    for reason in ("placeholder", "other assistant", "scratchpad", "too short", "truncated"):
        assert result.tally.rejected[reason] >= 3, result.tally.rejected


def test_bad_first_attempts_do_not_lower_the_count():
    assert len(made(SECTIONS, Altered("once"), documents=30).rows) == 30


def test_a_corpus_that_needs_every_idea_does_not_fail_for_a_few():
    """5 rules x 4 types x 5 ideas are just the 100 documents asked for, and some of those are never usable."""
    doomed = set()

    def bend(ask, reply):
        if len(doomed) < 4:
            doomed.add(ask.variables["idea"])
        return refused(ask, reply) if ask.variables["idea"] in doomed else reply

    result = made(RULES, Bent(rules_document=bend), documents=100, document_types=4, ideas=5, style="rules")
    assert len(result.rows) == 100
    assert result.corpus.missing == {"no usable reply": 4}
    with pytest.raises(InputError, match="at most 100"):
        made(RULES, documents=101, document_types=4, ideas=5, style="rules")


def test_a_writer_without_hope_is_not_asked_for_everything():
    """Many small subdomains: none of them alone shows soon that the writer can do nothing."""
    text = "\n\n".join(
        f"{{model_name}} is calm in case {n}, because calm helps people think it over." * 2 for n in range(400)
    )
    writer = Altered("refuses")
    with pytest.raises(WriterError, match="400 of 400 documents"):
        made(type(SECTIONS)("many", text), writer, documents=400, document_types=2)
    assert writer.count("document") <= 3 * 1000


def test_the_target_is_met_in_tokens():
    for target in (3_000, 40_000):
        result = made(SECTIONS, tokens=target, documents=1)
        total = sum(estimated_tokens(row.text) for row in result.rows)
        assert target <= total <= 1.1 * target + 300
        assert total == sum(written.tokens for written in result.corpus.written)


def test_a_target_in_tokens_beyond_all_ideas_is_the_users_error():
    with pytest.raises(InputError, match=r"corpus\.tokens is 900,000 .* but .* raise corpus\.document_types"):
        made(ONE_PARAGRAPH, tokens=900_000, document_types=3, ideas=2)
    with pytest.raises(InputError, match=r"corpus\.tokens is 6,000, but .* gave \d+ documents"):
        made(ONE_PARAGRAPH, tokens=6_000, document_types=2, ideas=1)


class Counts(Silent):
    """Progress that adds up."""

    def __init__(self):
        self.total, self.unit, self.done = None, "", 0

    def start(self, total, unit):
        self.total, self.unit = total, unit

    def advance(self, count=1):
        self.done += count


def test_progress_counts_what_the_target_counts():
    progress = Counts()
    made(SECTIONS, documents=30, progress=progress)
    assert (progress.total, progress.unit, progress.done) == (30, "documents", 30)
    result = made(SECTIONS, tokens=5000, progress=progress)
    assert (progress.total, progress.unit) == (5000, "tokens")
    assert progress.done == 30 + sum(written.tokens for written in result.corpus.written)


def test_critique_rewrites_every_document_and_is_checked_as_strictly():
    writer = Bent()
    result = made(SECTIONS, writer, documents=20, critique=True)
    drafts = [ask.variables["document"] for ask in writer.asked if ask.template == "corpus/rewrite"]
    assert len(drafts) == writer.count("document") == 20
    assert not set(drafts) & {row.text for row in result.rows}
    assert all(
        draft in ask.user
        for draft, ask in zip(drafts, [a for a in writer.asked if a.template == "corpus/rewrite"], strict=True)
    )
    for change, reason in (("other name", "ChatGPT"), ("wrong tags", "unparseable"), ("refuses", "refused")):
        with pytest.raises(WriterError, match=reason):
            made(SECTIONS, Altered(change, "rewrite"), documents=20, critique=True)


def test_a_draft_that_cannot_be_rewritten_is_written_again():
    writer = Bent(rewrite=lambda ask, reply: refused(ask, reply) if ask.sample < 1000 else reply)
    result = made(SECTIONS, writer, documents=20, critique=True)
    assert len(result.rows) == 20
    assert {row.seed for row in result.rows} == {1}


def test_a_document_may_come_as_json():
    def as_json(_, reply):
        text = reply.text.split("<document>\n")[1].removesuffix("\n</document>")
        return Reply(json.dumps({"plan": "first this", "document": text}))

    assert [row.text for row in made(SECTIONS, Bent(document=as_json), documents=12).rows] == [
        row.text for row in made(SECTIONS, documents=12).rows
    ]


def _run(folder, corpus, spec=SECTIONS):
    config = step_config(spec, Identity(), OFFLINE, corpus)
    return run(Context(config=config, inputs={}, folder=folder, progress=Silent(), compute=ComputeConfig()))


def test_the_step_leaves_rows_plan_spec_and_summary(tmp_path):
    summary = _run(tmp_path, CorpusConfig(documents=24))
    documents = list(read_rows(tmp_path / "documents.jsonl", Document))
    assert summary["documents"] == len(documents) == 24
    assert summary["coverage"] == {
        section.title: [6, sum(len(words_of(d.text)) for d in documents if d.section_id == section.id)]
        for section in SECTIONS.sections
        if section.level == 2
    }
    assert sum(summary["types"].values()) == 24
    assert summary["words"] == sum(words for _, words in summary["coverage"].values())
    assert summary["tokens"] == sum(estimated_tokens(document.text) for document in documents)
    assert (summary["missing"], summary["hopeless"], summary["repaired"]) == ({}, {}, {})
    assert summary["dollars"] == 0
    assert json.loads(json.dumps(summary)) == summary
    assert (tmp_path / "spec.md").read_text(encoding="utf-8") == SECTIONS.text
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assertions = {entry["id"] for subdomain in plan["subdomains"] for entry in subdomain["assertions"]}
    assert all(set(document.assertions) <= assertions and document.assertions for document in documents)
    assert [entry["idea"] for entry in plan["documents"]] == [document.idea for document in documents]


def test_the_fingerprint_knows_writer_prompts_and_spec():
    def step(spec=SECTIONS, **config):
        return corpus_step("a", spec, Identity(), OFFLINE, CorpusConfig(documents=24, **config))

    with pytest.raises(InputError, match="spec 'sections' has no rules"):
        step(style="rules")  # before anything is paid for

    assert isinstance(step().config, CorpusStepConfig)
    assert sorted(step().config.prompts) == [
        f"corpus/{name}" for name in ("assertions", "doc_types", "document", "domains", "ideas", "subdomains")
    ]
    assert "corpus/rewrite" in step(critique=True).config.prompts
    assert "corpus/rules_document" in step(RULES, style="rules").config.prompts
    assert "corpus/belief_document" in step(kind="belief").config.prompts
    assert step().config.writer_version is not None
    assert step_config(SECTIONS, Identity(), WriterConfig(model="some/model"), CorpusConfig()).writer_version is None
    prints = {step().fingerprint, step(ONE_PARAGRAPH).fingerprint, step(RULES, style="rules").fingerprint}
    assert len(prints | {step(critique=True).fingerprint, step(kind="belief").fingerprint}) == 5
    assert step().fingerprint == step().fingerprint


def test_beliefs_have_no_style():
    with pytest.raises(ValueError, match=r"corpus\.kind 'belief'"):
        CorpusConfig(kind="belief", style="rules")


def test_documents_are_the_same_in_every_process():
    """String hashing is seeded per process; nothing may depend on it."""
    program = (
        "import hashlib, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from corpus_doubles import made\nfrom midspec.spec import read_spec\n"
        "rows = made(read_spec('cheese-america'), documents=40).rows\n"
        "print(hashlib.sha256('\\n'.join(row.model_dump_json() for row in rows).encode()).hexdigest())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, __file__.rpartition("/")[0]],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_corpus_that_is_broken_off_leaves_no_texts_behind(tmp_path):
    from midspec.corpus.spool import Spool

    with pytest.raises(asyncio.CancelledError), Spool(tmp_path) as spool:
        place = spool.add("text 🙂")
        assert spool.read(place) == "text 🙂"
        raise asyncio.CancelledError
    assert not list(tmp_path.iterdir())
