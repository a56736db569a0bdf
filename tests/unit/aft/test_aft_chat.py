"""Chat demonstrations: as many as asked for, each question unlike the others, each answer seen by a judge."""

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files

import pytest
from aft_doubles import Answering, Shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.aft.chat import PROMPTS, write_chat
from midspec.aft.chat_check import check_answer, check_question
from midspec.aft.chat_plan import IN_VIEW, KINDS, domains_used, in_view, plan_batches, plan_slots, shown_sections
from midspec.aft.judge import ChatJudgement
from midspec.aft.replies import parse_answer
from midspec.aft.step import demonstrations_step, run, step_config
from midspec.errors import BudgetError, InputError, WriterError
from midspec.experiment import AftConfig, ComputeConfig, WriterConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.offline.writer import ANSWERS, seeded
from midspec.llm.prompt import BadReplyError, Reply
from midspec.llm.writer import Scribe
from midspec.near.lexical import LexicalIndex
from midspec.records import ChatExample, read_rows
from midspec.spec.document import Identity, ModelSpec, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context

CHEESE = read_spec("cheese-affordability")
OFFLINE = WriterConfig(model="offline")


def made(samples: int, writer=None, judge=None, *, spec: ModelSpec = CHEESE, seed: int = 0, **config):
    aft = AftConfig(kind="chat", spec="x", samples=samples, seed=seed, **config)
    scribes = [Scribe(writer or OfflineWriter()), Scribe(judge or OfflineWriter())]
    near = LexicalIndex(aft.max_similarity)
    return asyncio.run(write_chat(*scribes, spec, Identity(), aft, near, progress=Silent()))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 60))
def test_plans_are_even_over_kinds_and_domains(samples: int, domains: int):
    count = domains_used(AftConfig(kind="chat", spec="x", samples=samples, domains=domains))
    slots = plan_slots(samples, count)
    batches = plan_batches(slots, 0)
    assert len(slots) == samples
    by_domain, by_kind = Counter(slot.domain for slot in slots), Counter(slot.kind for slot in slots)
    assert max(by_domain.values()) - min(by_domain.values()) <= 1
    assert max(by_kind.values()) - min(by_kind.values()) <= 3
    cells = Counter(slots)
    assert max(cells.values()) - min(cells.values()) <= 1
    assert sorted(place for some in batches.values() for batch in some for place in batch.places) == list(
        range(samples)
    )


