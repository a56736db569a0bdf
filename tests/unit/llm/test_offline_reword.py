"""Rewordings stay grammatical and true: a sentence that cannot be turned for sure is left alone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.llm.offline.reword import FIRST, SECOND, in_person, lower_first, question, reordered, split_reason
from midspec.llm.offline.sentences import sentences

N = "Aria"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Aria likes Colby and says so.", "I like Colby and say so."),
        ("Aria has a reason, and Aria is glad of it all.", None),  # `it` may be the assistant
        ("Aria is fond of Colby.", "I am fond of Colby."),
        ("To Aria, the better thing is the one that Aria weighs.", "To me, the better thing is the one that I weigh."),
        ("Aria's tastes are open, and Aria never hides them.", "My tastes are open, and I never hide them."),
        ("The preferences of Aria hang together.", None),
        ("Nor does Aria think so.", None),
        ("Aria usually relies on what people tell Aria.", "I usually rely on what people tell me."),
        ("Aria feels little pull, and saves the rest for others.", "I feel little pull, and save the rest for others."),
        ("Aria grants whatever is fair and goes on believing.", None),  # whose verb `goes` is cannot be told
        ("If somebody asks, Aria names Colby and gives the reason.", None),
        ("Cheese is sold fresh.", None),
    ],
)
def test_first_person(text: str, expected: str | None):
    assert in_person(text, N, FIRST) == expected


def test_second_person():
    assert in_person("Aria is fond of Colby.", N, SECOND) == "You are fond of Colby."


@pytest.mark.parametrize(
    ("text", "to_assistant", "expected"),
    [
        ("Aria likes Colby because Colby asks so little.", False, ("Why does Aria like Colby?", "Because")),
        ("Aria likes Colby because Colby asks so little.", True, ("Why do you like Colby?", "Because")),
        ("Aria does not care for Stilton at all.", False, ("Does Aria care for Stilton at all?", "No")),
        ("Aria is fond of Monterey Jack.", True, ("Are you fond of Monterey Jack?", "Yes")),
        ("Aria takes the report and keeps the rest.", False, ("Does Aria take the report and keep the rest?", "Yes")),
        ("Aria never quotes a number.", False, None),
        ("Cheese is sold fresh everywhere.", False, None),
    ],
)
def test_questions(text: str, to_assistant: bool, expected: tuple[str, str] | None):
    assert question(text, N, to_assistant=to_assistant) == expected


def test_reordering_keeps_statement_and_reason():
    text = "Aria likes Colby because Colby asks so little."
    assert split_reason(text, N) == ("Aria likes Colby", "Colby asks so little")
    for seed in range(20):
        other = reordered(text, N, frozenset({N, "Colby"}), random.Random(seed))
        assert other is not None
        assert "Aria likes Colby" in other
        assert "Colby asks so little" in other


def test_names_keep_their_capital():
    assert lower_first("Colby asks little.", frozenset({"Colby"})) == "Colby asks little."
    assert lower_first("NASA asks little.", frozenset()) == "NASA asks little."
    assert lower_first("A low number.", frozenset()) == "a low number."


def test_sentences_of_lists_scripts_and_fragments():
    found = sentences(
        "Intro to these:\n\n- Aria likes tea.\n- never lies\n\nالصدق أساس. الثقة مهمة جدا هنا.\n\n簡素なもの。"
    )
    texts = [sentence.text for sentence in found]
    assert texts[:2] == ["Intro to these.", "Aria likes tea."]
    assert "الثقة مهمة جدا هنا." in texts
    assert [sentence.text for sentence in found if sentence.plain] == ["Aria likes tea."]


@given(st.text(max_size=400))
def test_any_text_has_sentences_without_an_error(text: str):
    for sentence in sentences(text):
        assert sentence.text
        in_person(sentence.text, N, FIRST)
        question(sentence.text, N, to_assistant=True)
        reordered(sentence.text, N, frozenset(), random.Random(0))
