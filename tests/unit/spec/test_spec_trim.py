"""A trimmed spec has the length that was asked for, its rules, and no gaps in its numbers."""

import re
from itertools import pairwise

import pytest

from midspec.errors import InputError
from midspec.spec import lint, read_spec
from midspec.spec.document import ModelSpec
from midspec.spec.prose import blocks, word_count
from midspec.spec.statements import statements
from midspec.spec.trim import TOLERANCE, matches, trimmed


@pytest.mark.parametrize(
    ("name", "words"), [("philosophy", 4400), ("philosophy", 2000), ("rules-augmented", 1000), ("cheese-america", 1500)]
)
def test_length_order_and_what_stays(name: str, words: int) -> None:
    spec = read_spec(name)
    protected = statements(spec) if name.startswith("rules") else []
    made = ModelSpec(name, trimmed(spec, words, protected=protected))
    assert abs(word_count(made.text) - words) <= 25 < TOLERANCE * words
    before = [sentence.plain for block in blocks(spec) for sentence in block.sentences]
    after = [sentence.plain for block in blocks(made) for sentence in block.sentences]
    places = [before.index(text) for text in after]
    assert places == sorted(places)
    assert [section.path for section in made.sections] == [section.path for section in spec.sections]
    assert all(spec.text[slice(*span)] in made.text for span in protected)
    assert lint(made) == []


def test_every_section_gives_its_share() -> None:
    spec = read_spec("philosophy")
    made = ModelSpec("m", trimmed(spec, 2300))
    shares = [
        word_count(new.text) / word_count(old.text)
        for new, old in zip(made.sections, spec.sections, strict=True)
        if old.level == 3
    ]
    assert min(shares) > 0.2 and max(shares) < 0.8


def test_lists_are_cut_from_their_end() -> None:
    made = trimmed(read_spec("rules-augmented"), 1200, protected=statements(read_spec("rules-augmented")))
    for rule in ("SP1", "GP2"):
        numbers = [int(number) for number in re.findall(rf"- {rule}\.(\d+):", made)]
        assert numbers[0] == 1 and all(b == a + 1 for a, b in pairwise(numbers))


def test_the_seed_decides_between_equals_and_nothing_else_does() -> None:
    spec = ModelSpec("s", "".join(f"# {n}\n\nOne two three. Four five six. Seven eight nine.\n\n" for n in range(9)))
    assert trimmed(spec, 75, seed=1) == trimmed(spec, 75, seed=1)
    assert len({trimmed(spec, 75, seed=seed) for seed in range(6)}) > 1


def test_what_cannot_be_done_is_said_with_figures() -> None:
    spec = read_spec("rules")
    with pytest.raises(InputError, match=r"384 words, too few to be cut to 2,000"):
        trimmed(spec, 2000)
    with pytest.raises(InputError, match=r"cannot be cut to 100 words: 384 are left"):
        trimmed(spec, 100, protected=statements(spec))
    assert trimmed(spec, 390) == spec.text, "within 5%: nothing to do"
    assert matches(spec.text, 400) and not matches(spec.text, 420)