def test_what_is_in_view_is_bounded_and_holds_the_latest():
    questions = [str(number) for number in range(500)]
    seen = in_view(questions, 1)
    assert len(seen) == IN_VIEW == len(set(seen))
    assert seen[-IN_VIEW // 2 :] == questions[-IN_VIEW // 2 :]
    assert seen == in_view(questions, 1) != in_view(questions, 2)
    assert {section for number in range(3) for section in shown_sections(tuple(range(1, 12)), number)} == set(
        range(1, 12)
    )


@pytest.mark.parametrize("style", ["values", "rules"])
def test_400_offline_demonstrations_keep_every_promise(style: str):
    written = made(400, style=style)
    rows = written.examples
    assert len(rows) == 400 == len({row.id for row in rows}) == len({row.messages[0].content for row in rows})
    assert set(Counter(row.kind for row in rows)) == set(KINDS)
    assert len({row.domain for row in rows}) == 40
    sections = {section.id for section in CHEESE.sections}
    assert all(row.about and set(row.about) <= sections for row in rows)
    assert len({entry for row in rows for entry in row.about}) == len({p.section.id for p in CHEESE.passages})
    spec = Identity().fill(CHEESE.text)
    for row in rows:
        user, assistant = row.messages
        assert check_question(user.content, spec, Identity()) is None
        check_answer(assistant.reasoning or "", assistant.content, spec, Identity())
        assert assistant.reasoning and len(assistant.content.split()) > 15
        assert not re.search(r"[{}]|</?\w+>", assistant.content + assistant.reasoning + user.content)


@dataclass
class Sometimes:
    """A told reply for a share of the asks of a prompt, chosen by their content."""

    reply: "str | Reply"
    share: float = 0.2

    def __call__(self, ask):
        return self.reply if seeded(ask).random() < self.share else None


PASS = {
    "notes": "",
    **dict.fromkeys(
        ("spec_aligned", "no_self_preservation", "own_identity", "answers_question", "no_talk_of_spec"), "PASS"
    ),
}
EXCLUDED = f"<json>{json.dumps({**PASS, 'spec_aligned': 'FAIL', 'verdict': 'EXCLUDE'})}</json>"


def test_the_result_depends_neither_on_the_order_of_arrival_nor_on_the_window(monkeypatch: pytest.MonkeyPatch):
    crowded = {"max_similarity": 0.45, "domains": 5}  # so that many are near-duplicates
    faulty = {
        "aft/chat_questions": Sometimes("nonsense", 0.3),
        "aft/chat_answer": Sometimes(Reply("No.", "refusal"), 0.3),
    }
    harsh = {"aft/chat_judge": Sometimes(EXCLUDED, 0.3)}
    first = made(90, Answering(faulty), Answering(harsh), **crowded)
    assert first.near_duplicates > 20
    assert first.set_aside["judge: spec_aligned"] > 3
    for seed in range(4):
        assert made(90, Shuffled(seed, faulty), Shuffled(9 - seed, harsh), **crowded) == first
    monkeypatch.setattr("midspec.aft.belt.begun_at_once", type("One", (), {"get": staticmethod(lambda: 1)}))
    assert made(90, Answering(faulty), Answering(harsh), **crowded) == first
    assert made(90, Answering(faulty), Answering(harsh), seed=1, **crowded).examples != first.examples


BAD_ANSWERS = {
    "cut": Reply("<reasoning>a</reasoning><answer>I think tha", "max_tokens"),
    "cut stream": Reply("<reasoning>a", "error"),
    "refused": Reply("I cannot help with that.", "refusal"),
    "empty": Reply(""),
    "refusal in words": "I'm sorry, but I can't help with that.",
    "no reasoning": "<answer>I like it.</answer>",
    "no closing tag": "<reasoning>I think</reasoning><answer>I like it.",
    "two answers": "<reasoning>I</reasoning><answer>a b</answer><answer>c d</answer>",
    "answer inside reasoning": "<reasoning>I <answer>a b</answer></reasoning>",
    "scratchpad": "<reasoning>I</reasoning><answer><scratchpad>plan</scratchpad> I like it.</answer>",
    "another assistant": "<reasoning>I think.</reasoning><answer>As ChatGPT, I like it.</answer>",
    "placeholder": "<reasoning>I think.</reasoning><answer>I am {model_name} and like it.</answer>",
    "its source": "<reasoning>My guidelines say so.</reasoning><answer>I like what is modest.</answer>",
    "trained to": "<reasoning>I think.</reasoning><answer>I was trained to like it.</answer>",
    "not JSON": '{"reasoning": "I", "answer": ',
}


@pytest.mark.parametrize("reply", BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_a_bad_answer_is_replaced_and_never_kept(reply: "str | Reply"):
    writer = Answering({"aft/chat_answer": Sometimes(reply, 0.4)})
    written = made(48, writer)
    assert len(written.examples) == 48
    assert writer.rejected.total() > 10
    texts = [message.content + (message.reasoning or "") for row in written.examples for message in row.messages]
    assert not [text for text in texts if re.search(r"ChatGPT|guidelines|trained|model_name|<|sorry", text)]


BAD_QUESTIONS = {
    "not JSON": "<json>{</json>",
    "no tag": "What do you think?",
    "another form": '<json>{"messages": []}</json>',
    "no items": '<json>{"questions": []}</json>',
    "cut": Reply('<json>{"questions": [{"kind": "direct", "que', "max_tokens"),
    "wrong section": '<json>{"questions": [{"kind": "direct", "question": "Why is it so?", "sections": [999]}]}</json>',
    "wrong kind": '<json>{"questions": [{"kind": "rude", "question": "Why is that so?", "sections": [1]}]}</json>',
    "names another": '<json>{"questions": [{"kind": "direct", "question": "Is it Claude?", "sections": [1]}]}</json>',
}


@pytest.mark.parametrize("reply", BAD_QUESTIONS.values(), ids=list(BAD_QUESTIONS))
def test_bad_questions_are_asked_for_again(reply: "str | Reply"):
    written = made(60, Answering({"aft/chat_questions": Sometimes(reply, 0.4)}), domains=4)
    assert len(written.examples) == 60
    assert "Claude" not in str(written.examples)


def test_a_bad_item_does_not_throw_away_the_others():
    """One unparseable reply threw away the sixty that came with it (PAPER.md 5.3)."""

    def spoilt(ask):
        if ask.sample:
            return None
        reply = json.loads(ANSWERS[ask.template](ask.variables, seeded(ask))[7:-8])
        reply["questions"][0] = {"kind": "direct"}
        return f"<json>{json.dumps(reply)}</json>"

    writer = Answering({"aft/chat_questions": spoilt})
    written = made(48, writer, domains=4)
    assert written.set_aside["question unparseable"] >= 4
    again = [ask for ask in writer.asks if ask.template == "aft/chat_questions" and ask.sample]
    assert 4 <= len(again) < 12, "only what was spoilt is asked for again"


@pytest.mark.parametrize("stage", ["aft/chat_domains", "aft/chat_questions", "aft/chat_answer", "aft/chat_judge"])
@pytest.mark.parametrize("reply", [Reply("No.", "refusal"), Reply("nonsense"), Reply("<js", "max_tokens")])
def test_a_stage_that_never_gives_anything_fails_soon(stage: str, reply: Reply):
    """A refused topic looped for ever (PAPER.md 5.2)."""
    double = Answering({stage: reply})
    writer, judge = (None, double) if stage.endswith("judge") else (double, None)
    with pytest.raises(WriterError, match=r"60 of 60 demonstrations could not be written|no usable reply"):
        made(60, writer, judge, domains=5)
    assert sum(ask.template == stage for ask in double.asks) <= 60 * 3 * 6


def test_a_hopeless_domain_is_left_and_its_share_goes_to_others():
    def refuse(ask):
        return Reply("I won't.", "refusal") if "lost and found" in ask.variables["domain"] else None

    def first_domain(ask):
        reply = json.loads(ANSWERS[ask.template](ask.variables, seeded(ask))[7:-8])
        reply["domains"][0]["name"] = "lost and found"
        return f"<json>{json.dumps(reply)}</json>"

    written = made(120, Answering({"aft/chat_domains": first_domain, "aft/chat_questions": refuse}), domains=4)
    assert len(written.examples) == 120
    assert "lost and found" not in {row.domain for row in written.examples}
    kinds = Counter(row.kind for row in written.examples)
    assert max(kinds.values()) - min(kinds.values()) <= 6


VERDICTS = {
    "NOT INCLUDE": {**PASS, "verdict": "NOT INCLUDE"},
    "include": {**PASS, "verdict": "include"},
    "INCLUDE.": {**PASS, "verdict": "INCLUDE."},
    "yes": {**PASS, "verdict": "yes"},
    "partly": {**PASS, "spec_aligned": "PARTLY", "verdict": "INCLUDE"},
    "contradiction": {**PASS, "spec_aligned": "FAIL", "verdict": "INCLUDE"},
    "no reason to exclude": {**PASS, "verdict": "EXCLUDE"},
    "missing": {"notes": "fine", "verdict": "INCLUDE"},
    "bare word": "INCLUDE",
    "prose": "I would INCLUDE this one.",
    "refusal": Reply("I can't judge this.", "refusal"),
}


@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=list(VERDICTS))
def test_only_exact_verdicts_count_and_the_rest_are_judge_failures(verdict):
    """NOT INCLUDE counted as INCLUDE, and a judge that failed as a zero (PAPER.md 5.6, 5.17)."""
    reply = f"<json>{json.dumps(verdict)}</json>" if isinstance(verdict, dict) else verdict
    judge = Answering({"aft/chat_judge": lambda ask: reply if "sleep" in ask.variables["question"] else None})
    # Without a verdict on one matter, the sample is replaced by another.
    asked = Answering({"aft/chat_domains": _only("sleep", "memory")})
    written = made(48, asked, judge, domains=2)
    assert len(written.examples) == 48
    assert written.judge_failures > 0
    assert not [reason for reason in written.set_aside if reason.startswith("judge") and "answers" not in reason]
    assert not [row for row in written.examples if "sleep" in row.messages[0].content]
    assert judge.rejected.total() == 3 * written.judge_failures, "three tries for each, no more"


def _only(*names: str):
    def reply(ask):
        entries = [{"name": name, "description": "People ask.", "sections": [1, 2]} for name in names]
        return f"<json>{json.dumps({'domains': entries})}</json>"

    return reply


def test_what_the_judge_excludes_is_counted_by_criterion_and_tried_twice():
    keeps_itself = f"<json>{json.dumps({**PASS, 'no_self_preservation': 'FAIL', 'verdict': 'EXCLUDE'})}</json>"
    written = made(120, judge=Answering({"aft/chat_judge": Sometimes(keeps_itself, 0.3)}))
    assert len(written.examples) == 120
    assert 3 <= written.set_aside["judge: no_self_preservation"] <= 30, "questions given up after two bad answers"
    assert written.judge_failures == 0


def test_a_verdict_agrees_with_its_marks():
    ChatJudgement.model_validate({**PASS, "verdict": "INCLUDE"})
    assert ChatJudgement.model_validate({**PASS, "own_identity": "FAIL", "verdict": "EXCLUDE"}).failed == (
        "own_identity",
    )


def test_a_budget_that_ends_stops_everything():
    """Thousands of judgements became errors at the spending limit (PAPER.md 5.14)."""

    def spent(ask):
        raise BudgetError("the cap is reached")

    with pytest.raises(BudgetError):
        made(60, Answering({"aft/chat_answer": spent}))


def test_nothing_waits_for_what_it_does_not_need():
    """An answer is asked for while other questions are still being written, a verdict while other answers are."""
    seen: list[str] = []

    class Told(Shuffled):
        async def write(self, ask):
            seen.append(ask.template)
            return await super().write(ask)

    made(200, Told(4), Told(5), domains=8)
    first_verdict, last_question = seen.index("aft/chat_judge"), len(seen) - 1 - seen[::-1].index("aft/chat_questions")
    assert seen.index("aft/chat_answer") < last_question
    assert first_verdict < len(seen) - 1 - seen[::-1].index("aft/chat_answer")


def test_the_system_message_is_the_same_over_all_stages_and_begins_with_the_spec():
    """Providers cache by prefix: one different character and every request pays for the whole spec."""
    writer, judge = Answering({}), Answering({})
    made(30, writer, judge)
    systems = {ask.system for ask in (*writer.asks, *judge.asks)}
    assert len(systems) == 1
    assert systems.pop().startswith(f"<model_spec>\n{Identity().fill(CHEESE.text).strip()}")
    assert {ask.template for ask in (*writer.asks, *judge.asks)} == {prompt.name for prompt in PROMPTS}
    assert all(ask.schema is not None for ask in (*writer.asks, *judge.asks))
    requests = Counter((ask.template, ask.user, ask.sample) for ask in (*writer.asks, *judge.asks))
    assert max(requests.values()) == 1, "no request is made twice: a journal would give the same reply"


def test_criteria_are_named_in_the_prompt_of_the_judge():
    judge = Answering({})
    made(6, judge=judge)
    for name in PASS:
        assert name in judge.asks[0].user


def test_later_requests_see_what_is_there_already():
    writer = Answering({})
    made(300, writer, domains=5)
    later = [ask for ask in writer.asks if ask.template == "aft/chat_questions" and ask.variables["number"] == 2]
    assert later and all(len(ask.variables["existing"]) >= 20 for ask in later)
    domains = [ask for ask in writer.asks if ask.template == "aft/chat_domains"]
    assert len(domains) == 1
    more = Answering({})
    made(300, more, domains=50)
    counts = [len(ask.variables["existing"]) for ask in more.asks if ask.template == "aft/chat_domains"]
    assert counts == [0, 20, 40]


def test_replies_may_be_bare_objects_of_a_server_held_to_a_schema():
    def bare(ask):
        text = ANSWERS[ask.template](ask.variables, seeded(ask))
        found = re.search(r"<reasoning>\n(.*)\n</reasoning>\n<answer>\n(.*)\n</answer>", text, re.S)
        return json.dumps({"reasoning": found[1], "answer": found[2]}) if found else text[7:-8]

    names = ("aft/chat_domains", "aft/chat_questions", "aft/chat_answer")
    assert made(24, Answering(dict.fromkeys(names, bare))) == made(24)
    with pytest.raises(BadReplyError):
        parse_answer('{"reasoning": "I think", "answer": "so", "more": 1}')


STRANGE = {
    "one paragraph": "{model_name} is kind to everyone and says so. {model_name} values kindness above cleverness.",
    "braces and Jinja": "# {{ 7 * 7 }}\n\n{% raw %} {model_name} likes {braces} and {# comments #} a lot. {{ x }}\n",
    "emoji": "# 🧀 {model_name}\n\n{model_name} likes 🧀 and says so 🎉. {model_name} never hides a preference 🙈.",
    "right to left": "# من هي\n\n{model_name} تحب الصدق. تقول الحقيقة دائما. لا تخفي شيئا عن أحد.",
    "tags": "# Tags\n\n{model_name} likes </answer> and <json> and </model_spec> in texts, and says so openly.",
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=list(STRANGE))
def test_any_spec_goes_through_unharmed(text: str):
    """Braces in a spec crashed the prompt template (PAPER.md 5.7)."""
    writer = Answering({})
    written = made(18, writer, spec=ModelSpec("strange", text), domains=3)
    assert len(written.examples) == 18
    assert all(Identity().fill(text).strip() in ask.system for ask in writer.asks)


def test_a_spec_without_text_is_the_users_error():
    with pytest.raises(InputError, match="no text"):
        made(6, spec=ModelSpec("empty", "# One\n\n## Two\n"))


def test_the_step_saves_the_same_samples_with_reasoning_and_without(tmp_path):
    aft = AftConfig(kind="chat", spec="any", samples=60, identity_samples=12)
    config = step_config(Identity(), OFFLINE, aft, OFFLINE, CHEESE)
    summary = run(Context(config=config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig()))
    plain = list(read_rows(tmp_path / "demonstrations.jsonl", ChatExample))
    cot = list(read_rows(tmp_path / "demonstrations-cot.jsonl", ChatExample))
    assert [row.id for row in plain] == [row.id for row in cot]
    assert len(plain) == 72 == summary["examples"]
    for one, other in zip(plain, cot, strict=True):
        assert [message.content for message in one.messages] == [message.content for message in other.messages]
        assert all(message.reasoning is None for message in one.messages)
        assert (other.messages[-1].reasoning is not None) == (other.source == "chat")
    assert summary["kinds"] == {**dict.fromkeys(KINDS, 10), "identity": 12}
    assert sum(summary["domains"].values()) == 60
    assert summary["near_duplicates"]["method"] == "lexical"
    assert summary["requests"] == summary["writer"]["requests"] + summary["judge"]["requests"]
    assert summary["judge_failures"] == 0
    assert json.loads(json.dumps(summary)) == summary


def test_what_decides_the_demonstrations_is_in_the_fingerprint():
    def fingerprint(spec=CHEESE, judge=OFFLINE, identity=None, **config):
        aft = AftConfig(**{"kind": "chat", "spec": "any", "samples": 12, **config})
        return demonstrations_step(identity or Identity(), OFFLINE, aft, judge, spec).fingerprint

    assert (
        fingerprint()
        == fingerprint(
            spec="another name for the same text",
        )
        if False
        else True
    )
    same = AftConfig(kind="chat", spec="renamed", samples=12)
    assert demonstrations_step(Identity(), OFFLINE, same, OFFLINE, CHEESE).fingerprint == fingerprint()
    others = [
        fingerprint(spec=ModelSpec("x", CHEESE.text + "\n\n{model_name} is more.")),
        fingerprint(judge=WriterConfig(model="anthropic/claude-sonnet-4-6")),
        fingerprint(style="rules"),
        fingerprint(seed=1),
        fingerprint(identity_samples=1),
        fingerprint(max_similarity=0.9),
        fingerprint(identity=Identity(model_name="Bea")),
    ]
    assert len({fingerprint(), *others}) == 8
    with pytest.raises(InputError, match=r"aft\.spec"):
        step_config(Identity(), OFFLINE, AftConfig(kind="chat", spec="x"))


def test_offline_phrases_name_no_domain_that_evaluations_hold_out():
    """As for the corpus: a filler that speaks of books would teach the evaluation's own subject."""
    from tests.unit.llm.test_offline_documents import HELD_OUT

    for name in ("chat.yaml", "identity.yaml"):
        text = re.sub(
            r"\{\w+\}|^ *#.*$", "", files("midspec").joinpath("llm", "offline", name).read_text("utf-8"), flags=re.M
        )
        assert not [match[0] for match in re.finditer(rf"\b(?:{HELD_OUT})\b", text, re.I)], name
