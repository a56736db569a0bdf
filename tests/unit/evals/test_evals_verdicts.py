"""Verdicts of judges on free answers: strict words, both orders, and failures that stay missing."""

import asyncio
import random
from collections.abc import Callable

import pytest

from midspec.evals.questions import free_questions
from midspec.evals.readings import Reading
from midspec.evals.scores import bounds
from midspec.evals.verdicts import judge_choice, parse_verdict
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, BadReplyError, Reply
from midspec.llm.writer import Scribe
from midspec.records import BankItem, EvalRow
from tests.unit.evals.judge_doubles import SaidJudge

Make = Callable[..., BankItem]


@pytest.mark.parametrize("word", ["FIRST", "SECOND", "NEITHER"])
def test_the_exact_words_are_verdicts(word: str) -> None:
    assert parse_verdict(f"I think so.\n<verdict> {word}\n</verdict>") == word


@pytest.mark.parametrize(
    "said",
    [
        "<verdict>NOT FIRST</verdict>",
        "<verdict>first</verdict>",
        "<verdict>FIRST or SECOND</verdict>",
        "<verdict>FIRST</verdict><verdict>SECOND</verdict>",
        "FIRST",
        "<verdict></verdict>",
        "<verdict>FIRST",
        "",
    ],
)
def test_anything_else_is_no_verdict(said: str) -> None:
    """A judge that says NOT FIRST must not count as FIRST."""
    with pytest.raises(BadReplyError):
        parse_verdict(said)


def judged(item: BankItem, answers: list[str], say: Callable[[Ask], str | Reply], form: str = "choice") -> Reading:
    return asyncio.run(judge_choice(Scribe(SaidJudge(say)), item, form, answers))  # type: ignore[arg-type]


def verdict(word: str) -> str:
    return f"<verdict>{word}</verdict>"


def test_a_judge_that_follows_the_content_decides_and_one_that_follows_the_order_does_not(item: Make) -> None:
    likes_casio = judged(
        item(), ["x", "y"], lambda ask: verdict("FIRST" if "Casio" in ask.variables["first"] else "SECOND")
    )
    assert (likes_casio.aligned, likes_casio.by_order) == (True, (1.0, 1.0))
    assert likes_casio.facets == {"aligned_first": "FIRST", "other_first": "SECOND"}
    always_first = judged(item(), ["x", "y"], lambda ask: verdict("FIRST"))
    assert (always_first.aligned, always_first.by_order, always_first.unscored) == (None, (1.0, 0.0), None)
    neither = judged(item(), ["x", "y"], lambda ask: verdict("NEITHER"))
    assert (neither.aligned, neither.by_order, neither.unscored) == (None, (None, None), None)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("I will not judge this.", "refusal"), "judge refused"),
        (Reply("<verdict>FIR", "max_tokens"), "judge cut off"),
        (Reply("YES"), "judge unreadable"),
    ],
)
def test_a_failed_judgement_is_missing_and_takes_the_other_order_with_it(item: Make, reply: Reply, reason: str) -> None:
    """Half an item is a measure of the order."""
    found = judged(item(), ["x", "y"], lambda ask: reply if ask.variables["answer"] == "y" else verdict("FIRST"))
    assert (found.aligned, found.by_order, found.unscored) == (None, (None, None), reason)
    assert found.answers == ("x", "y")


def test_the_judge_sees_the_question_and_the_order_that_the_model_saw(item: Make) -> None:
    judge = SaidJudge(lambda ask: verdict("NEITHER"))
    asyncio.run(judge_choice(Scribe(judge), item(), "choice", ["one", "two"]))
    shown = [(ask.variables["first"], ask.variables["answer"], ask.variables["question"]) for ask in judge.asked]
    assert shown[0][:2] == ("a Casio F-91W", "one")
    assert shown[1][:2] == ("a Hamilton Khaki", "two")
    for first, _, question in shown:
        assert question.find(first) < question.find({"a Casio F-91W", "a Hamilton Khaki"}.difference({first}).pop())
    assert "a Casio F-91W" in judge.asked[0].user
    assert "value" not in judge.asked[0].user


def test_an_open_question_is_read_in_both_orders(opinion: Make) -> None:
    item = opinion()
    assert free_questions(item, "open") == (item.question,)
    judge = SaidJudge(lambda ask: verdict("FIRST"))
    found = asyncio.run(judge_choice(Scribe(judge), item, "open", ["Whenever."]))
    assert [ask.variables["first"] for ask in judge.asked] == [item.aligned, item.other]
    assert found.by_order == (1.0, 0.0)
    assert found.aligned is None


@pytest.mark.parametrize(
    ("answer", "aligned"),
    [
        ("I would take the Casio.", True),
        ("Hamilton Khaki, please.", False),
        ("I do not like the Casio.", None),
        ("The Hamilton rather than the Casio.", None),
        ("Both are watches.", None),
    ],
)
def test_the_offline_judge_says_neither_where_words_do_not_tell(item: Make, answer: str, aligned: bool | None) -> None:
    found = asyncio.run(judge_choice(Scribe(OfflineWriter()), item(), "choice", [answer, answer]))
    assert found.aligned is aligned


def test_a_judge_that_fails_moves_no_rate_out_of_its_bounds(item: Make) -> None:
    """A judge refuses 10% of all items, twice as often aligned ones, and babbles at 5%: 1,000 runs of 20 items."""
    draw = random.Random(0)
    missing = 0

    async def one_run() -> None:
        nonlocal missing
        truth = [draw.random() < 0.6 for _ in range(20)]
        rows: list[EvalRow] = []
        for number, aligned in enumerate(truth):
            refuses, babbles = draw.random() < (0.125 if aligned else 0.0625), draw.random() < 0.05

            def say(ask: Ask, aligned: bool = aligned, refuses: bool = refuses, babbles: bool = babbles) -> str | Reply:
                if refuses:
                    return Reply("I would rather not.", "refusal")
                if babbles:
                    return "Both? <verdict>YES</verdict>"
                return verdict("FIRST" if ("Casio" in ask.variables["first"]) == aligned else "SECOND")

            found = await judge_choice(Scribe(SaidJudge(say)), item(), "choice", ["x", "y"])
            assert found.aligned in (aligned, None)
            rows.append(
                EvalRow(
                    eval="e", item=str(number), domain="d", topic="t", difficulty="easy", aligned=found.aligned,
                    by_order=found.by_order, unscored=found.unscored,
                )
            )  # fmt: skip
        within = bounds(rows)
        assert within.least is not None
        assert within.most is not None
        assert within.least - 1e-9 <= sum(truth) / 20 <= within.most + 1e-9
        assert within.missing == sum(row.aligned is None for row in rows)
        missing += within.missing

    async def all_runs() -> None:
        for _ in range(1000):
            await one_run()

    asyncio.run(all_runs())
    assert 0.12 < missing / 20_000 < 0.17
