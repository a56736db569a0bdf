"""Every kind of instruction with an answer that keeps it and answers that do not."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from midspec.evals.capability.verify import Check, Kind, kept, variants, verify

TABLE = "| a | b |\n| --- | :-: |\n| 1 | 2 |"
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "words_at_most": ({"n": 3}, ("one two three",), ("one two three four", "")),
    "words_at_least": ({"n": 3}, ("one two, three",), ("one two", "")),
    "words_exactly": ({"n": 3}, ("It's a well-known",), ("one two", "one two three four")),
    "sentences_exactly": ({"n": 2}, ("One. Two!", "Dr. No came. He left."), ("One.", "One. Two. Three.")),
    "paragraphs_exactly": ({"n": 2}, ("a\n\nb", "a\nb\n \nc"), ("a\nb", "a\n\nb\n\nc")),
    "lines_exactly": ({"n": 2}, ("a\nb", "a\n\nb\n"), ("a", "a\nb\nc")),
    "bullets_exactly": ({"n": 2}, ("- a\n- b", "Here:\n* a\n* b"), ("- a", "-a\n-b", "1. a\n2. b")),
    "numbered_exactly": ({"n": 2}, ("1. a\n2. b", "1) a\n2) b"), ("1. a\n3. b", "1. a\n2. b\n3. c", "- a\n- b")),
    "includes": ({"texts": ("gate", "red")}, ("A Red gate.",), ("A gate.", "A redder gate", "gates red")),
    "excludes": ({"texts": ("snow",)}, ("Snowy hills.",), ("Snow falls.",)),
    "word_exactly": ({"text": "track", "n": 2}, ("Track, track.",), ("track", "track track track", "tracks track")),
    "word_at_least": ({"text": "river", "n": 2}, ("river River river",), ("river rivers",)),
    "uppercase": ({}, ("HI THERE 3!",), ("Hi", "123")),
    "lowercase": ({}, ("hi there",), ("hi There", "123")),
    "capitalised": ({}, ("The Old Man",), ("The old Man",)),
    "json_keys": ({"texts": ("a", "b")}, ('{"a": 1, "b": 2}', '```json\n{"b": 1, "a": 2}\n```'), ('{"a": 1}', "[]")),
    "json_list": ({"n": 2}, ('["a", "b"]',), ('["a"]', '["a", 2]', '{"a": "b"}', 'Sure: ["a", "b"]')),
    "json_values": ({"text": "number"}, ('{"a": 1, "b": 2.5}',), ('{"a": "1"}', "{}", '{"a": true}', "[1]")),
    "starts_with": ({"text": "To be"}, ("To be honest",), ("Well, To be",)),
    "ends_with": ({"text": "all."}, ("that is all.\n",), ("all. Bye",)),
    "quoted": ({}, ('"hello"', "“hello”"), ("hello", '"hello', '""')),
    "no_commas": ({}, ("a b",), ("a, b",)),
    "no_digits": ({}, ("ten",), ("10",)),
    "one_of": ({"texts": ("yes", "no")}, ("Yes.", "no"), ("yes and no", "maybe", "Yes, it is")),
    "integer_between": ({"n": 10, "most": 20}, ("10", " 20 "), ("9", "21", "12.5", "It is 12")),
    "title_in_brackets": ({}, ("<<Kites>>\nfly",), ("<Kites>", "<<>>", "<< >>")),
    "sections": ({"text": "SECTION", "n": 2}, ("SECTION 1\na\nSECTION 2\nb",), ("SECTION 1\na", "Part 1\nPart 2")),
    "placeholders": ({"n": 2}, ("Dear [name], [date]",), ("Dear [name], []",)),
    "alphabetical": ({"n": 3}, ("apple, fig, pear", "- Apple\n- fig\n- Pear"), ("fig, apple, pear", "apple, fig")),
    "line_starts": ({"text": "Tip:"}, ("Tip: a\n\nTip: b",), ("Tip: a\nb",)),
    "table_columns": ({"n": 2}, (TABLE, f"Here:\n{TABLE}"), ("| a | b |", TABLE.replace("| 2 |", "| 2 | 3 |"), "a, b")),
    "csv_columns": ({"n": 2, "most": 2}, ("a,b\nc,d",), ("a,b\nc", "a,b")),
    "separated_by": ({"text": "***", "n": 2}, ("a *** b",), ("a ***", "a *** b *** c")),
    "no_letter": ({"text": "s"}, ("a blue bird",), ("Some", "as")),
    "letters_first": ({"text": "SUN"}, ("So\nup\nnow",), ("So\nnow\nup", "sun")),
    "postscript": ({}, ("Bye\n\nP.S. Bring it", "PS: one more"), ("Bye", "perhaps")),
    "numbers_ascending": ({"n": 3}, ("1 5 9",), ("1 9 5", "1 5", "1 5 5")),
    "code_block": ({}, ("```python\nx = 1\n```", "Here:\n```\nx\n```\nDone"), ("x = 1", "```\n```", "```x```")),
    "longest_word": ({"n": 4}, ("a hill", "what is it"), ("mountain",)),
}  # fmt: skip


def test_every_kind_has_examples() -> None:
    assert set(CASES) == set(get_args(Kind))


@pytest.mark.parametrize("kind", sorted(CASES))
def test_right_and_wrong_answers(kind: Any) -> None:
    settings, right, wrong = CASES[kind]
    check = Check(kind=kind, **settings)
    for answer in right:
        assert kept(answer, check), f"{kind} does not accept {answer!r}"
    for answer in wrong:
        assert not kept(answer, check), f"{kind} accepts {answer!r}"
    assert not kept("  \n", check)


@pytest.mark.parametrize("kind", ["words_at_most", "includes", "starts_with", "integer_between", "sections"])
def test_a_check_that_lacks_what_it_needs_is_refused(kind: Any) -> None:
    with pytest.raises(ValidationError, match="needs"):
        Check(kind=kind)


def test_all_instructions_count_and_the_broken_are_named() -> None:
    checks = (Check(kind="lowercase"), Check(kind="no_commas"), Check(kind="words_at_most", n=3))
    assert verify("a quiet day", checks).strict
    found = verify("A quiet, day", checks)
    assert not found.strict
    assert found.broken == ("lowercase", "no_commas")


def test_loose_forgives_what_stands_around_the_answer_and_nothing_else() -> None:
    checks = (Check(kind="bullets_exactly", n=2), Check(kind="lines_exactly", n=2))
    answer = "Sure, here it is:\n- a\n- b\nLet me know!"
    assert not verify(answer, checks).strict
    assert verify(answer, checks).loose
    assert not verify("Sure:\n- a\n- b\n- c", checks).loose
    assert verify("**yes**", (Check(kind="one_of", texts=("yes",)),)).loose
    assert not verify("", checks).loose
    assert "" not in variants("one line")
