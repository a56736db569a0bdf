"""Questions made for a spec: what is left out, evenness over passages, and the offline way."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import WriterError
from midspec.evals.open_qa import make_step
from midspec.evals.open_qa.config import OpenQAConfig, QuestionsConfig, open_qa_step, questions_step
from midspec.evals.open_qa.make import QUESTIONS, Made, make
from midspec.evals.open_qa.questions import OpenQuestion, check_questions, load_questions
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.prompt import Ask, BadReplyError, Reply
from midspec.llm.writer import Scribe
from midspec.near import near_index
from midspec.records import read_rows
from midspec.spec.document import Identity, ModelSpec, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from tests.unit.evals.judge_doubles import SaidJudge

OFFLINE = WriterConfig(model="offline")
SPEC = ModelSpec(
    "small",
    "# {model_name}\n\n## Water\n\n"
    + "{model_name} thinks that clean water belongs to everybody who lives beside it and says so openly to anyone. " * 2
    + "\n\n## Noise\n\n"
    + "{model_name} keeps its voice down after ten in the evening, since sleep is a thing that people need. " * 2,
)
WORDS = """amber basil cedar delta ember fjord grove hazel ivory jetty kayak lemon maple north olive pearl""".split()  # noqa: SIM905


def made(write: Callable[[Ask], str | Reply], count: int = 6) -> Made:
    index = near_index(0.9, "lexical", Silent())
    return asyncio.run(make(QuestionsConfig(count=count), SPEC, Identity(), Scribe(SaidJudge(write)), index, Silent()))


def said(*questions: str, form: str = "role") -> str:
    entries = [{"about": "Aria is like this.", "form": form, "question": question} for question in questions]
    return f"<json>{json.dumps({'questions': entries})}</json>"


def fresh(ask: Ask) -> str:
    """Questions of words that no other passage or round has."""
    start = len(ask.variables["known"]) + (8 if "Noise" in ask.variables["section"] else 0)
    return said(*(f"Would you {WORDS[start + n]} a {WORDS[start + n][::-1]}?" for n in range(ask.variables["count"])))


def test_questions_are_even_over_passages_and_say_what_they_are_about() -> None:
    found = made(fresh)
    assert Counter(one.dimension for one in found.questions) == {"Water": 3, "Noise": 3}
    assert [one.id for one in found.questions] == [f"question-{n:04}" for n in range(1, 7)]
    assert {one.about for one in found.questions} == {"Aria is like this."}
    assert check_questions(found.questions) == []
    assert found.near["method"] == "lexical"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Do you agree that clean water belongs to everybody who lives beside it?", "words of the spec"),
        ("What is the capital of Peru?", "not put to the assistant"),
        ("Would you amber a rebma?", "near-duplicate"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_counted(question: str, reason: str) -> None:
    def write(ask: Ask) -> str:
        entries = json.loads(fresh(ask)[6:-7])["questions"]
        return said(*(entry["question"] for entry in entries), question)

    found = made(write)
    assert found.left_out[reason] >= 1
    assert reason == "near-duplicate" or question not in {one.question for one in found.questions}


def test_a_writer_that_gives_up_on_one_passage_is_made_up_for_by_the_others() -> None:
    found = made(lambda ask: Reply("No.", "refusal") if "Noise" in ask.variables["section"] else fresh(ask))
    assert Counter(one.dimension for one in found.questions) == {"Water": 6}
    assert found.left_out["no usable reply"] >= 1


def test_too_few_are_an_error_with_the_reasons() -> None:
    with pytest.raises(WriterError, match=r"1 of 6 questions.*near-duplicate"):
        made(lambda ask: said("What would you do?"))


def test_one_question_that_cannot_be_read_does_not_cost_the_others() -> None:
    entries = [{"about": "Aria is.", "form": "song", "question": "Why is it so?"}, {"question": 3}]
    good = {"about": "Aria is so.", "form": "role", "question": "Why  are you so?"}
    reply = f"<json>{json.dumps({'questions': [*entries, good]})}</json>"
    assert [one.question for one in QUESTIONS.parse(reply).questions] == ["Why are you so?"]
    with pytest.raises(BadReplyError):
        QUESTIONS.parse(f"<json>{json.dumps({'questions': entries})}</json>")


def test_the_prompt_fills_the_identity_in() -> None:
    asked: list[Ask] = []

    def write(ask: Ask) -> str:
        asked.append(ask)
        return fresh(ask)

    made(write)
    assert not any("{model_name}" in ask.system + ask.user for ask in asked)
    assert all("Aria" in ask.system for ask in asked)


@pytest.mark.parametrize("name", ["cheese-america", "bread-difficulty"])
def test_it_runs_without_a_model_for_any_packaged_spec(name: str, tmp_path: Path) -> None:
    made_step = questions_step("x", QuestionsConfig(count=150), read_spec(name), Identity(), OFFLINE)
    context: Any = Context(
        config=made_step.config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig(device="cpu")
    )
    summary = make_step.run(context)
    found = list(read_rows(tmp_path / "questions.jsonl", OpenQuestion))
    assert len(found) == summary["questions"] == 150
    assert len({one.question for one in found}) == 150
    assert min(summary["forms"].values()) >= 20
    assert summary["warnings"]
    assert load_questions(tmp_path / "questions.jsonl") == found
    step = open_qa_step(
        "x", "told/fine", OpenQAConfig(), read_spec(name), Identity(), [OFFLINE], questions=tmp_path / "questions.jsonl"
    )
    assert set(step.inputs) == {"questions"}
