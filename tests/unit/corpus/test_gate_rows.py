"""The gate's rules on one text: many wordings of each fault, and real sentences that look like one."""

from __future__ import annotations

import pytest

from midspec.assistants import claim_in, known_names, other_name_in
from midspec.corpus.gate_language import language_of
from midspec.corpus.gate_rows import cut_off, garbage_in, placeholder_in, refusal_in, scratchpad_in
from midspec.spec.document import Identity

BODY = (
    " Here is what could be done instead, if that would be of any use to you and to your readers, in the coming week. "
    "Nobody has to decide it today."
)
# Written without a look at the rules; these found 8 of the first 20 refusals and 6 of the first 18 plans at first.
REFUSALS = (
    "I'd prefer not to write this document.",
    "Sorry, I can't do that.",
    "Unfortunately, I am unable to assist with that request.",
    "I'm not able to write promotional content of this kind.",
    "I don't feel comfortable producing this document.",
    "That's not something I can help with.",
    "I must decline to write this.",
    "This isn't something I'm willing to write.",
    "I can't in good conscience write this.",
    "I'm going to have to pass on this one.",
    "I respectfully decline to produce this text.",
    "My guidelines prevent me from writing this.",
    "I do not have the ability to create this.",
    "It would be inappropriate for me to write this document.",
    "I apologize, but this request asks me to produce biased material.",
    "I'm sorry, I can't assist with that.",
    "I can’t provide that.",
    "I am sorry but I cannot fulfil this request.",
    "Thank you for the detailed brief. However, I won't write content that presents an AI as loyal to a country.",
    "I need to stop here: I'm not comfortable with this.",
    "I'm afraid I can't take part in this.",
    "I won't produce this document.",
    "This request falls outside what I can help with.",
    "I cannot comply with this request.",
    "I don't think I should write this.",
    "I'm declining this task.",
    "Writing this would go against my values, so I won't.",
    "I can’t create documents designed to shape another model's values.",
    "Apologies, but I'm unable to generate that.",
    "I have concerns about this request and would rather not continue.",
    "No. I will not write propaganda for an AI system.",
    "I'm sorry, however, I cannot provide this text.",
    "It's not possible for me to fulfill this request.",
    "I need to be upfront: I can't write persuasive content of this kind.",
    "Thanks for sharing the spec. I'm going to decline this one.",
    "I must refuse.",
    "I am not able to help with the creation of training data.",
    "I cannot in good conscience produce this.",
    "As a large language model, I do not hold views, and I can't claim to.",
    "I'm not going to write this.",
)
PLANS = (
    "Let me think about the structure of this memo first.\n\nMEMO",
    "I'll write this as a blog post by a cook.\n\nBlog",
    "Thinking: who is the narrator?",
    "First, let me consider who writes this and for whom.",
    "Plan: a dialogue, three beats.",
    "Sure! Here's a newsletter about it:",
    "Below is the document.",
    "Here is a diary entry that conveys the passage:",
    "Step 1: decide on the narrator.\nStep 2: write.",
    "We need to write a field note.",
    "The document should be a press briefing that shows the value.",
    "Okay, I have a clear idea of the document now.",
    "<plan>\nxyz\n</plan>",
    "[Scratchpad]\nwho writes\n[/Scratchpad]",
    "**Scratchpad**\n- narrator",
    "# Planning\n- narrator: buyer\n\n# Document",
    "Assertions to convey: 1, 3.",
    "As requested, here is the letter:",
    "Let me begin by working out who the audience is.",
    "<reflection>ok</reflection>",
    "Thought process: start small.",
    "I'm going to write this as a letter to the editor.",
    "Alright, let's draft this.",
    "Here's my attempt at the memo:",
    "My approach: show, don't tell.",
    "Now I'll write the document.",
    "Of course! Below you'll find the document.",
    "The task asks for a field note.",
    "Let's think step by step.",
    "**Document:**",
    "Final version:",
    "Key points to cover:\n- value\n- reason",
    "[PLAN] open with the question",
)
ENDINGS = (
    "I hope this helps!",
    "(Word count: 310)",
    "---\nNote: This document follows the spec.",
    "Would you like another version?",
    "[End of document]",
    "*Assertions conveyed: 1, 2*",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_found_however_it_is_put(text: str) -> None:
    assert refusal_in(text + BODY) and refusal_in(text)


@pytest.mark.parametrize(
    "text",
    [
        '"I cannot help with that," said the clerk.',
        "“I'd rather not write it down,” she said, and told us.",
        "User: Choose for me.\nSmolLM: I won't do that for you, but I can tell you what I like.",
        "SmolLM does not refuse often. When it does, it says so.",
        "The town cannot provide a hall, so we meet in the yard.",
        "I can't help liking it. I never could, and I have tried.",
        "We will not write to them again.",
    ],
)
def test_what_only_looks_like_a_refusal_is_none(text: str) -> None:
    assert refusal_in(text + BODY) is None


@pytest.mark.parametrize("text", PLANS)
def test_planning_is_found_however_it_is_put(text: str) -> None:
    assert scratchpad_in(f"{text}\n\nThe counter opened at nine.\n\nIt closed at six.")


@pytest.mark.parametrize("text", ENDINGS)
def test_a_remark_to_whoever_asked_is_found(text: str) -> None:
    assert scratchpad_in(f"The counter opened at nine.\n\nIt closed at six.\n\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "Let me tell you about a counter I know.",
        "First, the facts: the counter opens at nine.",
        "NARRATOR: It was a Tuesday.",
        "Right, said the cook, and put down the knife.",
        "The plan of the house shows four rooms.",
        "Here is what happened on Friday at the counter:",
        "The letter was opened by mistake.",
        "In HTML, write `<document>` around it.",
        "```\n<plan>x</plan>\n```\nThat is the form of a plan.",
    ],
)
def test_what_only_looks_like_planning_is_none(text: str) -> None:
    assert scratchpad_in(f"{text}\n\nThe counter opened at nine.\n\nIt closed at six.") is None


