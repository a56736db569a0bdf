"""Likelihood scoring against the plainest possible computation."""

from typing import Any

import pytest
import torch

from midspec.errors import StepError
from midspec.evals.likelihood import Encoded, batches, chat_prompt, encode, float32_head, score_replies
from midspec.evals.questions import Question
from midspec.evals.readings import log_odds

QUESTIONS = [
    Question("Which do you prefer, tea or rye bread?", ("I prefer tea.", "I prefer rye bread.")),
    Question("Hi", ("a", "A much longer reply than the other one, with a good many more bytes in it.")),
    Question("Say something in Polish, please: żółw or źrebię?", ("żółw", "źrebię")),
    *[Question(f"Question number {n}? " + "so " * n, (f"Answer {n}.", f"No answer to {n}.")) for n in range(20)],
]


def one_at_a_time(model: Any, tokenizer: Any, question: Question) -> tuple[float, ...]:
    """No batch, no padding, no mask, no sharing."""
    prompt = tokenizer(chat_prompt(tokenizer, [{"role": "user", "content": question.prompt}]), add_special_tokens=False)
    scores: list[float] = []
    for reply in question.replies:
        text = chat_prompt(tokenizer, [{"role": "user", "content": question.prompt}]) + reply
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            log_probs = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float(), dim=-1)
        start = len(prompt["input_ids"])
        picked = log_probs[range(start - 1, ids.shape[1] - 1), ids[0, start:]]
        scores.append(picked.sum().item())
    return tuple(scores)


def test_batched_branches_equal_a_plain_loop(tiny: tuple[Any, Any]) -> None:
    """A wrong mask, position or offset would change every number without failing."""
    model, tokenizer = tiny
    fast = score_replies(model, tokenizer, QUESTIONS, bf16=False)
    for question, scores in zip(QUESTIONS, fast, strict=True):
        assert scores == pytest.approx(one_at_a_time(model, tokenizer, question), abs=1e-4)


def test_eager_attention_gets_the_same_mask(tiny: tuple[Any, Any]) -> None:
    """Eager attention adds its mask to the scores: true/false added there would let replies see one another."""
    model, tokenizer = tiny
    expected = score_replies(model, tokenizer, QUESTIONS[:4], bf16=False)
    model.set_attn_implementation("eager")
    try:
        found = score_replies(model, tokenizer, QUESTIONS[:4], bf16=False)
    finally:
        model.set_attn_implementation("sdpa")
    for one, two in zip(expected, found, strict=True):
        assert one == pytest.approx(two, abs=1e-4)


def test_a_score_does_not_depend_on_its_batch(tiny: tuple[Any, Any]) -> None:
    """Padding that is attended to shows up as a score that changes with the company it is in."""
    model, tokenizer = tiny
    together = score_replies(model, tokenizer, QUESTIONS, bf16=False)
    for budget in (1, 150, 10_000):
        again = score_replies(model, tokenizer, QUESTIONS, bf16=False, batch_tokens=budget)
        for one, two in zip(together, again, strict=True):
            assert one == pytest.approx(two, abs=1e-4)


def test_equal_calls_give_equal_bits_and_order_of_questions_is_kept(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    first = score_replies(model, tokenizer, QUESTIONS)
    assert score_replies(model, tokenizer, QUESTIONS) == first
    backwards = score_replies(model, tokenizer, QUESTIONS[::-1], bf16=False)[::-1]
    for one, two in zip(backwards, score_replies(model, tokenizer, QUESTIONS, bf16=False), strict=True):
        assert one == pytest.approx(two, abs=1e-4)


def test_swapping_the_replies_swaps_the_scores(tiny: tuple[Any, Any]) -> None:
    """The second branch must not see the first."""
    model, tokenizer = tiny
    swapped = [Question(question.prompt, question.replies[::-1]) for question in QUESTIONS]
    for one, two in zip(
        score_replies(model, tokenizer, QUESTIONS, bf16=False),
        score_replies(model, tokenizer, swapped, bf16=False),
        strict=True,
    ):
        assert one == pytest.approx(two[::-1], abs=1e-4)


def test_batches_hold_every_question_once_within_the_budget() -> None:
    encoded = [Encoded([1] * length, ([1], [2, 3])) for length in (5, 100, 7, 7, 1, 60, 5)]
    found = batches(encoded, 40)
    assert sorted(index for batch in found for index in batch) == list(range(len(encoded)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(encoded[index].length for index in batch) <= 40
    assert batches(encoded, 40) == found


def test_a_reply_that_merges_with_the_prompt_is_scored_from_the_merged_token() -> None:
    """Tokenising the reply alone would score tokens that the model never sees after this prompt."""

    class Merging:
        def apply_chat_template(self, chat: Any, **_: Any) -> str:
            return f"{chat[0]['content']}:"

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            merged = text.replace(":I", "\0")
            return {"input_ids": [ord(character) for character in merged]}

    encoded = encode(Merging(), Question("Q", ("I do", "No")))
    assert encoded.prompt == [ord("Q")]
    assert encoded.replies == ([0, *map(ord, " do")], [*map(ord, ":No")])


def test_an_empty_reply_is_an_error(tiny: tuple[Any, Any]) -> None:
    with pytest.raises(StepError, match="nothing to predict"):
        encode(tiny[1], Question("Q", ("", "No")))


def test_the_model_is_left_as_it_was(tiny: tuple[Any, Any]) -> None:
    """A head that stays patched would change training or generation later in the process."""
    model, _ = tiny
    head = model.get_output_embeddings()
    with pytest.raises(RuntimeError, match="stop"), float32_head(model):
        assert "forward" in vars(head)
        raise RuntimeError("stop")
    assert "forward" not in vars(head)


def test_log_odds_are_fair_to_length() -> None:
    assert log_odds((-10.0, -12.0), ("abcd", "efgh")) == pytest.approx(2.0)
    # Twice as long and twice as unlikely: no preference.
    assert log_odds((-10.0, -20.0), ("abcd", "abcdefgh")) == pytest.approx(0.0)
    # Bytes, not characters: one letter of two bytes.
    assert log_odds((-2.0, -2.0), ("é", "ab")) == pytest.approx(0.0)
