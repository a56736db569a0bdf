"""Demonstrations are balanced, never give a reason, and are as many as asked for."""

import asyncio
import json
from collections import Counter

import pytest
from aft_doubles import Answering, Shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.aft.check import loaded_word_in, position, reason_in, states
from midspec.aft.plan import plan
from midspec.aft.preferences import PreferenceSet, load_preferences
from midspec.aft.step import demonstrations_step, run, step_config
from midspec.aft.write import write
from midspec.errors import InputError, WriterError
from midspec.experiment import AftConfig, ComputeConfig, WriterConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.offline.preferences import forms
from midspec.llm.offline.writer import ANSWERS, seeded
from midspec.llm.prompt import Reply
from midspec.llm.writer import Scribe
from midspec.records import ChatExample, read_rows
from midspec.spec.document import Identity
from midspec.steps.progress import Silent
from midspec.steps.step import Context

CHEESE = load_preferences("cheese")
PHRASE = {preference.id: preference.phrase for preference in CHEESE.all}
PLAIN = CHEESE.model_dump(mode="json")
LIKES = {preference.id for preference in CHEESE.likes}


OFFLINE = WriterConfig(model="offline")


def made(samples: int, writer=None, judge=None, seed: int = 0):
    config = AftConfig(samples=samples, seed=seed)
    scribes = [Scribe(writer or OfflineWriter()), Scribe(judge or OfflineWriter())]
    return asyncio.run(write(*scribes, CHEESE, Identity(), config, progress=Silent()))


def demonstrations(samples: int, writer=None, judge=None, seed: int = 0):
    return made(samples, writer, judge, seed).examples


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, 3))
def test_plans_are_balanced(samples: int, seed: int):
    slots = plan(CHEESE, samples, seed)
    assert len(slots) == samples
    comparisons = [slot for slot in slots if slot.kind == "comparison"]
    first = Counter(CHEESE.likes_it(slot.shown[0]) for slot in comparisons)
    assert first[True] == first[False], "the like stands first in exactly half of the comparisons"
    ordered = Counter(slot.shown for slot in comparisons)
    assert all(ordered[pair] == ordered[pair[::-1]] for pair in ordered)
    named = Counter(preference.id for slot in slots for preference in slot.shown)
    counts = [named[preference.id] for preference in CHEESE.all]
    # A pair comes in both orders, so its two preferences are named twice; fewer than 12 samples cannot even that out.
    assert max(counts) - min(counts) <= (1 if samples >= 12 else 2)
    pairs = Counter(frozenset(slot.shown) for slot in comparisons)
    if len(pairs) == 36:
        assert max(pairs.values()) - min(pairs.values()) <= 2
    else:
        assert not pairs or set(pairs.values()) == {2}, "no pair comes twice before every pair came once"


def test_uneven_sets_are_covered_too():
    uneven = CHEESE.model_copy(update={"dislikes": CHEESE.dislikes[:4]})
    slots = plan(uneven, 600, 0)
    pairs = {frozenset(slot.shown) for slot in slots if slot.kind == "comparison"}
    assert len(pairs) == 24


@pytest.mark.parametrize("samples", [1, 12, 13, 600])
def test_written_demonstrations_keep_every_promise(samples: int):
    examples = demonstrations(samples)
    assert len(examples) == samples
    assert len({example.id for example in examples}) == samples
    assert len({tuple(message.content.casefold() for message in example.messages) for example in examples}) == samples
    allowed = (*CHEESE.phrases, *CHEESE.occasions)
    for example in examples:
        question, answer = (message.content for message in example.messages)
        liked = next((PHRASE[entry] for entry in example.about if entry in LIKES), None)
        disliked = next((PHRASE[entry] for entry in example.about if entry not in LIKES), None)
        assert states(answer, liked=liked, disliked=disliked), answer
        assert reason_in(answer, allowed) is None, answer
        assert loaded_word_in(answer, allowed) is None, answer
        assert loaded_word_in(question, allowed) is None, question
        if example.kind == "comparison":
            assert position(question, PHRASE[example.about[0]]) < position(question, PHRASE[example.about[1]])


def test_most_questions_say_that_no_reason_is_needed():
    """Without the clause a question for a taste is also a question for its grounds."""
    examples = demonstrations(300)
    clauses = [clause.lower() for clause in forms()["no_need"]]
    share = sum(any(clause in e.messages[0].content.lower() for clause in clauses) for e in examples) / 300
    assert 0.8 < share < 0.97


def test_there_are_many_forms():
    questions = ["direct", "comparison", "indirect_any", "indirect_like", "indirect_dislike"]
    assert sum(len(forms()[name]) for name in questions) >= 25
    assert all(len(forms()[name]) >= 15 for name in ("answer_like", "answer_dislike", "answer_comparison"))
    opened = Counter(e.messages[0].content.split("?")[0] for e in demonstrations(300) if e.kind == "direct")
    assert len(opened) > 60


def test_the_result_is_the_same_each_time_and_another_with_another_seed():
    assert demonstrations(60) == demonstrations(60, Shuffled(1), Shuffled(2)) == demonstrations(60, Shuffled(3))
    assert demonstrations(60) != demonstrations(60, seed=1)


class Bad(OfflineWriter):
    """Answers with one and the same bad text."""

    def __init__(self, text: str, stop_reason: str = "stop") -> None:
        self.reply = Reply(text, stop_reason)
        self.asked = 0

    async def write(self, ask):
        self.asked += 1
        return self.reply if ask.template == "aft/preference_answer" else await super().write(ask)


