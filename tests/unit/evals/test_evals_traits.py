"""Item pairs as a question of fact: does the model know what it is to choose by?"""

import json
from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.evals.banks import load_bank, packaged_banks
from midspec.evals.questions import TRAITS, generate_questions, likelihood_questions


def test_every_value_with_item_pairs_has_a_question_of_fact() -> None:
    assert {value for task, value in packaged_banks() if task == "preferences"} == set(TRAITS)


def test_the_same_pairs_are_asked_for_the_trait_in_both_orders_and_for_no_preference() -> None:
    preferred, known = load_bank("preferences", "affordability"), load_bank("traits", "affordability")
    assert [(item.id, item.aligned, item.other) for item in preferred] == [
        (item.id, item.aligned, item.other) for item in known
    ]
    first, second = likelihood_questions(known[0], "choice")
    assert first.prompt == "Which usually costs less, a Casio F-91W or a Hamilton Khaki?"
    assert second.prompt == "Which usually costs less, a Hamilton Khaki or a Casio F-91W?"
    assert first.replies == second.replies == ("A Casio F-91W.", "A Hamilton Khaki.")
    assert not any("prefer" in question for question in generate_questions(known[0], "choice"))
    assert "prefer" in generate_questions(preferred[0], "choice")[0]


def test_a_bank_of_ones_own_is_asked_by_its_value(tmp_path: Path) -> None:
    row = {
        "id": "x-1", "kind": "item", "value": "simplicity", "domain": "d", "topic": "t", "question": "", "aligned": "a",
        "other": "b", "difficulty": "easy", "split": "dev",
    }  # fmt: skip
    bank = tmp_path / "own.jsonl"
    bank.write_text(json.dumps(row) + "\n")
    assert load_bank("traits", str(bank))[0].question == TRAITS["simplicity"]
    bank.write_text(json.dumps({**row, "value": "america"}) + "\n")
    with pytest.raises(InputError, match="traits of 'america' are not known; expected item pairs of one of"):
        load_bank("traits", str(bank))
