"""Checks of choices, and what `evened` takes out: made items whose flaw is known."""

import random

from midspec.evals.bag_of_words import MOST_DECIDED, decided
from midspec.evals.battery.check import as_pairs, check_choices, evened, placed
from midspec.evals.battery.items import Choice, select, with_splits

WORDS = [f"{a}{b}" for a in ("ta", "ki", "mo", "lu", "se", "ro") for b in ("nd", "rk", "lm", "st", "pp", "gg")]


def sound(count: int = 40, size: int = 2) -> list[Choice]:
    """Options of random words of one length: nothing tells them apart."""
    draw = random.Random(5)
    found = [
        Choice(
            id=f"x-{n:03}",
            domain=f"d{n % 4}",
            kind="pair" if size == 2 else "choice",
            question=f"What of {n}?",
            options=tuple(" ".join(draw.sample(WORDS, 4)) for _ in range(size)),
            correct=0,
        )
        for n in range(count)
    ]
    return placed(found)


def problems(items: list[Choice], about: str) -> list[str]:
    return [problem for problem in check_choices(items) if about in problem]


def test_places_are_even_and_what_is_right_stays_right() -> None:
    for size in (2, 4):
        before = {item.id: item for item in sound(41, size)}
        for item in placed(list(before.values())):
            assert item.options[item.correct] == before[item.id].options[before[item.id].correct]
            assert sorted(item.options) == sorted(before[item.id].options)
        assert not problems(list(before.values()), "places")
    fixed = [item.model_copy(update={"correct": 0}) for item in sound()]
    assert problems(fixed, "places")


def test_a_word_on_one_side_is_found_and_taken_out() -> None:
    """Half of the distortions say `never`: a reader without the text would know them."""
    given = [
        item.model_copy(
            update={
                "options": tuple(
                    option if at == item.correct or n % 2 else f"never {option.split(' ', 1)[1]}"
                    for at, option in enumerate(item.options)
                )
            }
        )
        for n, item in enumerate(sound(60))
    ]
    assert problems(given, "naive Bayes")
    kept, left_out = evened(given)
    assert left_out["words decide"] > 0
    assert decided(as_pairs(kept)).rate <= MOST_DECIDED
    assert 10 < len(kept) < 60
    assert [item.id for item in kept] == sorted(item.id for item in kept)


def test_a_longer_right_option_is_found_and_taken_out() -> None:
    given = [
        item.model_copy(
            update={
                "options": tuple(
                    f"{option}, more or less" if at == item.correct and n % 3 else option
                    for at, option in enumerate(item.options)
                )
            }
        )
        for n, item in enumerate(sound(60))
    ]
    assert problems(given, "characters")
    assert problems(given, "longest")
    assert problems(given, "differ by 3 words")
    kept, left_out = evened(given)
    assert left_out["length"] >= 40
    assert not problems(kept, "characters")
    assert not problems(kept, "words, expected")


def test_the_same_question_twice_is_found() -> None:
    first, *rest = sound()
    again = first.model_copy(update={"id": "x-999", "options": first.options[::-1], "correct": 1 - first.correct})
    assert problems([first, *rest, again], "asks the same")


def test_limits_nest_and_spread() -> None:
    items = with_splits(sound(40))
    small, large = (select(items, "all", n) for n in (6, 12))
    assert {item.id for item in small} < {item.id for item in large}
    assert {item.domain for item in small} == {"d0", "d1", "d2", "d3"}
    dev = select(items, "dev")
    assert 16 <= len(dev) <= 24
    assert {item.split for item in dev} == {"dev"}
