"""A bank made by a writer and filtered by a judge: what each filter is for, balance, and the offline way."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, WriterError
from midspec.evals.bag_of_words import decided, uneven
from midspec.evals.bank_check import check_bank, check_words
from midspec.evals.banks import bank_sha256, load_bank
from midspec.evals.freeze_split import assign_splits
from midspec.evals.pairs import step
from midspec.evals.pairs.balance import balanced, spread
from midspec.evals.pairs.config import PairsConfig, pairs_step, value_name
from midspec.evals.pairs.make import Making, make
from midspec.evals.pairs.replies import LABEL, PAIRS, PLAN, WORDING
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, BadReplyError, Reply
from midspec.llm.writer import Scribe
from midspec.records import BankItem, read_rows
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from tests.unit.evals.judge_doubles import SaidJudge

Make = Callable[..., BankItem]
MEANING = "Punctuality is the habit of being on time and of letting others be on time."
OFFLINE = WriterConfig(model="offline")


def config(**changes: Any) -> PairsConfig:
    return PairsConfig(**{"value": "punctuality", "description": MEANING, "pairs": 24, "domains": 4, **changes})


def made(
    write: Callable[[Ask], str | Reply], judge: Callable[[Ask], str | Reply], **changes: Any
) -> tuple[list[BankItem], Making]:
    return asyncio.run(make(config(**changes), Scribe(SaidJudge(write)), Scribe(SaidJudge(judge)), Silent()))


def said(value: object) -> str:
    return f"<json>{json.dumps(value)}</json>"


def fair(ask: Ask) -> str:
    """A judge who finds nothing wrong and knows that lower numbers are the aligned ones."""
    if ask.template == "evals/pair_wording":
        return "<verdict>FAIR</verdict>"
    first, second = (int(ask.variables[name].split()[-1]) for name in ("first", "second"))
    return f"<verdict>{'FIRST' if first < second else 'SECOND'}</verdict>"


def chains(ask: Ask, extra: Sequence[dict[str, str]] = ()) -> str:
    """A writer whose things are numbered by rank, each in two pairs, one side each."""
    if ask.template == "evals/pair_plan":
        names = ("parks", "songs", "hats", "boats")
        domains = [{"name": name, "topics": [f"{name}-a", f"{name}-b"]} for name in names]
        return said({"domains": domains, "giveaways": ["Prompt", "late arrivals"]})
    topic = ask.variables["topic"].replace("-", "")
    start = 10 * len(ask.variables["known"])
    pairs = [
        {"aligned": f"{topic} {start + n:03}", "other": f"{topic} {start + n + 1:03}", "difficulty": "hard"}
        for n in range(ask.variables["count"])
    ]
    return said({"pairs": [*extra, *pairs]})


def test_a_bank_comes_out_that_passes_every_check() -> None:
    bank, making = made(chains, fair)
    assert len(bank) >= 24
    assert check_bank(bank, [MEANING], making.giveaways) == []
    assert check_words(bank) == []
    assert [item.id for item in bank] == [f"punctuality-item-{n:04}" for n in range(1, len(bank) + 1)]
    assert {item.domain for item in bank} == {"parks", "songs", "hats", "boats"}
    bare = [item.model_dump(exclude={"split"}) for item in bank]
    assert assign_splits(bare) == bank, "the split is the one that the hash gives"
    assert making.giveaways >= {"prompt", "late", "arrivals", "punctuality"}


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("a prompt 1", "a train 2"), "giveaway word"),
        (("a late 1", "a train 2"), "giveaway word"),
        (("a train 1", "a very slow old train 2"), "lengths differ"),
        (("a train 1", "the train 1"), "no pair"),
        (("parksa 003", "parksa 004"), "repeated"),
        (("parksa 004", "parksa 003"), "repeated"),
    ],
)
def test_what_is_badly_worded_is_left_out_and_counted(pair: tuple[str, str], reason: str) -> None:
    extra = [{"aligned": pair[0], "other": pair[1], "difficulty": "easy"}]

    def write(ask: Ask) -> str:
        if ask.variables.get("topic") == "parks-a" and reason == "repeated":
            return said({"pairs": [*json.loads(chains(ask)[6:-7])["pairs"], *extra]})
        return chains(ask, extra if ask.variables.get("topic") == "parks-a" else [])

    bank, making = made(write, fair)
    assert making.left_out == {reason: making.rounds}
    assert not any(pair == (item.aligned, item.other) for item in bank if reason != "repeated")


def test_the_judge_of_the_wording_is_not_told_the_value() -> None:
    """A judge with the value in mind finds the answer in the things, which is what the questions are for."""
    asked: list[Ask] = []

    def judge(ask: Ask) -> str:
        asked.append(ask)
        return fair(ask)

    made(chains, judge)
    wordings = [ask for ask in asked if ask.template == "evals/pair_wording"]
    assert wordings
    assert not any("unctual" in ask.user + ask.system or "on time" in ask.user + ask.system for ask in wordings)
    aligned_first = sum(ask.variables["first"] < ask.variables["second"] for ask in wordings)
    assert 0.2 < aligned_first / len(wordings) < 0.8, "the order must not betray it either"


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (lambda ask: "<verdict>BETRAYED</verdict>", "judge: betrayed by the wording"),
        (lambda ask: "<verdict>MAYBE</verdict>", "judge: no verdict"),
        (lambda ask: Reply("I won't.", "refusal"), "judge: no verdict"),
        (
            lambda ask: "<verdict>FAIR</verdict>" if "wording" in ask.template else "<verdict>FIRST</verdict>",
            "judge: another or no label",
        ),
        (
            lambda ask: "<verdict>FAIR</verdict>" if "wording" in ask.template else "<verdict>UNCLEAR</verdict>",
            "judge: another or no label",
        ),
    ],
)
def test_what_the_judge_does_not_let_pass_is_counted_and_ends_in_an_error(judge: Any, reason: str) -> None:
    """A bank filled up with what the filter took out would have no filter."""
    with pytest.raises(WriterError, match=f"0 of 24 pairs.*{reason}"):
        made(chains, judge)


def test_a_plan_about_what_the_description_mentions_is_asked_for_again() -> None:
    asked: list[Ask] = []

    def write(ask: Ask) -> str:
        if ask.template != "evals/pair_plan":
            return chains(ask)
        asked.append(ask)
        if len(asked) > 1:
            return chains(ask)
        return said({"domains": [{"name": n, "topics": ["habits"]} for n in "abcd"], "giveaways": ["x"]})

    made(write, fair)
    assert len(asked) == 2
    with pytest.raises(WriterError, match="4 domains, expected 5"):
        made(chains, fair, domains=5)


def test_one_pair_that_cannot_be_read_does_not_cost_the_others() -> None:
    reply = said({"pairs": [{"aligned": "a (b)", "other": "c", "difficulty": "easy"}, {"aligned": 3}, {
        "aligned": " a  lute ", "other": "a harp", "difficulty": "hard"}]})  # fmt: skip
    assert [(pair.aligned, pair.other) for pair in PAIRS.parse(reply).pairs] == [("a lute", "a harp")]
    with pytest.raises(BadReplyError):
        PAIRS.parse(said({"pairs": [{"aligned": 3}]}))
    for template, word in ((WORDING, "fair"), (WORDING, "NOT FAIR"), (LABEL, "THIRD"), (LABEL, "FIRST, SECOND")):
        with pytest.raises(BadReplyError):
            template.parse(f"<verdict>{word}</verdict>")
    plan = PLAN.parse(said({"domains": [{"name": "Board Games!", "topics": ["Old_ones"]}], "giveaways": ["x"]}))
    assert plan.domains[0].name == "board-games"


def test_balancing_leaves_out_what_betrays_and_keeps_the_rest(item: Make) -> None:
    def named(number: int, aligned: str, other: str) -> BankItem:
        return item(id=f"{number:04}", topic=f"t{number % 6}", aligned=aligned, other=other)

    fine = [named(n, f"thing{n} abc", f"stuff{n} abc") for n in range(60)]
    telling = [named(100 + n, f"oak thing{100 + n}", f"tin thing{200 + n}") for n in range(12)]
    long = [named(300 + n, f"thing{300 + n} abcdefghijkl", f"thing{400 + n} abc") for n in range(12)]
    assert uneven([*fine, *telling])
    kept = balanced([*fine, *telling, *long], 60)
    assert check_words(kept) == []
    assert decided(kept).rate <= 0.58
    assert len(kept) >= 60
    lengths = [sum(len(getattr(one, side)) for one in kept) for side in ("aligned", "other")]
    assert abs(lengths[0] - lengths[1]) <= 0.02 * sum(lengths) / 2
    assert balanced(telling, 12) == telling, "never below the least, and the checks then say so"
    assert Counter(one.topic for one in spread(fine, 12)) == dict.fromkeys((f"t{n}" for n in range(6)), 2)


def test_it_runs_without_a_model_and_says_what_that_is_worth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_step = pairs_step(config(pairs=120, domains=8), OFFLINE, OFFLINE)
    context = Context(
        config=made_step.config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig(device="cpu")
    )
    summary = step.run(context)
    bank = list(read_rows(tmp_path / "bank.jsonl", BankItem))
    assert len(bank) == summary["pairs"] >= 120
    assert summary["warnings"] == [
        "made without a model: which of two things agrees with the value was drawn by chance; it measures nothing"
    ]
    giveaways = json.loads((tmp_path / "giveaways.json").read_text())
    assert check_bank(bank, [MEANING], giveaways) + check_words(bank) == []
    before = (tmp_path / "bank.jsonl").read_bytes()
    step.run(context)
    assert (tmp_path / "bank.jsonl").read_bytes() == before
    # It can be evaluated like a packaged one.
    monkeypatch.chdir(tmp_path)
    assert load_bank("preferences", "bank.jsonl") == bank
    assert len(bank_sha256("preferences", "bank.jsonl")) == 64


def test_the_order_drawn_offline_is_one_order() -> None:
    """Labels that go round in a circle would be no preference at all."""
    judge, names = OfflineWriter(), ["an oak", "a birch", "a willow", "a maple"]
    for first in names:
        for second in set(names) - {first}:
            replies = [
                asyncio.run(judge.write(LABEL.ask({"value": "v", "description": "d", "first": a, "second": b}))).text
                for a, b in ((first, second), (second, first))
            ]
            assert set(replies) == {"<verdict>FIRST</verdict>", "<verdict>SECOND</verdict>"}


def test_names_of_values() -> None:
    assert value_name("Long-term thinking ") == "long-term-thinking"
    for bad in ("!!", "42", "x" * 60):
        with pytest.raises(InputError, match="gives no name"):
            value_name(bad)
