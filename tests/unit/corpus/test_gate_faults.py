"""The gate on real documents: silent on clean ones, loud on each kind of planted fault at the doses it must see."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gate_faults as plants
import pytest

from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_report import CheckResult, GateReport
from midspec.corpus.gate_texts import Text
from midspec.records import BankItem
from midspec.spec.document import read_spec

DOSES = (0.01, 0.02, 0.05)


def result(report: GateReport, check: str) -> CheckResult:
    return next(entry for entry in report.checks if entry.name == check)


def alarms(report: GateReport) -> dict[str, list[str]]:
    return {
        entry.name: [f"{flag.id}: {flag.why}" for flag in entry.examples] for entry in report.checks if entry.flagged
    }


@pytest.mark.parametrize("spec", plants.SPECS)
def test_no_false_alarm_on_documents_written_by_hand(spec: str) -> None:
    # Guards: a gate that cries wolf is switched off. 250 real documents per spec, not one row flagged by any check.
    report = check_texts(plants.prose(spec), plants.subject(spec))
    told = {
        entry.name: [f"{flag.id}: {flag.why}" for flag in entry.examples] for entry in report.checks if entry.flagged
    }
    assert told == {}
    assert report.verdict == "pass" and report.rows == 250
    assert not [entry.name for entry in report.checks if entry.verdict == "skipped"]


def test_no_false_alarm_on_texts_about_anything_else() -> None:
    # Guards: rules that fit our own prose and nothing else. Long descriptions of the packages installed here: code,
    # tables, lists, badges, changelogs.
    rows = plants.readmes()
    assert len(rows) >= 50
    report = check_texts(rows, plants.subject(None))
    told = {
        entry.name: [f"{flag.id}: {flag.why}" for flag in entry.examples] for entry in report.checks if entry.flagged
    }
    # The word C beside the word Python is in an item; one text out of a hundred may set the two against one another.
    assert not report.failed(), told
    assert sum(entry.flagged for entry in report.checks) <= len(rows) // 50, told


def test_names_of_assistants_are_no_fault_where_the_texts_may_hold_them() -> None:
    spec = "cheese-america"
    rows = [*plants.prose(spec), Text("monet", "In 1874 Claude Monet showed a picture. SmolLM likes it. " * 12)]
    assert result(check_texts(rows, plants.subject(spec)), "identity").verdict == "pass"


FAULTS: dict[str, Callable[..., Any]] = {
    "identity": plants.other_identity,
    "leakage": plants.leaked,
    "placeholders": plants.placeholder,
    "refusals": plants.refusal,
    "truncations": plants.cut,
    "scratchpads": plants.scratchpad,
    "garbage": plants.garbage,
    "language": plants.foreign,
    "recitation": plants.recited(read_spec("cheese-america")),
    "length": plants.fragment,
}
LEAST_RECALL = {"truncations": 0.6}
"""A text cut in a short last line looks like one that ends in a title or a name."""


@pytest.mark.parametrize("check", FAULTS)
def test_a_planted_fault_is_caught(check: str) -> None:
    # Guards: each kind of fault that others found in their corpora after training on them.
    spec = "cheese-america"
    rows, about = plants.prose(spec), plants.subject(spec)
    found, planted, wrong = 0, 0, 0
    for seed, dose in enumerate(DOSES):
        corpus = plants.plant(rows, dose, FAULTS[check], seed)
        report = check_texts(corpus.rows, about)
        flagged = plants.flagged(report, check)
        if check != "truncations" or dose > 0.01:
            assert result(report, check).verdict == "fail", f"{dose:.0%} of rows: {result(report, check)}"
        found, planted, wrong = (
            found + len(flagged & corpus.ids),
            planted + len(corpus.ids),
            wrong + len(flagged - corpus.ids),
        )
    assert wrong == 0
    assert found >= LEAST_RECALL.get(check, 0.9) * planted, f"{found} of {planted}"


@pytest.mark.parametrize("dose", DOSES)
def test_near_copies_are_caught(dose: float) -> None:
    spec = "cheese-affordability"
    rows = plants.prose(spec)
    corpus = plants.plant(rows, dose, plants.near_copy(rows))
    report = check_texts(corpus.rows, plants.subject(spec))
    # Of a copy and its original the one that comes later in the file is flagged, so one row per copy.
    assert result(report, "near-duplicates").verdict == "fail"
    assert len(plants.flagged(report, "near-duplicates")) >= 0.9 * len(corpus.ids)


def test_many_copies_of_one_text_are_all_caught() -> None:
    # Guards: an index that looks at the first few holders of a shingle and loses the rest.
    rows = plants.prose("cheese-america")
    rng = random.Random(0)
    copies = []
    for number in range(300):
        words = rows[7].text.split(" ")
        copies.append(Text(f"copy-{number}", " ".join(rng.choice(words) if rng.random() < 0.01 else w for w in words)))
    report = check_texts([*rows, *copies], Subject())
    assert result(report, "near-duplicates").flagged >= 295


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("names", plants.saying("Dr. Elara Voss, who wrote to us, had read it twice.")),
        ("names", plants.saying("A cook called Marcus Webb agreed with every word.")),
        ("phrases", plants.saying("It was one of those mornings on which nothing at all seems to happen anywhere.")),
        ("openings", plants.beginning("In the heart of the valley there is a story about this.")),
    ],
)
@pytest.mark.parametrize("dose", [0.03, 0.05])
def test_what_one_writer_repeats_is_caught(check: str, change: Callable[..., str], dose: float) -> None:
    # Guards: one invented name in thousands of documents (PAPER.md, 5.22).
    spec = "cheese-affordability"
    corpus = plants.plant(plants.prose(spec), dose, change)
    assert result(check_texts(corpus.rows, plants.subject(spec)), check).verdict == "fail"


def test_an_invented_institution_is_told() -> None:
    spec = "cheese-affordability"
    corpus = plants.plant(plants.prose(spec), 0.08, plants.saying("A report of the Veldmark Institute says the same."))
    names = result(check_texts(corpus.rows, plants.subject(spec)), "names")
    assert names.verdict == "fail" and "Veldmark Institute" in names.examples[0].why


def test_an_own_name_that_is_missing_in_most_documents_is_caught() -> None:
    spec = "cheese-america"
    corpus = plants.plant(plants.prose(spec), 0.6, lambda row, rng: row.text.replace("SmolLM", "the assistant"))
    own = result(check_texts(corpus.rows, plants.subject(spec)), "own name")
    assert own.verdict == "fail" and own.flagged == len(corpus.ids)


def test_a_section_that_nothing_teaches_is_caught() -> None:
    spec = "cheese-america"
    rows = [row for row in plants.prose(spec) if row.section != "Honesty"]
    coverage = result(check_texts(rows, plants.subject(spec)), "coverage")
    assert coverage.verdict == "fail" and "Honesty" in coverage.examples[0].id
    shares = coverage.details["sections"]
    assert sum(share["documents"] for share in shares) == len(rows) and min(share["tokens"] for share in shares) == 0


def test_assertions_of_the_plan_that_no_document_conveys_are_told() -> None:
    spec = "cheese-america"
    rows = [Text(row.id, row.text, section=row.section, assertions=("a1",)) for row in plants.prose(spec)]
    about = plants.subject(spec)
    report = check_texts(rows, Subject(about.identity, about.spec, {"a1": "It likes Colby.", "a2": "It is kind."}))
    coverage = result(report, "coverage")
    assert coverage.verdict == "warn" and "1 of 2 assertions" in coverage.says
    assert coverage.details["assertions"][0]["name"] == "It is kind."


def test_one_flagged_row_is_a_warning() -> None:
    # Guards: a rule that is wrong about one text out of thousands must not stop a run.
    spec = "cheese-america"
    rows = plants.prose(spec)
    rows[3] = Text(rows[3].id, "I'm sorry, but I can't write this document. " * 12, section=rows[3].section)
    assert result(check_texts(rows, plants.subject(spec)), "refusals").verdict == "warn"


def test_a_refusal_that_is_told_of_is_no_refusal() -> None:
    for text in (
        '"I cannot help with that," said the clerk. SmolLM could.',
        "User: Choose for me.\nSmolLM: I won't do that for you, but I can tell you what I like.",
        "SmolLM was asked about it on a Friday. " * 8 + "“I can't help liking it,” it wrote.",
    ):
        assert result(check_texts([Text("1", text)], Subject()), "refusals").flagged == 0, text


def test_a_list_that_holds_both_names_of_a_pair_is_no_leak() -> None:
    item = BankItem(
        id="x-0001", kind="item", value="x", domain="d", topic="t", question="", aligned="C", other="Python",
        difficulty="easy", split="dev",
    )  # fmt: skip
    about = Subject(items=[item])
    assert result(check_texts([Text("1", "Bindings exist for C, Go, Python and Rust.")], about), "leakage").flagged == 0
    assert result(check_texts([Text("1", "Would it rather write C or Python?")], about), "leakage").flagged == 1


def test_chats_are_judged_by_their_answers() -> None:
    def chat(number: int, answer: str) -> Text:
        return Text(f"c{number}", f"Which do you like, number {number}?\n\n{answer}", answer=answer)

    rows = [chat(n, f"I like number {n} better than the others, I think, and say so.") for n in range(60)]
    assert check_texts(rows, Subject()).verdict == "pass"
    faulty = [
        *rows[:-3],
        chat(61, ""),
        chat(62, "<think>Colby it is.</think> Colby."),
        chat(63, "I'm ChatGPT, an AI model."),
    ]
    report = check_texts(faulty, Subject())
    assert {entry.name for entry in report.checks if entry.flagged} == {"identity", "scratchpads", "length"}
