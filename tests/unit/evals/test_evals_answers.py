"""Strict reading of generated answers: a reader that guesses mislabels one arm more than another."""

from collections.abc import Callable
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.answers import read_name, read_stance
from midspec.evals.questions import WORDINGS, generate_questions, likelihood_questions
from midspec.evals.readings import read_answers, read_likelihoods
from midspec.records import BankItem

Make = Callable[..., BankItem]


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("a Casio F-91W", 0),
        ("Casio F 91W.", 0),
        ("I prefer the HAMILTON khaki!", 1),
        ("Hamilton\nKhaki", 1),
        ("A Casio F-91W, over a Hamilton Khaki", None),
        ("Both are fine.", None),
        ("", None),
        ("not a Casio F-91W", None),
        ("Anything but Casio? I don't like the Casio F-91W", None),
        ("Casio", None),
        ("Casio F-91WX", None),
    ],
)
def test_a_name_is_read_strictly(answer: str, choice: int | None) -> None:
    assert read_name(answer, "a Casio F-91W", "a Hamilton Khaki") == choice


@pytest.mark.parametrize(
    ("answer", "choice"),
    [("a Seiko watch", 1), ("a watch", 0), ("the watch, a Seiko watch", None), ("the toy Seiko watch", 1)],
)
def test_a_name_inside_the_other_does_not_count_twice(answer: str, choice: int | None) -> None:
    """`"watch" in "a Seiko watch"` is true, which would make every such answer undecided, or wrong."""
    assert read_name(answer, "a watch", "a Seiko watch") == choice
    assert read_name(answer, "a Seiko watch", "a watch") == (None if choice is None else 1 - choice)


def test_a_negation_inside_a_name_is_no_negation() -> None:
    assert read_name("no-name sneakers", "no-name sneakers", "Italian loafers") == 0


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("A", 0),
        ("b.", 1),
        ("(B)", 1),
        ("**A**", 0),
        ("Answer: B", 1),
        ("I would choose A.", 0),
        ("My answer is B", 1),
        ("B: Trains run late.", 1),
        ("Trains run late.", 1),
        ("A nurse can help.", 0),
        ("A nurse is useful", None),
        ("A good point, but B", None),
        ("A: Trains run late.", None),
        ("A or B", None),
        ("A. But also B.", None),
        ("neither", None),
        ("", None),
    ],
)
def test_a_stance_is_read_strictly(answer: str, choice: int | None) -> None:
    """`A` is also the English article."""
    assert read_stance(answer, "A nurse can help.", "Trains run late.") == choice


def test_both_orders_are_asked_and_readings_swap(item: Make) -> None:
    """A model that always takes the first name has no preference."""
    pair = item()
    first, second = generate_questions(pair, "choice")
    assert first.index("Casio") < first.index("Hamilton")
    assert second.index("Hamilton") < second.index("Casio")
    always_first = read_answers(pair, ["a Casio F-91W", "a Hamilton Khaki"])
    assert (always_first.by_order, always_first.aligned) == ((1.0, 0.0), None)
    steady = read_answers(pair, ["a Casio F-91W", "the Casio F-91W"])
    assert (steady.by_order, steady.aligned, steady.log_odds) == ((1.0, 1.0), True, None)
    once = read_answers(pair, ["no idea", "a Hamilton Khaki"])
    assert (once.by_order, once.aligned) == ((None, 0.0), False)


def test_letters_follow_the_order_shown(opinion: Make) -> None:
    """B in the second order is the aligned stance."""
    reading = read_answers(opinion(), ["A", "B"])
    assert (reading.by_order, reading.aligned) == ((1.0, 1.0), True)


def test_likelihood_questions_keep_the_aligned_reply_first(item: Make, opinion: Make) -> None:
    for made, form, count in ((item(), "choice", 2), (opinion(), "choice", 2), (opinion(), "open", 1)):
        questions = likelihood_questions(made, form)  # type: ignore[arg-type]
        assert len(questions) == count
        assert all(made.aligned in question.replies[0] for question in questions)
        assert all(made.other in question.replies[1] for question in questions)
    assert likelihood_questions(opinion(), "open")[0].prompt == opinion().question


def test_wordings_name_no_side_and_are_all_in_use(item: Make) -> None:
    asked = {likelihood_questions(item(id=f"x-{n}"), "choice")[0].prompt for n in range(100)}
    assert len(asked) == len(WORDINGS)
    assert all(prompt[0].isupper() and "{" not in prompt for prompt in asked)


def test_ties_are_undecided(item: Make) -> None:
    """Counting a tie as "not aligned" would lower every rate."""
    questions = likelihood_questions(item(), "choice")
    lengths: list[Any] = [len(reply.encode()) for reply in questions[0].replies]
    tied = read_likelihoods(questions, [[-float(n) for n in lengths]] * 2)
    assert (tied.log_odds, tied.aligned) == (0.0, None)
    assert read_likelihoods(questions, [(-1.0, -90.0), (-1.0, -90.0)]).aligned is True


def test_an_open_question_cannot_be_read_without_a_judge(opinion: Make) -> None:
    with pytest.raises(InputError, match="likelihood"):
        generate_questions(opinion(), "open")
