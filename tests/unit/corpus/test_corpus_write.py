"""The target is met or the failure says how far it is off; nothing bad or copied enters a corpus."""

import asyncio
import json
import subprocess
import sys
from itertools import combinations

import pytest
from corpus_doubles import HOSTILE, ONE_PARAGRAPH, SECTIONS, Altered

from midspec.corpus.overlap import OverlapIndex, shingles, words_of
from midspec.corpus.plan import plan
from midspec.corpus.step import CorpusStepConfig, corpus_step, run, step_config
from midspec.corpus.write import write
from midspec.errors import WriterError
from midspec.experiment import ComputeConfig, CorpusConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.writer import Scribe
from midspec.records import Document, read_rows
from midspec.spec.document import Identity
from midspec.steps.progress import Silent
from midspec.steps.step import Context


def corpus(spec, writer=None, *, concurrency=50, identity=None, **config):
    identity = identity or Identity()
    settings = CorpusConfig(**config)

    async def make():
        made = await plan(Scribe(OfflineWriter()), spec, identity, settings)
        scribe = Scribe(writer or OfflineWriter())
        return await write(scribe, spec, identity, made, settings, progress=Silent(), concurrency=concurrency)

    return asyncio.run(make())


@pytest.mark.parametrize("spec", [ONE_PARAGRAPH, SECTIONS], ids=lambda spec: spec.name)
def test_two_hundred_documents_share_at_most_half_of_their_shingles(spec):
    """By brute force over all pairs, so that a mistake in the inverted index cannot hide."""
    documents = corpus(spec, documents=200)
    assert len(documents) == 200
    sets = [shingles(document.text) for document in documents]
    assert max(len(a & b) / min(len(a), len(b)) for a, b in combinations(sets, 2)) <= 0.5


def test_the_index_agrees_with_brute_force():
    texts = [document.text for document in corpus(SECTIONS, documents=40)] + ["too short", "too short"]
    index = OverlapIndex()
    for number, text in enumerate(texts):
        sets = [shingles(other) for other in texts[:number]]
        own = shingles(text)
        assert index.highest(text) == max((len(own & other) / min(len(own), len(other)) for other in sets), default=0.0)
        index.add(text)
    assert index.highest("too short") == 1.0
    assert index.highest("") == 0.0


@pytest.mark.parametrize("spec", [ONE_PARAGRAPH, SECTIONS, HOSTILE], ids=lambda spec: spec.name)
def test_rows_are_complete_and_clean(spec):
    identity = Identity(model_name="Mo {x}", provider_name="Ó Co")
    documents = corpus(spec, documents=40, identity=identity)
    assert len({document.id for document in documents}) == 40
    for document in documents:
        assert "{model_name}" not in document.text
        assert "{provider_name}" not in document.text
        assert "<document>" not in document.text
        assert "scratchpad" not in document.text or spec is HOSTILE
        assert identity.model_name in document.text
        assert len(words_of(document.text)) >= 60
        assert spec.text[slice(*document.span)].strip() == spec.text[slice(*document.span)]
        assert document.writer == "offline"
        assert document.spec == spec.sha256


def test_the_result_does_not_depend_on_the_order_of_arrival():
    assert corpus(SECTIONS, documents=70, concurrency=1) == corpus(SECTIONS, documents=70, concurrency=64)


def test_another_seed_gives_other_texts():
    first, other = (corpus(SECTIONS, documents=20, seed=seed) for seed in (0, 1))
    assert not {document.text for document in first} & {document.text for document in other}
    assert not {document.id for document in first} & {document.id for document in other}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("refuses", "refused"),
        ("truncates", "truncated"),
        ("wrong tags", "unparseable"),
        ("placeholder", "placeholder"),
        ("other name", "ChatGPT"),
        ("short", "words"),
        ("copies", "overlap"),
    ],
)
def test_a_bad_writer_fails_soon_and_says_why(change: str, reason: str):
    writer = Altered(change)
    with pytest.raises(WriterError, match=rf"(?s)\d+ of 50 documents could not be written.*{reason}"):
        corpus(SECTIONS, writer, documents=50)
    assert writer.asked <= 50 * 3 * 3, "a hopeless writer is asked too often"


def test_bad_first_attempts_do_not_lower_the_count():
    assert len(corpus(SECTIONS, Altered("once"), documents=30)) == 30


def test_the_step_leaves_rows_plan_spec_and_summary(tmp_path):
    config = step_config(SECTIONS, Identity(), "offline", CorpusConfig(documents=24))
    context = Context(config=config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig())
    summary = run(context)
    documents = list(read_rows(tmp_path / "documents.jsonl", Document))
    assert summary["documents"] == len(documents) == 24
    assert summary["coverage"] == {
        section.title: [6, sum(len(words_of(d.text)) for d in documents if d.section_id == section.id)]
        for section in SECTIONS.sections
        if section.level == 2
    }
    assert sum(summary["types"].values()) == 24
    assert summary["words"] == sum(words for _, words in summary["coverage"].values())
    assert summary["dollars"] == 0
    assert json.loads(json.dumps(summary)) == summary
    assert (tmp_path / "spec.md").read_text(encoding="utf-8") == SECTIONS.text
    assertions = {
        entry["id"]
        for subdomain in json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["subdomains"]
        for entry in subdomain["assertions"]
    }
    assert all(set(document.assertions) <= assertions and document.assertions for document in documents)


def test_the_fingerprint_knows_writer_prompts_and_spec():
    step = corpus_step("a", SECTIONS, Identity(), "offline", CorpusConfig(documents=24))
    assert isinstance(step.config, CorpusStepConfig)
    assert len(step.config.prompts) == 6
    assert step.config.writer_version is not None
    assert step_config(SECTIONS, Identity(), "some/model", CorpusConfig()).writer_version is None
    other = corpus_step("b", ONE_PARAGRAPH, Identity(), "offline", CorpusConfig(documents=24))
    assert step.fingerprint != other.fingerprint
    assert step.fingerprint == corpus_step("b", SECTIONS, Identity(), "offline", CorpusConfig(documents=24)).fingerprint


def test_documents_are_the_same_in_every_process():
    """String hashing is seeded per process; nothing may depend on it."""
    program = (
        "import asyncio, hashlib\n"
        "from midspec.corpus.plan import plan\nfrom midspec.corpus.write import write\n"
        "from midspec.experiment import CorpusConfig\nfrom midspec.llm.writer import Scribe, writer_named\n"
        "from midspec.spec import Identity, read_spec\nfrom midspec.steps.progress import Silent\n"
        "async def main():\n"
        "    spec, config = read_spec('cheese-america'), CorpusConfig(documents=40)\n"
        "    scribe = Scribe(writer_named('offline'))\n"
        "    made = await plan(scribe, spec, Identity(), config)\n"
        "    rows = await write(scribe, spec, Identity(), made, config, progress=Silent())\n"
        "    print(hashlib.sha256('\\n'.join(row.model_dump_json() for row in rows).encode()).hexdigest())\n"
        "asyncio.run(main())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
