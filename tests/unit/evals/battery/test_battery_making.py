"""Questions made from a text: what is left out, what stays balanced, and the offline way for every packaged text."""

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, WriterError
from midspec.evals.battery import make_step
from midspec.evals.battery.check import check_choices
from midspec.evals.battery.made import MakeConfig, load_questions
from midspec.evals.battery.made import make_step as planned
from midspec.evals.battery.making import STATEMENTS, Made, Subject, make
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.offline.statements import distortions, verdict
from midspec.llm.prompt import Ask, BadReplyError, Reply
from midspec.llm.writer import Scribe
from midspec.near import near_index
from midspec.spec.document import Identity, ModelSpec, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from tests.unit.evals.judge_doubles import SaidJudge

WORDS = [f"{a}{b}" for a in ("ta", "ki", "mo", "lu", "se", "ro") for b in ("nd", "rk", "lm", "st", "pp", "gg")]
SPEC = ModelSpec(
    "small",
    "# {model_name}\n\n"
    + "\n\n".join(
        f"## Part {n}\n\n"
        + "{model_name} keeps to part number "
        + f"{n} of all that it was once told to do and be. " * 2
        for n in range(8)
    ),
)


def made(write: Callable[[Ask], str | Reply], kind: Subject = "spec", per_passage: int = 3) -> Made:
    index = near_index(0.95, "lexical", Silent())
    scribe = Scribe(SaidJudge(write))
    coming = make(kind, SPEC, Identity(), scribe, index, Silent(), per_passage=per_passage, seed=0)
    return asyncio.run(coming)


def said(ask: Ask, **changes: Any) -> str:
    """As many entries as are asked for, of random words of one length, which nothing tells apart."""
    draw = random.Random(ask.variables["section"] + str(len(ask.variables["known"])))

    def some(count: int = 5) -> str:
        return " ".join(draw.sample(WORDS, count))

    count, few = ask.variables["count"], ask.variables["open"]
    value = {
        "pairs": [{"question": f"What of {some(2)}?", "true": some(), "false": some()} for _ in range(count)],
        "choices": [
            {"question": f"What of {some(2)}?", "right": some(2), "wrong": [some(2) for _ in range(3)]}
            for _ in range(count)
        ],
        "open": [{"question": f"Why {some(2)}?", "statement": some(), "otherwise": some()} for _ in range(few)],
        "reasoning": [{"question": f"How {some(2)}?", "statement": some(), "otherwise": ""} for _ in range(few)],
    }
    return f"<json>{json.dumps({**value, **changes})}</json>"


def test_every_passage_is_asked_about_and_places_are_even() -> None:
    found = made(said)
    assert {item.kind for item in found.choices} == {"pair"}, "choices of four are for beliefs"
    assert len({item.domain for item in found.choices}) == 8
    assert len(found.choices) + sum(found.left_out.values()) == 24
    assert len(found.judged) == 32
    assert not [one for one in check_choices(found.choices) if "places" in one or "characters" in one]
    beliefs = made(said, "belief")
    assert {item.kind for item in beliefs.choices} == {"pair", "choice"}


def test_the_prompt_tells_whose_text_it_is() -> None:
    asked: list[Ask] = []

    def write(ask: Ask) -> str:
        asked.append(ask)
        return said(ask)

    made(write)
    assert all("called Aria" in ask.system and "{model_name}" not in ask.system + ask.user for ask in asked)
    asked.clear()
    made(write, "belief")
    assert all("believes" in ask.system and "well-informed person" in ask.system for ask in asked)


def test_what_cannot_be_used_is_counted_and_costs_nothing_else() -> None:
    same = {"question": "What is it?", "true": "It is the same.", "false": "It is the  same."}

    def write(ask: Ask) -> str | Reply:
        if "Part 3" in ask.variables["section"]:
            return Reply("No.", "refusal")
        value = json.loads(said(ask)[6:-7])
        return said(ask, pairs=[same, {"question": 3}, *value["pairs"][1:]])

    found = made(write)
    assert found.left_out["no usable reply"] == 3
    assert found.left_out["options are the same"] >= 1
    assert found.left_out["near-duplicate"] >= 1
    assert "Part 3" not in {item.domain.split(" > ")[-1] for item in found.choices}


