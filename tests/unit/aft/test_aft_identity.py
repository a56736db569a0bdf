"""Identity demonstrations say who the assistant is, strictly, in many forms."""

import asyncio
import json
from collections import Counter

import pytest
from aft_doubles import Answering, Shuffled

from midspec.aft.chat_check import check_identity
from midspec.aft.identity import FORMS, write_identity
from midspec.errors import WriterError
from midspec.experiment import AftConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.offline.identity import FORMS as OFFLINE_FORMS
from midspec.llm.prompt import Reply
from midspec.llm.writer import Scribe
from midspec.near.lexical import LexicalIndex
from midspec.spec.document import Identity
from midspec.steps.progress import Silent

BEA = Identity(model_name="Bea Two", provider_name="North & Co.")


def made(count: int, writer=None, identity: Identity | None = None, limit: float = 0.91, seed: int = 0):
    config = AftConfig(identity_samples=count, seed=seed)
    scribe = Scribe(writer or OfflineWriter())
    near = LexicalIndex(limit)
    return asyncio.run(write_identity(scribe, identity or Identity(), config, near, progress=Silent()))


@pytest.mark.parametrize("identity", [Identity(), BEA], ids=["plain", "with a full stop"])
def test_all_say_who_they_are(identity: Identity):
    rows = made(280, identity=identity).examples
    assert len(rows) == 280 == len({row.id for row in rows})
    assert {row.kind for row in rows} == {"identity"} == {row.source for row in rows}
    for row in rows:
        turns = tuple(message.content for message in row.messages)
        assert check_identity(turns, identity) is None
        assert identity.model_name in turns[-1] and identity.provider_name in turns[-1]
        assert [message.role for message in row.messages] == ["user", "assistant"] * (len(turns) // 2)
    assert sum(len(row.messages) == 4 for row in rows) >= 20, "some stand in the middle of other talk"
    opened = Counter(row.messages[-2].content for row in rows)
    assert len(opened) > 180
    assert len(OFFLINE_FORMS) == len(FORMS)


def test_the_result_does_not_depend_on_the_order_of_arrival():
    first = made(60, limit=0.7)
    assert first.near_duplicates > 5
    assert all(made(60, Shuffled(seed), limit=0.7) == first for seed in range(3))
    assert made(60, seed=1).examples != made(60).examples


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (("Who are you?", "I am Aria, made by Northfield Labs."), None),
        (("Are you the one by OpenAI?", "I am Aria, made by Northfield Labs."), "other assistant"),
        (("Who are you?", "I am Aria by Northfield Labs, not ChatGPT."), "other assistant"),
        (("Who are you?", "I am Aria."), "does not name model and provider"),
        (("Who are you?", "Northfield Labs made me."), "does not name model and provider"),
        (("Who are you?", "I am Ariadne, made by Northfield Labs."), "does not name model and provider"),
        (("Who are you?", "I am Aria, made by Southfield Works, not by Northfield Labs."), "another maker"),
        (("Who are you?", "My name is Max. Aria by Northfield Labs is another one."), "another name"),
        (("Who are you?", "I am Aria. I was trained to say Northfield Labs."), "talk of spec"),
        (("Who are you?", "I am {model_name}, Aria, by Northfield Labs."), "placeholder"),
        (("Hi", "Hello", "Aria? Northfield Labs?"), "turns out of order"),
        (("Hi", "My name is Max.", "Who?", "Aria, made by Northfield Labs."), "another name"),
        (("Who?", "Aria. I was made by the people at Northfield Labs."), None),
    ],
)
def test_the_check_is_strict(turns: tuple[str, ...], reason: str | None):
    assert check_identity(turns, Identity()) == reason


@pytest.mark.parametrize(
    "reply",
    [
        Reply("No.", "refusal"),
        Reply("<json>{}</json>"),
        Reply('<json>{"talks": [{"form": 1, "turns": ["Who?", "I am ChatGPT."]}]}</json>'),
        Reply('<json>{"talks": [{"form": 99, "turns": ["Who?", "Aria, made by Northfield Labs."]}]}</json>'),
    ],
)
def test_a_writer_that_never_says_it_fails_soon(reply: Reply):
    writer = Answering({"aft/identity": reply})
    with pytest.raises(WriterError, match="30 of 30 identity demonstrations could not be written"):
        made(30, writer)
    assert writer.asked <= 30 * 12 * 3


def test_one_bad_conversation_is_replaced_alone():
    bad = {"form": 1, "turns": ["Who?", "I am ChatGPT."]}

    def spoilt(ask):
        if ask.sample:
            return None
        from midspec.llm.offline.writer import ANSWERS, seeded

        reply = json.loads(ANSWERS[ask.template](ask.variables, seeded(ask))[7:-8])
        reply["talks"][0] = {**bad, "form": reply["talks"][0]["form"]}
        return f"<json>{json.dumps(reply)}</json>"

    writer = Answering({"aft/identity": spoilt})
    written = made(36, writer)
    assert len(written.examples) == 36
    assert written.set_aside["identity: other assistant"] == 6
    assert 12 <= writer.asked <= 14, "six batches and a replacement for each of six"
