"""The stand-in is deterministic, and honest about what it cannot do."""

import asyncio

import pytest

from midspec.errors import WriterError
from midspec.llm.offline import OfflineWriter
from midspec.llm.offline.writer import ANSWERS, seeded
from midspec.llm.prompt import Ask, BadReplyError, PromptTemplate
from midspec.llm.rounds import in_rounds
from midspec.llm.writer import Scribe, Tally


def test_every_prompt_of_the_package_has_an_answer():
    """A prompt added without its offline function would break every recipe that runs offline."""
    from importlib.resources import files

    prompts = {
        f"{stage}/{entry.name.removesuffix('.jinja')}"
        for stage in ("corpus", "aft")
        for entry in files("midspec").joinpath(stage, "prompts").iterdir()
        if entry.name.endswith(".jinja")
    }
    assert prompts == set(ANSWERS)


def test_an_unknown_prompt_is_an_error():
    with pytest.raises(WriterError, match="no answer to 'x/y'"):
        asyncio.run(OfflineWriter().write(Ask("x/y", "", "", {}, 0)))


def test_chance_depends_on_template_variables_and_sample_only():
    base = Ask("corpus/ideas", "s", "u", {"a": "1", "b": ["x"]}, 0)
    assert seeded(base).random() == seeded(Ask("corpus/ideas", "other", "text", {"b": ["x"], "a": "1"}, 0)).random()
    for other in (
        Ask("corpus/ideas", "s", "u", {"a": "1", "b": ["x"]}, 1),
        Ask("corpus/ideas", "s", "u", {"a": "2", "b": ["x"]}, 0),
        Ask("corpus/doc_types", "s", "u", {"a": "1", "b": ["x"]}, 0),
    ):
        assert seeded(base).random() != seeded(other).random()


def test_a_failed_check_counts_and_asks_again():
    """What the parser cannot see must be rejected with a reason, and never without end."""
    template = PromptTemplate("corpus/doc_types", lambda text: text)
    scribe = Scribe(OfflineWriter())

    def never(_: str) -> None:
        raise BadReplyError("off-spec", "no")

    shared = dict.fromkeys(["spec", "model_name", "provider_name", "domain", "subdomain", "summary", "section"], "x")
    with pytest.raises(WriterError, match="off-spec: no"):
        asyncio.run(scribe.ask(template, {**shared, "passage": "x", "count": 2}, check=never))
    assert scribe.tally.rejected == {"off-spec": 3}
    assert scribe.tally.requests == 3


def _rounds(ask, reject, count=20):
    tally = Tally()
    result = asyncio.run(in_rounds(range(count), ask, reject, tally=tally, concurrency=4, what="things"))
    return result, tally


def test_rejected_items_are_asked_again_and_keep_their_place():
    async def ask(item: int, number: int) -> tuple[int, int]:
        return item, number

    result, tally = _rounds(ask, lambda item, pair: "odd" if item % 2 and pair[1] < 2 else None)
    assert result == [(item, 2 if item % 2 else 0) for item in range(20)]
    assert tally.rejected == {"odd": 20}


def test_a_hopeless_writer_is_given_up_at_once_and_a_stubborn_item_at_last():
    calls: list[int] = []

    async def ask(item: int, number: int) -> int:
        calls.append(item)
        return item

    with pytest.raises(WriterError, match="20 of 20 things could not be written: 20 bad"):
        _rounds(ask, lambda *_: "bad")
    assert len(calls) == 20
    calls.clear()
    with pytest.raises(WriterError, match="1 of 20 things could not be written: 1 bad"):
        _rounds(ask, lambda item, _: "bad" if item == 7 else None)
    assert 20 < len(calls) < 40
