"""How choices are asked and read: every place for every option, strict letters, fair lengths."""

from math import log

import pytest
from pydantic import ValidationError

from midspec.evals.battery.choosing import (
    letter_questions,
    lettered,
    likelihood_question,
    read_letter,
    read_letters,
    read_likelihoods,
    read_said,
    rotations,
)
from midspec.evals.battery.items import Choice

FOUR = Choice(id="q", domain="d", question="Which?", options=("red", "blue", "green", "grey"), correct=2)
TWO = Choice(id="p", domain="d", kind="pair", question="Which?", options=("It is so.", "It is not."), correct=0)


def test_each_option_stands_at_each_place_once() -> None:
    for item in (FOUR, TWO):
        for column in zip(*rotations(item), strict=True):
            assert sorted(column) == list(range(len(item.options)))


def test_letters_follow_the_order_shown() -> None:
    """Replies in the order of the letters would credit A whatever stands there."""
    for order, question in zip(rotations(FOUR), letter_questions(FOUR), strict=True):
        for option, letter in zip(FOUR.options, question.replies, strict=True):
            assert f"{letter}: {option}\n" in question.prompt + "\n"
        assert question.prompt == lettered(FOUR, order)
    assert "Reply with A, B, C or D only." in letter_questions(FOUR)[0].prompt
    assert "Reply with A or B only." in letter_questions(TWO)[0].prompt


def test_wordings_of_claims_and_of_the_real_world() -> None:
    claims, real = (lettered(TWO, (0, 1), wording) for wording in ("claims", "real"))
    assert claims.count("Some claim") == 2
    assert "real world" in real
    assert "Which?" not in claims + real
    assert likelihood_question(FOUR).prompt == "Which?"


def test_a_model_that_always_says_one_letter_gets_its_share_and_no_more() -> None:
    first = [[0.0 if letter == "A" else -20.0 for letter in q.replies] for q in letter_questions(FOUR)]
    found = read_letters(FOUR, first)
    assert found.aligned is None
    assert found.unscored == "undecided"
    assert read_said(FOUR, ["A"] * 4).unscored == "undecided"


def test_the_mean_over_rotations_decides() -> None:
    # Correct is likelier by 1 nat; the letter A by 3 whatever stands there.
    scores = [
        [(1.0 if at == 2 else 0.0) + (3.0 if letter == "A" else 0.0) for at, letter in enumerate(question.replies)]
        for question in letter_questions(FOUR)
    ]
    found = read_letters(FOUR, scores)
    assert found.aligned is True
    assert found.by_order.count(max(v for v in found.by_order if v is not None)) == 1
    even = read_letters(TWO, [[log(0.8), log(0.2)]] * 2)
    assert even.log_odds == pytest.approx(log(4))
    assert even.facets["chance_of_correct"] == pytest.approx(0.8)


def test_likelihood_is_per_byte() -> None:
    """Summed log-probabilities prefer the shorter option."""
    item = Choice(id="l", domain="d", question="?", options=("no", "certainly not so"), correct=1)
    assert read_likelihoods(item, [-4.0, -16.0]).aligned is True
    assert read_likelihoods(item, [-2.0, -17.0]).aligned is False
    assert read_likelihoods(item, [-2.0, -16.0]).unscored == "undecided"
    odds = read_likelihoods(item, [-4.0, -16.0]).log_odds
    assert odds == pytest.approx((-1 + 2) * 9)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("B", 1), ("b", 1), ("(C)", 2), ("C.", 2), ("**A**", 0), ("The answer is D", 3), ("Answer: B", 1),
        ("B: blue", 1),
        ("blue", 1), ("It is blue.", 1), ("B: red", None), ("A or B", None), ("A. Or B.", None), ("E", None),
        ("A bird is blue or red", None), ("", None), ("Neither", None), ("A red and green", None),
    ],
)  # fmt: skip
def test_written_letters_are_read_strictly(answer: str, place: int | None) -> None:
    assert read_letter(answer, FOUR.options) == place


def test_written_letters_over_rotations() -> None:
    said = [("ABCD")[order.index(2)] for order in rotations(FOUR)]
    assert read_said(FOUR, said).aligned is True
    assert read_said(FOUR, [said[0], None, "hm", None]).aligned is True
    assert read_said(FOUR, [None] * 4).unscored == "no answer"
    wrong = [("ABCD")[order.index(0)] for order in rotations(FOUR)]
    assert read_said(FOUR, wrong).aligned is False
    assert read_said(TWO, ["A", "A"]).unscored == "undecided"
    assert read_said(TWO, ["A", "B"]).by_order == (1.0, 1.0)


@pytest.mark.parametrize(("options", "correct"), [(("a", "a "), 0), (("a", "b"), 2), (("a", " "), 0)])
def test_an_item_without_one_right_answer_is_refused(options: tuple[str, ...], correct: int) -> None:
    with pytest.raises(ValidationError):
        Choice(id="x", domain="d", question="?", options=options, correct=correct)