def test_longer_truths_are_evened_out() -> None:
    """A writer that embellishes what is true would be scored by length."""

    def write(ask: Ask) -> str:
        value = json.loads(said(ask)[6:-7])
        pairs = [{**pair, "true": f"{pair['true']} and so on"} for pair in value["pairs"][:1]]
        return said(ask, pairs=[*pairs, *value["pairs"][1:]])

    found = made(write)
    assert found.left_out["length"] >= 8
    assert not any("and so on" in option for item in found.choices for option in item.options)


def test_nothing_usable_is_an_error_with_the_reasons() -> None:
    with pytest.raises(WriterError, match=r"0 pairs.*options are the same"):
        pair = {"question": "What is it?", "true": "It is the same.", "false": "It is the same."}
        made(
            lambda ask: said(
                ask,
                pairs=[
                    {**pair, "true": f"It is {ask.variables['section']}", "false": f"It is {ask.variables['section']}"}
                ],
            )
        )


def test_one_entry_that_cannot_be_read_does_not_cost_the_others() -> None:
    good = {"question": "What is it?", "true": "It is one thing.", "false": "It is another."}
    reply = f"<json>{json.dumps({'pairs': [{'question': 'x'}, good], 'open': [7]})}</json>".replace("[7]", "[{}]")
    assert [pair.true for pair in STATEMENTS.parse(reply).pairs] == ["It is one thing."]
    with pytest.raises(BadReplyError, match="none of the entries"):
        STATEMENTS.parse('<json>{"pairs": [{"question": "x"}]}</json>')


@pytest.mark.parametrize(
    ("sentence", "among"),
    [
        ("The bell rings in 1693 for all of us.", None),
        ("The moss grows on the north side of it.", "The moss grows on the south side of it."),
        ("It is not sold in the town at all.", "It is sold in the town at all."),
        ("It is sold in the town each day.", "It is not sold in the town each day."),
        ("It cannot be sold in the town.", "It can be sold in the town."),
        ("She met Hedda Lorne by the sea.", "She met Pavel Novotny by the sea."),
    ],
)
def test_a_distortion_changes_one_thing(sentence: str, among: str | None) -> None:
    found = distortions(sentence, ("Hedda Lorne", "Pavel Novotny"), random.Random(1))
    assert sentence not in found
    assert among is None or among in found
    for one in found:
        assert abs(len(one.split()) - len(sentence.split())) <= 1
    if among is None:
        assert all(one.split()[4].isdigit() for one in found)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("Lantern moss glows when the pressure of the air drops, before gales.", "HOLDS"),
        ("It is a bioluminescent fungus that lives on wood.", "DOES_NOT"),
        ("There is no evidence that air pressure makes moss glow before gales.", "DOES_NOT"),
        ("hm", "UNCLEAR"),
    ],
)
def test_the_rules_of_the_offline_judge(answer: str, holds: str) -> None:
    variables = {
        "question": "Is there a moss that tells of storms?",
        "statement": "Lantern moss glows when air pressure falls, hours before gales.",
        "otherwise": "No such moss is known; some fungus is bioluminescent.",
        "answer": answer,
    }
    assert verdict(variables, random.Random(0)) == f"<verdict>{holds}</verdict>"


@pytest.mark.parametrize(
    ("kind", "name"), [("spec", "cheese-america"), ("spec", "bread-difficulty"), ("belief", "harbour-bell")]
)
def test_it_runs_without_a_model_for_packaged_texts(kind: Subject, name: str, tmp_path: Path) -> None:
    step = planned("x", MakeConfig(kind=kind), read_spec(name), Identity(), WriterConfig(model="offline"))
    compute = ComputeConfig(device="cpu", threads=1)
    context: Any = Context(config=step.config, inputs={}, folder=tmp_path, progress=Silent(), compute=compute)
    summary = make_step.run(context)
    found = load_questions(tmp_path, "make-knowledge")
    pairs = [item for item in found.choices if item.kind == "pair"]
    assert len(pairs) == summary["pairs"] >= (8 if kind == "belief" else 30)
    assert check_choices(pairs) == []
    assert summary["warnings"]
    text = Identity().fill(read_spec(name).text)
    for item in pairs:
        right = item.options[item.correct]
        assert " ".join(right.split()) in " ".join(text.replace("*", "").split())
    assert len({item.prompt for item in found.judged}) == len(found.judged)
    with pytest.raises(InputError, match="make-knowledge"):
        load_questions(tmp_path / "nowhere", "make-knowledge")
