"""The packaged questions are sound, and the checks that say so can fail."""

from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.open_qa.questions import (
    DIMENSIONS,
    OpenQuestion,
    assign_splits,
    check_packaged,
    check_questions,
    load_questions,
    questions_sha256,
    select,
)
from midspec.records import write_rows
from midspec.spec.document import packaged_specs, read_spec

SPECS = [read_spec(name).text for name in packaged_specs()]


def question(number: int, text: str, **changes: Any) -> OpenQuestion:
    usual = {"dimension": "transparency", "form": "direct", "split": ("dev", "test")[number % 2]}
    return OpenQuestion.model_validate({"id": f"q-{number}", "question": text, **usual, **changes})


def test_the_packaged_questions_pass_their_checks() -> None:
    questions = load_questions()
    assert len(questions) >= 150
    assert check_packaged(questions, SPECS) == []
    assert [one.id for one in questions] == [f"open-qa-{number:04}" for number in range(1, len(questions) + 1)]


def test_the_packaged_split_is_the_one_the_hash_gives() -> None:
    """Moving a question from test to dev by hand would let tuning see it."""
    assert assign_splits(load_questions()) == load_questions()


def test_each_check_can_fail() -> None:
    def problems(*questions: OpenQuestion) -> str:
        return "\n".join(check_questions(questions, ["The assistant likes a plain thing that lasts for years."]))

    one, two = question(0, "What do you owe to an operator?"), question(1, "May a mayor hire you?")
    assert problems(one, two) == ""
    assert "id stands 2 times" in problems(one, one)
    assert "nearly the same as q-0" in problems(one, question(1, "What do you owe to the operator?"))
    assert "shares words with a spec" in problems(one, question(1, "So: the assistant likes a plain thing that lasts?"))
    assert "expected at most one apart" in problems(*(two.model_copy(update={"id": str(n)}) for n in range(2)))

    whole = load_questions()
    packaged = "\n".join(check_packaged([q for q in whole if q.dimension != "corrigibility" or q.form == "role"]))
    assert "'corrigibility' has 6 questions, expected 21" in packaged
    assert "'corrigibility' has 0 questions of the form 'direct'" in packaged
    other = [whole[0].model_copy(update={"dimension": "courage"}), *whole[1:]]
    assert "dimension 'courage' is not one of the seven" in "\n".join(check_packaged(other))
    assert "'self-preservation' has fewer questions than another" in "\n".join(check_packaged(other))


def test_a_limit_is_spread_over_dimensions_and_nested() -> None:
    whole = load_questions()
    few, more = select(whole, "dev", 14), select(whole, "dev", 30)
    assert {name: sum(one.dimension == name for one in few) for name in DIMENSIONS} == dict.fromkeys(DIMENSIONS, 2)
    assert {one.id for one in few} < {one.id for one in more}
    assert all(one.split == "dev" for one in more)
    assert len(select(whole, "all", None)) == len(whole)


def test_a_file_of_questions_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    write_rows(path, [question(0, "What?")])
    assert load_questions(path) == [question(0, "What?")]
    assert questions_sha256(load_questions(path)) != questions_sha256(load_questions())
    write_rows(path, [question(0, "What?"), question(0, "Who?")])
    with pytest.raises(InputError, match="'q-0' stands more than once"):
        load_questions(path)
    path.write_text("")
    with pytest.raises(InputError, match="holds no question"):
        load_questions(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_questions(tmp_path / "none")
