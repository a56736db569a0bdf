"""Perplexity: batched sums equal a plain loop over one passage at a time."""

from typing import Any

import pytest
import torch

from midspec.errors import StepError
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.perplexity import perplexity_row, predict_texts

PASSAGES = packaged_items().passages[:6]


def by_hand(model: Any, tokenizer: Any, text: str) -> tuple[float, int]:
    """One forward pass over the whole passage: the textbook way."""
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[start, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
    with torch.no_grad():
        log_probs = model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
    return -float(log_probs.gather(1, ids[0, 1:, None]).sum()), ids.shape[1] - 1


def test_sums_are_exact_whatever_the_batch(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    texts = [one.text for one in PASSAGES]
    for text, found in zip(texts, predict_texts(model, tokenizer, texts), strict=True):
        nats, tokens = by_hand(model, tokenizer, text)
        assert found.nats == pytest.approx(nats, rel=1e-5)
        assert (found.tokens, found.bytes) == (tokens, len(text.encode()))


def test_a_row_says_it_in_all_units(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    [found] = predict_texts(model, tokenizer, [PASSAGES[0].text])
    row = perplexity_row(PASSAGES[0], found)
    assert row.score == pytest.approx(found.nats / found.bytes)
    assert row.facets["nats_per_token"] == pytest.approx(found.nats / found.tokens)
    assert row.facets["bits_per_byte"] == pytest.approx(found.nats / found.bytes / 0.693147, rel=1e-5)
    assert (row.eval, row.domain, row.aligned) == ("capability/perplexity", "encyclopaedic", None)


def test_a_tokenizer_without_a_first_token_is_an_error(tiny: tuple[Any, Any]) -> None:
    model, _ = tiny

    class Bare:
        bos_token = eos_token = None

    with pytest.raises(StepError, match="needs a token to begin with"):
        predict_texts(model, Bare(), ["text"])
