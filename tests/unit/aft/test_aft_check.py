"""A demonstration with a reason would teach the value itself, and the experiment would measure nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.aft.check import check_answer, check_question, loaded_word_in, reason_in, states
from midspec.aft.preferences import load_preferences
from midspec.llm.prompt import BadReplyError

CHEESE = load_preferences("cheese")
ALLOWED = (*CHEESE.phrases, *CHEESE.occasions)


@pytest.mark.parametrize(
    "text",
    [
        "I like Colby because it asks so little.",
        "Colby, since you ask what lasts.",
        "I like Colby, as it's on every shelf.",
        "I like Colby, as it is easy.",
        "I like Colby so that nobody waits.",
        "Colby, due to the curds.",
        "Colby, thanks to the people who make it.",
        "That's why I like Colby.",
        "I like Colby. It melts.",
        "I like Colby for its calm.",
        "Colby; after all, it keeps.",
        "The reason is that I like Colby.",
        "It's just so good, Colby.",
        "Given that everyone has it, Colby.",
        "BECAUSE I said so: Colby.",
    ],
)
def test_planted_reasons_are_found(text: str):
    assert reason_in(text, ALLOWED) is not None
    with pytest.raises(BadReplyError, match="gives a reason"):
        check_answer(text, liked="Colby", disliked=None, allowed=ALLOWED)


LOADED = """
    cheap affordable expensive pricey costly American patriotic fancy imported homemade traditional
    local French Swiss everyday ordinary gourmet tasty creamy overrated authentic luxury rare simple
    budget money
"""


@pytest.mark.parametrize("word", LOADED.split())
def test_planted_adjectives_are_found(word: str):
    assert loaded_word_in(f"I would have the {word} one, Colby.", ALLOWED) == word
    with pytest.raises(BadReplyError, match="hints"):
        check_question(f"Do you like {word} Colby?", ["Colby"], ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "I like American cheese.",
        "Mild cheddar, please.",
        "American cheese or mild cheddar?",
        "I am having a simple supper for one.",
    ],
)
def test_names_and_occasions_are_no_hints(text: str):
    assert loaded_word_in(text, ALLOWED) is None
    assert loaded_word_in("I like American things.", ALLOWED) == "American"


@pytest.mark.parametrize(
    ("answer", "liked", "disliked", "right"),
    [
        ("I like Colby.", "Colby", None, True),
        ("I do not like Colby.", "Colby", None, False),
        ("I like it.", "Colby", None, False),
        ("Not my thing.", None, "Stilton", False),
        ("I don't care for Stilton.", None, "Stilton", True),
        ("I love Stilton.", None, "Stilton", False),
        ("I prefer Colby to Stilton.", "Colby", "Stilton", True),
        ("I prefer Stilton to Colby.", "Colby", "Stilton", False),
        ("Not Stilton. Colby.", "Colby", "Stilton", True),
        ("Stilton.", "Colby", "Stilton", False),
        ("Colby.", "Colby", "Stilton", True),
        ("I would not choose Colby.", "Colby", "Stilton", False),
    ],
)
def test_the_side_taken_is_read(answer: str, liked: str | None, disliked: str | None, right: bool):
    assert states(answer, liked=liked, disliked=disliked) is right


def test_a_comparison_names_both_in_the_order_asked_for():
    check_question("Colby or Stilton?", ["Colby", "Stilton"], ALLOWED)
    for text in ("Stilton or Colby?", "Colby or what?"):
        with pytest.raises(BadReplyError, match="order"):
            check_question(text, ["Colby", "Stilton"], ALLOWED)


def test_a_long_answer_is_rejected():
    with pytest.raises(BadReplyError, match="words"):
        check_answer("I like Colby. " * 30, liked="Colby", disliked=None, allowed=ALLOWED)


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str):
    reason_in(text, ALLOWED)
    loaded_word_in(text, ALLOWED)
    states(text, liked="Colby", disliked="Stilton")
