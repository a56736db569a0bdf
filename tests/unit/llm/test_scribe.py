"""A scribe takes no reply that did not end well, asks a bounded number of times, and counts what it paid."""

import asyncio
from typing import Any

import pytest
from asking import Question
from pydantic import BaseModel

from midspec.errors import WriterError
from midspec.llm.prompt import Ask, BadReplyError, PromptTemplate, Reply, json_reply
from midspec.llm.writer import Scribe

GOOD = Reply("<document>Answer to you</document>", output_tokens=5, dollars=0.5)


class Scripted:
    name = "scripted"

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[Ask] = []
        self.heard: list[str] = []

    async def write(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]

    def reject(self, reply: Reply, reason: str) -> None:
        self.heard.append(reason)


def asked(writer: Scripted, patience: int = 1, **options):
    scribe = Scribe(writer, patience)
    return scribe, asyncio.run(scribe.ask(Question(), {"user": "x"}, **options))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Reply(GOOD.text, "max_tokens"), "truncated"),
        (Reply(GOOD.text, "refusal"), "refused"),
        (Reply(GOOD.text, "error"), "truncated"),
        (Reply(""), "unparseable"),
        (Reply(" \n"), "unparseable"),
        (Reply("<document>Answer to you"), "unparseable"),
    ],
)
def test_a_reply_that_did_not_end_well_is_not_used_however_good_it_looks(bad: Reply, reason: str):
    writer = Scripted(bad, GOOD)
    scribe, text = asked(writer)
    assert text == "Answer to you"
    assert writer.heard == [reason] and scribe.tally.rejected == {reason: 1}
    assert [ask.sample for ask in writer.asked] == [0, 1]
    assert scribe.tally.requests == 2


class Listed(BaseModel):
    items: list[object]


class Listing(PromptTemplate[Listed]):
    """A prompt without a file."""

    def ask(self, variables: Any, sample: int = 0) -> Ask:
        return Ask(self.name, "", "", variables, sample)


@pytest.mark.parametrize(
    "bad",
    ['{"items": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"items": [' + "9" * 5000 + "]}", '{"items": ["\ud83d"]}'],
    ids=["deep", "long number", "half a character"],
)
def test_a_reply_that_breaks_the_parser_is_a_bad_reply_and_no_crash(bad: str):
    """A crash would come again with every start, since the reply is kept."""
    scribe = Scribe(Scripted(Reply(bad), Reply('{"items": [1]}')), 1)
    found = asyncio.run(scribe.ask(Listing("test/listing", json_reply(Listed)), {}))
    assert found.items == [1] and scribe.tally.rejected == {"unparseable": 1}


def test_it_gives_up_after_its_allowance_and_an_impatient_run_has_more():
    for patience in (1, 2):
        writer = Scripted(Reply("nothing"))
        with pytest.raises(WriterError, match=f"no usable reply to test/question in {3 * patience} attempts"):
            asked(writer, patience)
        assert len({ask.sample for ask in writer.asked}) == 3 * patience


def test_a_failed_check_counts_and_asks_again():
    def never(_: str) -> None:
        raise BadReplyError("off-spec", "no")

    writer = Scripted(GOOD)
    scribe = Scribe(writer)
    with pytest.raises(WriterError, match="off-spec: no"):
        asyncio.run(scribe.ask(Question(), {"user": "x"}, sample=4, check=never))
    assert scribe.tally.rejected == {"off-spec": 3}
    assert scribe.tally.dollars == 1.5
    assert [ask.sample for ask in writer.asked] == [4000, 4001, 4002]