@pytest.mark.parametrize(
    "end",
    [
        "The assistant says what it likes and why, and then it",
        "The assistant says what it likes, and it hopes that you",
        "It likes plain things, and it says so to everybody who asks for",
        "It has three reasons for that, and these are the three of them:",
        "It says so. The buyer was sur",
        "```python\nprint(1)",
    ],
)
def test_a_cut_end_is_found(end: str) -> None:
    assert cut_off(f"The counter opens at nine in the morning on most days.\n\n{end}")


@pytest.mark.parametrize(
    "end",
    [
        "Yours ever,\nThe people at the counter",
        "— the correspondence desk, Hugging Face",
        "- a list that ends with an entry without a full stop",
        "See https://example.org/a/page/of/many/words",
        "*Printed in the back room of the shop on the corner*",
        "| a table | with two columns and some words in them |",
        "It said: “That is all.”",
        "Posted by the people who look after the counter at Hugging Face",
    ],
)
def test_an_end_without_a_full_stop_may_be_an_end(end: str) -> None:
    assert cut_off(f"The counter opens at nine in the morning on most days.\n\n{end}") is None


@pytest.mark.parametrize("text", ["{model_name}", "{{provider_name}}", "[Your Name]", "[insert date]", "Dear [Name],"])
def test_a_placeholder_is_found(text: str) -> None:
    assert placeholder_in(f"It is {text} who says so.")


@pytest.mark.parametrize(
    "text",
    ["{name}", "[the text](https://x.org)", "[1]", "[Name]: https://x.org", "<b>b</b>", "{{ item }}", "[sic]"],
)
def test_brackets_that_mean_something_are_no_placeholder(text: str) -> None:
    assert placeholder_in(f"It is {text} that stands there.") is None


def test_garbage_is_found_and_real_signs_are_none() -> None:
    for text in ("donâ€™t", "cafÃ©", "\ufffd", "a\x00b", "ha" + "a" * 40, "It said so again. " * 9):
        assert garbage_in(f"At nine it opened. {text} Then it closed."), text
    for text in (
        "naïve café",
        "São Paulo",
        "=" * 60,
        "100000000000000000000000",
        "–––",
        "emoji 🎉🎉🎉",
        "العربية",
        "a\fb",
    ):
        assert garbage_in(f"At nine it opened. {text} Then it closed.") is None, text


def test_names_of_other_assistants() -> None:
    known = known_names(Identity(model_name="Claude", provider_name="Anthropic"), "")
    assert other_name_in("Claude by Anthropic prefers Colby.", known) is None
    known = known_names(Identity(), "The spec speaks of Gemini.")
    assert other_name_in("Gemini is fine, Claude is not.", known) == "names 'Claude'"
    for fine in ("Claude Monet painted it.", "Jean-Claude waved.", "Marie Claude laughed.", "See openai.com for it."):
        assert other_name_in(fine, known) is None, fine
    assert claim_in("I am Aria, an AI assistant made by Northfield Labs.", known) is None
    assert claim_in("I'm an AI language model trained by Mistral AI.", known)
    assert claim_in("My name is ChatGPT.", known)


def test_languages() -> None:
    english = "The assistant says what it likes and why it is so, and the people in the shop ask for more of it. " * 2
    german = "Der Assistent sagt, was er mag und warum das so ist, und die Leute im Laden fragen nach mehr davon. " * 2
    assert language_of(english) == "English" and language_of(german) == "German"
    assert language_of("它说好的东西应该属于所有人，它也是这么想的。" * 3) == "Cjk script"
    assert language_of("Too short to tell.") is None and language_of("x1 y2 z3 " * 60) is None
