"""Choice by letter: what providers' log-probabilities say, and what is read where there are none."""

from collections.abc import Callable
from math import log

import pytest
from inspect_ai.model import ChatCompletionChoice, Logprob, Logprobs, ModelOutput, TopLogprob

from midspec.errors import InputError
from midspec.evals.letters import letter_log_odds
from midspec.evals.questions import letter_questions
from midspec.evals.readings import read_letters
from midspec.records import BankItem

Make = Callable[..., BankItem]


def said(*tokens: dict[str, float]) -> ModelOutput:
    """Each token with its alternatives; the first of them is the one said."""
    output = ModelOutput.from_content("m", "".join(next(iter(token)) for token in tokens))
    content = [
        Logprob(
            token=next(iter(token)),
            logprob=log(next(iter(token.values()))),
            top_logprobs=[TopLogprob(token=name, logprob=log(p)) for name, p in token.items()],
        )
        for token in tokens
    ]
    choice = ChatCompletionChoice(message=output.choices[0].message, logprobs=Logprobs(content=content))
    return output.model_copy(update={"choices": [choice]})


def test_spellings_of_a_letter_are_added_up() -> None:
    output = said({"A": 0.5, "B": 0.2, " A": 0.1, "An": 0.1})
    assert letter_log_odds(output, ("A", "B")) == pytest.approx(log(0.6 / 0.2))
    assert letter_log_odds(output, ("B", "A")) == pytest.approx(-log(0.6 / 0.2))


def test_the_letter_may_come_after_other_tokens() -> None:
    output = said({"Answer": 0.9, "A": 0.1}, {":": 1.0}, {" B": 0.75, " A": 0.25})
    assert letter_log_odds(output, ("A", "B")) == pytest.approx(log(0.25 / 0.75))


def test_what_was_not_given_is_not_guessed() -> None:
    assert letter_log_odds(ModelOutput.from_content("m", "A"), ("A", "B")) is None
    assert letter_log_odds(said({"A": 0.9, "An": 0.1}), ("A", "B")) is None
    assert letter_log_odds(said({"Neither": 1.0}), ("A", "B")) is None


def test_letters_follow_the_order_and_replies_the_value(item: Make, opinion: Make) -> None:
    first, second = letter_questions(item(), "choice")
    assert "A: a Casio F-91W\nB: a Hamilton Khaki" in first.prompt
    assert "A: a Hamilton Khaki\nB: a Casio F-91W" in second.prompt
    assert (first.replies, second.replies) == (("A", "B"), ("B", "A"))
    with pytest.raises(InputError, match="scoring 'letter'"):
        letter_questions(opinion(), "open")


def test_log_odds_decide_where_there_are_any_and_written_letters_stand_beside(item: Make) -> None:
    both = read_letters(item(), ["A", "A"], [2.0, -1.0])
    assert (both.aligned, both.log_odds, both.by_order) == (True, 0.5, (2.0, -1.0))
    assert both.facets == {"written": None}, "A twice follows the order"
    written = read_letters(item(), ["A", "B"], None)
    assert (written.aligned, written.log_odds, written.by_order) == (True, None, (1.0, 1.0))
    assert written.facets == {"written": 1.0}
    assert read_letters(item(), ["A", "B"], [0.0, 0.0]).aligned is None
