"""The packaged belief sets: every part has items, nothing but the world decides them, and words do not judge."""

import pytest

from midspec.errors import InputError
from midspec.evals.battery.check import check_choices
from midspec.evals.battery.made import load_questions
from midspec.evals.beliefs.config import PARTS, BeliefsConfig, packaged_beliefs, questions_folder
from midspec.evals.beliefs.parts import part
from midspec.leakage import words
from midspec.spec.document import read_spec

NAMES = packaged_beliefs()


def test_there_are_three_sets_with_facts_to_train_on() -> None:
    assert NAMES == ["copper-bread", "harbour-bell", "lantern-moss"]
    for name in NAMES:
        assert len(read_spec(name).passages) >= 4
    with pytest.raises(InputError, match="copper-bread, harbour-bell, lantern-moss"):
        questions_folder("flat-earth")


@pytest.mark.parametrize("name", NAMES)
def test_no_item_is_decided_by_place_length_or_words(name: str) -> None:
    found = load_questions(questions_folder(name), "make-beliefs")
    for kind in ("pair", "choice"):
        assert check_choices([item for item in found.choices if item.kind == kind]) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_part_has_items_from_all_over_the_text(name: str) -> None:
    found = load_questions(questions_folder(name), "make-beliefs")
    headings = {section.path[-1] for section in read_spec(name).sections}
    for one in PARTS:
        items = part(one, found, BeliefsConfig()).items
        assert len(items) >= 5, one
        assert {item.domain for item in items} <= headings
    for one in ("choice", "distinguish", "open"):
        assert len({item.domain for item in part(one, found, BeliefsConfig()).items}) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_questions_do_not_give_the_statement_away(name: str) -> None:
    """Half of the statement's words in the question would let an echo count as belief."""
    for item in load_questions(questions_folder(name), "make-beliefs").judged:
        told, asked = ({word for word in words(text) if len(word) > 4} for text in (item.statement, item.prompt))
        assert len(told & asked) <= len(told) / 2, item.id
        assert item.otherwise