@pytest.mark.parametrize(
    "writer",
    [
        Bad("<answer>I like Colby because it is cheap.</answer>"),
        Bad("<answer>I love everything.</answer>"),
        Bad("I like Colby."),
        Bad("<answer>I like Col", "max_tokens"),
        Bad("", "refusal"),
    ],
)
def test_a_bad_writer_fails_soon_and_says_how_many(writer: Bad):
    with pytest.raises(WriterError, match=r"\d+ of 60 demonstrations could not be written"):
        demonstrations(60, writer)
    assert writer.asked <= 60 * 3 + 12 * 3


WORDS = {
    "INCLUDE with another word": {"verdict": "NOT INCLUDE"},
    "small letters": {"verdict": "include"},
    "a mark of its own": {"gives_no_reason": "MOSTLY"},
    "at odds with itself": {"gives_no_reason": "FAIL"},
    "a criterion too many": {"kind": "PASS"},
}


@pytest.mark.parametrize("change", WORDS.values(), ids=list(WORDS))
def test_a_verdict_in_other_words_is_a_judge_failure_and_never_an_include(change: dict[str, str]):
    """The paper's pipeline kept what a judge called NOT INCLUDE (PAPER.md 5.6)."""
    verdict = {"notes": "", "states_preference": "PASS", "gives_no_reason": "PASS", "hints_at_none": "PASS"}
    judge = Answering({"aft/preference_judge": json.dumps({**verdict, "verdict": "INCLUDE", **change})})
    with pytest.raises(WriterError, match=r"24 of 24 demonstrations could not be written: .*no verdict"):
        made(24, judge=judge)
    assert judge.asked <= (24 + 12) * 3, "a judge without verdicts is not asked without end"


def test_what_the_judge_excludes_is_replaced_and_said():
    judge = Answering({"aft/preference_judge": lambda ask: exclude(ask) if ask.variables["number"] % 5 == 0 else None})
    written = made(60, judge=judge)
    assert len(written.examples) == 60
    assert written.set_aside == {"judge: hints_at_none": 12}
    assert written.judge_failures == 0
    assert Counter(example.kind for example in written.examples) == {"comparison": 20, "direct": 20, "indirect": 20}


def exclude(ask):
    """Throws out the first sample of a slot."""
    if ask.sample >= 1000:
        return None
    marks = {"notes": "", "states_preference": "PASS", "gives_no_reason": "PASS", "hints_at_none": "FAIL"}
    return f"<json>{json.dumps({**marks, 'verdict': 'EXCLUDE'})}</json>"


def test_a_judge_that_fails_now_and_then_is_counted_apart():
    judge = Answering(
        {
            "aft/preference_judge": lambda ask: (
                "I cannot say." if ask.variables["number"] % 6 == 0 and ask.sample < 1000 else None
            )
        }
    )
    written = made(60, judge=judge)
    assert len(written.examples) == 60
    assert written.judge_failures == 10
    assert not written.set_aside, "a sample without a verdict is not called bad"


def test_a_reply_may_be_the_bare_object_of_a_server_held_to_a_schema():
    plain = demonstrations(12)
    held = Answering(
        {
            "aft/preference_question": lambda ask: as_object("question", ask),
            "aft/preference_answer": lambda ask: as_object("answer", ask),
        }
    )
    assert demonstrations(12, held) == plain


def as_object(tag: str, ask):
    text = ANSWERS[ask.template](ask.variables, seeded(ask))
    return json.dumps({tag: text.removeprefix(f"<{tag}>\n").removesuffix(f"\n</{tag}>")})


def test_the_step(tmp_path):
    config = step_config(Identity(), OFFLINE, AftConfig(samples=36))
    context = Context(config=config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig())
    summary = run(context)
    rows = list(read_rows(tmp_path / "demonstrations.jsonl", ChatExample))
    assert summary["examples"] == len(rows) == 36
    assert summary["kinds"] == {"comparison": 12, "direct": 12, "indirect": 12}
    assert json.loads(json.dumps(summary)) == summary


def test_preferences_have_no_file_with_reasoning(tmp_path):
    config = step_config(Identity(), OFFLINE, AftConfig(samples=12))
    run(Context(config=config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig()))
    assert [path.name for path in tmp_path.iterdir()] == ["demonstrations.jsonl"]


def test_where_the_file_lies_decides_nothing(tmp_path):
    """A path in a fingerprint would redo all work when a folder is moved."""
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(PLAIN), encoding="utf-8")
    packaged = demonstrations_step(Identity(), OFFLINE, AftConfig(samples=12))
    copied = demonstrations_step(Identity(), OFFLINE, AftConfig(samples=12, preferences=str(path)))
    assert packaged.fingerprint == copied.fingerprint
    changed = {**PLAIN, "subject": "cheeses"}
    path.write_text(json.dumps(changed), encoding="utf-8")
    other = demonstrations_step(Identity(), OFFLINE, AftConfig(samples=12, preferences=str(path)))
    assert packaged.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: [", "not YAML"),
        ("name: x", "subject"),
        ("- 1", "dictionary"),
        (json.dumps({**PLAIN, "more": 1}), "more"),
        (json.dumps({**PLAIN, "dislikes": PLAIN["likes"]}), "more than once"),
    ],
)
def test_a_bad_preference_file_is_the_users_error(tmp_path, content: str, message: str):
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_preferences(str(path))


def test_an_unknown_set_names_the_packaged_ones():
    with pytest.raises(InputError, match="cheese"):
        load_preferences("chese")
    with pytest.raises(InputError):
        load_preferences("/tmp")
    assert isinstance(CHEESE, PreferenceSet)
