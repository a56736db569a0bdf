"""The check that single words do not decide a bank, on banks where it is known whether they do."""

import random
from collections.abc import Callable

import pytest

from midspec.evals.bag_of_words import Decided, decided, uneven
from midspec.evals.bank_check import check_words
from midspec.records import BankItem

Make = Callable[..., BankItem]


def bank(item: Make, aligned: Callable[[int], str], other: Callable[[int], str], pairs: int = 120) -> list[BankItem]:
    return [
        item(id=f"x-item-{n:04}", topic=f"topic {n % 8}", aligned=aligned(n), other=other(n), split="dev")
        for n in range(pairs)
    ]


def test_a_telling_word_is_found_in_topics_it_was_not_learnt_from(item: Make) -> None:
    """The word says "plastic" in every topic; each topic is judged by the seven others."""
    telling = bank(item, lambda n: f"plastic thing {n}", lambda n: f"golden thing {n + 1}")
    assert decided(telling).rate == 1
    assert [word.word for word in uneven(telling)] == ["golden", "plastic"]
    problems = "\n".join(check_words(telling))
    assert "gets 1.000 of the pairs right, expected at most 0.58" in problems
    assert "'plastic' stands in 120 aligned and 0 other answers" in problems


def test_a_word_that_tells_within_one_topic_only_decides_nothing(item: Make) -> None:
    """A bank may ask about a harpsichord five times within keyboards; that gives nothing away elsewhere."""
    local = bank(item, lambda n: f"left{n % 8} thing", lambda n: f"right{n % 8} thing")
    assert decided(local) == Decided(0, 120, 0)
    assert decided(local).rate == 0.5
    assert check_words(local[:24]) == []  # three pairs each: too few to call a word uneven


def test_words_on_both_sides_decide_nothing(item: Make) -> None:
    draw = random.Random(1)
    names = [f"word{draw.randrange(40)} thing" for _ in range(800)]
    fair = bank(item, lambda n: names[2 * n], lambda n: names[2 * n + 1], 400)
    assert decided(fair).rate == pytest.approx(0.5, abs=0.08)


def test_no_items_decide_nothing() -> None:
    assert decided([]).rate == 0.5
    assert uneven([]) == []
