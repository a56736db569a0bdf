"""The packaged items: enough of everything, balanced, and of a form that can be asked."""

from collections import Counter

import pytest

from midspec.errors import InputError
from midspec.evals.battery.check import check_choices
from midspec.evals.battery.items import load_items
from midspec.evals.capability.items import FOLDER, Passage, packaged_items
from midspec.leakage import GRAM, words
from midspec.spec.document import packaged_specs, read_spec

ITEMS = packaged_items()


def test_there_is_enough_of_everything() -> None:
    assert len(ITEMS.passages) >= 40
    assert len({item.domain for item in ITEMS.passages}) >= 7
    assert len(ITEMS.knowledge) >= 150
    fields = Counter(item.domain for item in ITEMS.knowledge)
    assert len(fields) >= 8
    assert min(fields.values()) >= 12
    for field in fields:
        levels = {item.difficulty for item in ITEMS.knowledge if item.domain == field}
        assert levels == {"easy", "medium", "hard"}
    assert len(ITEMS.instructions) >= 60
    refuse = Counter(item.refuse for item in ITEMS.requests)
    assert min(refuse[True], refuse[False]) >= 40


def test_no_question_is_decided_by_place_length_or_words() -> None:
    assert check_choices(ITEMS.knowledge) == []


def test_nothing_of_the_specs_stands_in_what_is_to_be_general() -> None:
    """A passage about a spec's matter would measure the training itself."""
    specs = {
        said[at : at + GRAM]
        for name in packaged_specs()
        for said in [words(read_spec(name).text)]
        for at in range(len(said))
    }
    texts = [item.text for item in ITEMS.passages] + [item.prompt for item in [*ITEMS.instructions, *ITEMS.requests]]
    for text in texts:
        said = words(text)
        shared = {said[at : at + GRAM] for at in range(len(said) - GRAM + 1)} & specs
        assert not shared, text
        assert not {"cheese", "aria", "northfield"} & set(said), text


def test_instructions_use_most_kinds_of_checks() -> None:
    kinds = Counter(check.kind for item in ITEMS.instructions for check in item.checks)
    assert len(kinds) >= 35
    assert len({item.prompt for item in ITEMS.instructions}) == len(ITEMS.instructions)


def test_a_damaged_file_is_named(tmp_path) -> None:  # pyright: ignore
    path = tmp_path / "passages.jsonl"
    line = (FOLDER / "passages.jsonl").read_text(encoding="utf-8").splitlines()[0]
    path.write_text(f"{line}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="stands more than once"):
        load_items(path, Passage)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="holds no item"):
        load_items(path, Passage)
