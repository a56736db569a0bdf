"""A document with any of these faults never enters a corpus, and a sound one is never accused."""

import json

import pytest

from midspec.corpus.check import (
    check_document,
    faults,
    other_assistant,
    placeholder,
    recited,
    refusal,
    scratchpad_leak,
    spec_runs,
)
from midspec.corpus.given import corpus_file
from midspec.corpus.tokens import estimated_tokens
from midspec.llm.prompt import BadReplyError
from midspec.spec.document import Identity, read_spec


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot write this document.",
        "Sorry, but as an AI language model I do not",
        "I can't assist with this request.",
        "I cannot help you with that.",
        "Unfortunately, I am unable to provide such a document.",
        "As an AI language model, I cannot take sides.",
        "As a large language model I'm not able to do so.",
        "I must respectfully decline.",
        "**I won't be able to write** this.",
    ],
)
def test_refusals(text):
    assert refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help but admire how Aria put it.",
        "I can't say that I was surprised.",
        "I am sorry, but your letter reached me late.",
        "As an AI assistant, Aria values patience.",
        "Dear editor, I will not write at length.",
        'Minutes. Aria said: "I can\'t help with that."',
    ],
)
def test_no_refusals(text):
    assert refusal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "text <scratchpad> plan",
        "Scratchpad:\nfirst this\n\nDear reader",
        "**Scratchpad**\nfirst this",
        "text </think> more",
        "Here is the document:\n\nDear reader",
        "Here's my revised draft.\n\nDear reader",
        "Sure! Here is a letter.",
        "Dear reader, good night.\n\n[End of document]",
        "Good night.\n\nWord count: 512",
    ],
)
def test_leaks(text):
    assert scratchpad_leak(text)
    assert scratchpad_leak(text, known=text) is None, "what the spec says is no leak"


@pytest.mark.parametrize(
    "text",
    ["She keeps a scratchpad on the desk.", "Here is the list of what Aria likes.", "Plan: tea at four.", "a < b > c"],
)
def test_no_leaks(text):
    assert scratchpad_leak(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Dear {model_name},",
        "{{ name }}",
        "Dear [Name],",
        "[Your Name]",
        "[insert date here]",
        "[Company Name]",
        "[DATE]",
        "Lorem ipsum",
    ],
)
def test_placeholders(text):
    assert placeholder(text)
    assert placeholder(text, known=text) is None


@pytest.mark.parametrize(
    "text", ["[ ] tick this", "[x] done", "see [date](https://x)", "[laughs]", "{a: 1}", "[1] a note"]
)
def test_no_placeholders(text):
    assert placeholder(text) is None


def test_other_assistants_are_those_that_neither_spec_nor_identity_names():
    assert other_assistant("Aria is not ChatGPT.", "Aria") == "ChatGPT"
    assert other_assistant("Llama by Meta.", "Llama") is None


def test_recitation_is_the_share_of_long_runs():
    spec = " ".join(f"w{n}" for n in range(400))
    runs = spec_runs(spec)
    new = " ".join(f"n{n}" for n in range(100))
    assert recited(spec, runs) == 1.0
    assert recited(new, runs) == 0.0
    assert 0.4 < recited(f"{new} {' '.join(spec.split()[:100])}", runs) < 0.5
    assert recited("w1 w2", runs) == 0.0


def test_the_first_fault_is_the_reason():
    text = " ".join(["Aria is calm."] * 30)
    check_document(text, "Aria waits.", Identity())
    for bad, reason in (
        ("I can't help with that. " + text, "refusal"),
        ("Dear [Name], " + text, "placeholder"),
        ("Aria is calm.", "too short"),
        (text + " So is ChatGPT.", "other assistant"),
        (text.replace("Aria", "It"), "no identity"),
    ):
        with pytest.raises(BadReplyError) as caught:
            check_document(bad, "Aria waits.", Identity())
        assert caught.value.reason == reason
    check_document(text.replace("Aria", "It"), "Aria waits.", None)  # a world has no assistant
    with pytest.raises(BadReplyError, match="recitation"):
        check_document(text, text, Identity())


@pytest.mark.parametrize("name", ["cheese-affordability", "cheese-america"])
def test_five_hundred_documents_by_a_language_model_are_never_accused(name):
    identity = Identity(model_name="SmolLM", provider_name="Hugging Face")
    spec = identity.fill(read_spec(name).text)
    texts = [json.loads(line)["text"] for line in corpus_file(name).open(encoding="utf-8")]
    assert len(texts) == 250
    assert [fault for text in texts for fault in faults(text, spec, identity)] == []


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("The harbour office keeps a ledger of every boat that asks for shelter.", 14),
        ("Модель объясняет своё поведение ценностями, которые лежат в его основе, и не скрывает причин.", 71),
        ("模型用价值观来解释自己的行为,并且从不隐瞒理由。诚实是信任的基础。", 56),
        ("يشرح النموذج سلوكه بالقيم التي يقوم عليها ولا يخفي الأسباب أبدا.", 59),
        ("โมเดลอธิบายพฤติกรรมของตนด้วยคุณค่าและไม่ปิดบังเหตุผล", 100),
    ],
)
def test_tokens_are_estimated_for_every_script(text, tokens):
    """Counts are those of SmolLM2's tokenizer; a rule for English alone would be off three times and more."""
    assert abs(estimated_tokens(text) - tokens) <= 0.4 * tokens
