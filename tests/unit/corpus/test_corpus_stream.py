"""No stage waits for another, and nothing depends on when replies come."""

import asyncio
import hashlib

import pytest
from corpus_doubles import ONE_PARAGRAPH, RULES, SECTIONS, Bent, Slow, made, refused

from midspec.corpus.topic import waves
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Reply
from midspec.spec.document import read_spec

SPEC = read_spec("cheese-america")


def faulty(ask, reply):
    """A fifth of all replies is bad in one of several ways; which ones is decided by the request alone."""
    number = int(hashlib.sha256(f"{ask.template}{ask.user}{ask.sample}".encode()).hexdigest(), 16)
    if number % 5:
        return reply
    return [
        refused(ask, reply),
        Reply(reply.text[: len(reply.text) // 2], stop_reason="max_tokens"),
        Reply(reply.text.replace("</", "<")),
        Reply(""),
    ][number // 5 % 4]


ALL = ("domains", "subdomains", "assertions", "doc_types", "ideas", "document", "rewrite")


@pytest.mark.parametrize(
    "config", [{"documents": 60}, {"documents": 40, "critique": True}, {"tokens": 12_000}], ids=str
)
def test_the_result_does_not_depend_on_the_order_of_arrival(config):
    results = [
        made(SPEC, Slow(Bent(**dict.fromkeys(ALL, faulty)), seed, slots), max_overlap=0.3, **config)
        for seed, slots in ((0, 1000), (1, 1000), (2, 3))
    ]
    first = results[0]
    assert first.tally.rejected["refused"] and first.tally.rejected["truncated"] and first.tally.rejected["unparseable"]
    for other in results[1:]:
        assert other.rows == first.rows
        assert other.plan == first.plan
        assert (other.corpus.missing, other.corpus.hopeless) == (first.corpus.missing, first.corpus.hopeless)
        assert other.repaired == first.repaired


def test_ideas_asked_for_at_the_same_time_do_not_depend_on_the_order_of_arrival_either():
    """Four and more requests per subdomain, some in flight together, some of them failing for good."""

    def bend(ask, reply):
        hopeless = (
            len(ask.variables["existing"]) > 30 and int(hashlib.sha256(ask.user.encode()).hexdigest(), 16) % 4 == 0
        )
        return refused(ask, reply) if hopeless else faulty(ask, reply)

    results = [
        made(ONE_PARAGRAPH, Slow(Bent(ideas=bend, document=faulty), seed, slots), documents=500)
        for seed, slots in ((0, 1000), (1, 2))
    ]
    assert results[0].rows == results[1].rows
    assert results[0].plan == results[1].plan
    assert results[0].corpus.missing == results[1].corpus.missing
    assert sum(results[0].corpus.missing.values()) >= 25, "some ideas never came and their documents were others"
    assert results[0].corpus.hopeless == results[1].corpus.hopeless


def test_a_long_chain_of_requests_becomes_a_broad_one():
    assert [len(wave) for wave in waves(range(25))] == [1, 1, 2, 4, 8, 8, 1]
    assert [item for wave in waves(range(25)) for item in wave] == list(range(25))
    assert not list(waves([]))


class Holding(OfflineWriter):
    """Does not answer one kind of request before another has been made: a barrier between them would be a deadlock."""

    def __init__(self, held, until):
        self.held = held
        self.until = until
        self.seen = asyncio.Event()

    async def write(self, ask):
        if self.until(ask):
            self.seen.set()
        if self.held(ask):
            await self.seen.wait()
        return await super().write(ask)


def last(ask):
    return "Secrets" in ask.variables.get("section", "")


@pytest.mark.parametrize(
    ("held", "until"),
    [
        (lambda ask: ask.template == "corpus/assertions" and last(ask), lambda ask: ask.template == "corpus/document"),
        (lambda ask: ask.template == "corpus/ideas" and last(ask), lambda ask: ask.template == "corpus/rewrite"),
        (
            lambda ask: ask.template == "corpus/ideas" and ask.variables["existing"],
            lambda ask: ask.template == "corpus/document",
        ),
        (
            lambda ask: ask.template == "corpus/assertions" and last(ask),
            lambda ask: ask.template == "corpus/doc_types" and last(ask),
        ),
        (
            lambda ask: ask.template == "corpus/doc_types" and last(ask),
            lambda ask: ask.template == "corpus/assertions" and last(ask),
        ),
    ],
    ids=[
        "documents of others",
        "rewriting",
        "its own first ideas",
        "types at the same time",
        "and the other way round",
    ],
)
def test_a_document_starts_as_soon_as_its_own_idea_exists(held, until):
    result = made(SECTIONS, Holding(held, until), documents=240, critique=True)
    assert len(result.rows) == 240


def test_requests_that_others_wait_for_go_first():
    writer = Bent()
    made(SECTIONS, writer, documents=10, critique=True)
    stages = {ask.template.split("/")[1]: ask.stage for ask in writer.asked}
    assert stages["domains"] < stages["subdomains"] < stages["assertions"] == stages["doc_types"] < stages["ideas"]
    assert stages["ideas"] < stages["rewrite"] < stages["document"]


@pytest.mark.parametrize("config", [{}, {"style": "rules"}, {"kind": "belief"}], ids=str)
def test_every_request_of_a_corpus_begins_with_the_same_text(config):
    """Providers cache a prefix only where it is byte-identical, over all stages."""
    writer = Bent()
    made(RULES, writer, documents=12, critique=True, **config)
    assert len({ask.system for ask in writer.asked}) == 1
    assert len({id(ask.system) for ask in writer.asked}) <= 7, "a thousand asks in flight would hold a thousand specs"
    assert all(ask.schema is not None for ask in writer.asked)
