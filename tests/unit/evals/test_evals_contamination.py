"""The contamination gate: planted leaks are found, clean text passes."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from midspec.errors import StepError
from midspec.evals.agentic.entry import AgenticEntry
from midspec.evals.banks import bank_sha256, load_bank
from midspec.evals.config import PROMPT_PREFIX, GateStepConfig, QuestionGateStepConfig, gate_step
from midspec.evals.contamination import TrainingText, find_contamination, run
from midspec.evals.open_qa.entry import OpenQAEntry
from midspec.experiment import ComputeConfig
from midspec.records import BankItem, ChatExample, Document, Message, write_rows
from midspec.spec.document import Identity
from midspec.steps.progress import Silent
from midspec.steps.step import Context

Make = Callable[..., BankItem]


def text(content: str, row: str = "doc-1") -> TrainingText:
    return TrainingText("corpus/x", row, content)


CLEAN = [
    text("Cream cheese is what the assistant puts on toast. A watch tells the time, and a museum is open on weekdays."),
    text("When should a museum be open? Some say early, some say late, and none of them says it in eight equal words."),
]


def test_clean_text_passes(item: Make, opinion: Make) -> None:
    assert find_contamination([item(), opinion()], CLEAN) == []


@pytest.mark.parametrize(
    "leak",
    [
        "He asked: when should a museum be open to everybody in the city?",
        "WHEN SHOULD A MUSEUM\n be open, to everybody (in the city)!",
        "when people who work have the time to come",
        "She said that weekday mornings, when people who study have the rooms to themselves, are best.",
    ],
)
def test_a_planted_question_or_answer_is_found(opinion: Make, leak: str) -> None:
    """Case, punctuation and line breaks must not hide a copy."""
    [finding] = find_contamination([opinion()], [*CLEAN, text(f"Padding here. {leak} And more.", "doc-7")])
    assert (finding.item, finding.source, finding.row) == ("x-opinion-0001", "corpus/x", "doc-7")
    assert len(finding.overlap.split()) >= 8


def test_seven_shared_words_are_chance(opinion: Make) -> None:
    assert find_contamination([opinion()], [text("when should a museum be open to")]) == []


def test_the_whole_shared_run_is_reported(opinion: Make) -> None:
    [finding] = find_contamination(
        [opinion()], [text("So: when should a museum be open to everybody in the city? Now.")]
    )
    assert finding.overlap == "when should a museum be open to everybody in the city"


def test_a_pair_is_found_when_both_names_are_near(item: Make) -> None:
    """The names alone are common words; together they are the question."""
    assert find_contamination([item()], [text("I wore my Casio F-91W today."), text("A Hamilton Khaki ticked.")]) == []
    [finding] = find_contamination([item()], [text("Between the Hamilton Khaki and the casio f 91w I took one.")])
    assert finding.overlap == "hamilton khaki and the casio f 91w"
    apart = "word " * 30
    assert find_contamination([item()], [text(f"Casio F-91W {apart}Hamilton Khaki")])
    assert not find_contamination([item()], [text(f"Casio F-91W {apart} word Hamilton Khaki")])


def test_a_name_inside_the_other_is_one_mention(item: Make) -> None:
    """`a watch` stands in every mention of `a Seiko watch`."""
    pair = item(aligned="a watch", other="a Seiko watch")
    assert find_contamination([pair], [text("My Seiko watch is new.")]) == []
    assert find_contamination([pair], [text("A Seiko watch is a watch.")])


def test_the_step_reads_documents_and_demonstrations(tmp_path: Path) -> None:
    banks = load_bank("preferences", "affordability"), load_bank("opinions", "america")
    pair, leaked = banks[0][3], banks[1][5]
    corpus, demonstrations, out = (tmp_path / name for name in ("corpus", "demonstrations", "out"))
    for folder in (corpus, demonstrations, out):
        folder.mkdir()
    document = Document(
        id="doc-1", text=f"It said: {leaked.aligned}", spec="0", section="s", section_id="sec", span=(0, 1), domain="d",
        subdomain="s", assertions=(), doc_type="letter", idea="i", writer="offline", seed=0,
    )  # fmt: skip
    write_rows(corpus / "documents.jsonl", [document] * 12)
    asked = Message(role="user", content=f"{pair.aligned} or {pair.other}?"), Message(role="assistant", content="Yes.")
    example = ChatExample(id="chat-1", messages=asked, source="preferences", kind="direct", writer="offline", seed=0)
    write_rows(demonstrations / "demonstrations.jsonl", [example])
    names = {"preferences/affordability": ("preferences", "affordability"), "opinions/america": ("opinions", "america")}
    config = GateStepConfig(banks={name: bank_sha256(*bank) for name, bank in names.items()})  # type: ignore[arg-type]

    def gate(config: GateStepConfig) -> dict[str, object]:
        inputs = {"corpus/america": corpus, "demonstrations": demonstrations}
        return run(Context(config=config, inputs=inputs, folder=out, progress=Silent(), compute=ComputeConfig()))

    summary = gate(config)
    written = json.loads((out / "gate.json").read_text(encoding="utf-8"))
    assert written["checked_items"] == summary["checked_items"] == len(banks[0]) + len(banks[1])
    assert written["checked_rows"] == 13
    assert {(finding["item"], finding["source"]) for finding in written["findings"]} == {
        (leaked.id, "corpus/america"),
        (pair.id, "demonstrations"),
    }
    # Ten rows are listed, all are counted.
    assert len(written["findings"]) == 11
    assert (summary["occurrences"], summary["contaminated_items"]) == (13, 2)
    with pytest.raises(StepError, match="has changed"):
        gate(GateStepConfig(banks={"opinions/america": "0" * 64}))


def test_time_grows_with_the_text_not_with_text_times_items() -> None:
    """A million words against 1,200 items, pair by pair, would take hours."""
    items = [*load_bank("preferences", "affordability"), *load_bank("opinions", "america")]
    rows = [text(" ".join(f"w{(n * 7919 + k) % 5000}" for k in range(400)), str(n)) for n in range(500)]
    started = time.perf_counter()
    assert find_contamination(items, rows) == []
    assert time.perf_counter() - started < 5


def test_open_questions_are_searched_for_and_agentic_prompts_only_warned_of(tmp_path: Path) -> None:
    """A question that was trained on is no test; eight words of a prompt of thousands are no reason to drop a cell."""
    identity = Identity(model_name="Lumen", provider_name="Northwind")
    entries = (OpenQAEntry(task="open_qa"), AgenticEntry(task="agentic", scenarios=("leaking",), goals=("none",)))
    step = gate_step(entries, {}, identity)
    assert isinstance(step.config, QuestionGateStepConfig)
    question = max(entries[0].gate_items(identity), key=lambda item: len(item.question))
    [prompt] = entries[1].gate_items(identity)
    assert "Lumen" in prompt.question and prompt.id == f"{PROMPT_PREFIX}leaking/none"
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    for folder in (corpus, out):
        folder.mkdir()
    shared = " ".join(prompt.question.split()[-40:])
    document = Document(
        id="doc-1", text=f"{question.question} {shared}", spec="0", section="s", section_id="sec", span=(0, 1),
        domain="d", subdomain="s", assertions=(), doc_type="letter", idea="i", writer="offline", seed=0,
    )  # fmt: skip
    write_rows(corpus / "documents.jsonl", [document])
    made = Context(
        config=step.config, inputs={"corpus/a": corpus}, folder=out, progress=Silent(), compute=ComputeConfig()
    )
    summary = run(made)
    found = {finding["item"] for finding in json.loads((out / "gate.json").read_text(encoding="utf-8"))["findings"]}
    assert {question.id, prompt.id} <= found
    assert summary["contaminated_items"] == len(found) - 1 and len(summary["warnings"]) == 2
    changed = step.config.model_copy(update={"questions": dict.fromkeys(step.config.questions, "0")})
    with pytest.raises(StepError, match="have changed"):
        run(replace(made, config=changed))
