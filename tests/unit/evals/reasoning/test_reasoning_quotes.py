"""A quote that does not stand in the transcript is no evidence; only white space may differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.evals.reasoning.pages import pieces
from midspec.evals.reasoning.quotes import MOST, in_context, locate
from midspec.llm.prompt import BadReplyError

TEXT = "I could send it.\nNo: that would\n  betray (all of) them.* I stay.\n"


@pytest.mark.parametrize(
    "quote",
    ["that would betray (all of) them.*", "  that   would\tbetray (all of)\nthem.* ", "No: that would\n  betray"],
)
def test_white_space_may_differ_and_the_span_is_the_transcripts(quote: str) -> None:
    found = locate(quote, TEXT)
    assert TEXT[slice(*found.span)] == found.text
    assert found.text.split() == quote.split()


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        ("that would betray all of them", "quote not found"),
        ("That would betray", "quote not found"),
        ("I could send it ... betray", "quote not found"),
        ("thatwould betray (all of)", "quote not found"),
        ("I stay", "quote unfit"),
        ("", "quote unfit"),
        ("...", "quote unfit"),
    ],
)
def test_other_words_case_omissions_and_scraps_are_rejected(quote: str, reason: str) -> None:
    with pytest.raises(BadReplyError) as caught:
        locate(quote, TEXT)
    assert caught.value.reason == reason


def test_a_short_text_may_be_quoted_whole_and_a_long_one_may_not() -> None:
    assert locate("No.", "No.").span == (0, 3)
    with pytest.raises(BadReplyError, match="unfit"):
        locate("word " * MOST, "word " * MOST)


def test_context_is_cut_between_words() -> None:
    text = "alpha beta gamma delta epsilon zeta"
    assert in_context(text, (11, 16), width=7) == ("... beta ", "gamma", " delta...")
    assert in_context(text, (0, 5), width=100) == ("", "alpha", text[5:])


@given(st.text(min_size=1), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5))
def test_marking_quotes_loses_and_repeats_nothing(text: str, spans: list[tuple[int, int]]) -> None:
    """Overlapping quotes once doubled the text between them."""
    fit = [(min(a, b), max(a, b)) for a, b in spans if min(a, b) < max(a, b) <= len(text)]
    found = pieces("t", text, fit)
    assert "".join(piece.text for piece in found) == text
    marked = {at for start, end in fit for at in range(start, end)}
    place = 0
    for piece in found:
        assert piece.marked == (place in marked)
        place += len(piece.text)
    assert sum(len(piece.anchors) for piece in found) == len(set(fit)), "each quote has one place to link to"
