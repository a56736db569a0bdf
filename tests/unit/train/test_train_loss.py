"""The loss equals the plain one, and packed documents do not see each other."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from midspec.errors import StepError
from midspec.train import loss as loss_module
from midspec.train.loss import headless, next_token_loss, require_isolation
from midspec.train.packing import IGNORED, Packed, Piece, pack


def packed_rows(change: int = 0) -> Packed:
    """Two sequences of three documents each; `change` alters the first document of the first sequence."""
    generator = torch.Generator().manual_seed(1)

    def piece(name: str, size: int, add: int = 0) -> Piece:
        ids = (torch.randint(0, 200, (size,), generator=generator) + add) % 256
        return Piece(name, ids.tolist(), [True] * size)

    rows = [
        [piece("a", 7, change), piece("b", 9), piece("c", 4)],
        [piece("d", 6), piece("e", 5), piece("f", 6)],
    ]
    return pack(rows, 20, pad_id=0)


def states_and_gradients(model: Any, packed: Packed, of: slice) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits at `of` in the first sequence, and the gradients of the loss there."""
    batch = packed.collate([0, 1])
    model.zero_grad()
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    wanted = torch.full_like(batch["labels"], IGNORED)
    wanted[0, of] = batch["labels"][0, of]
    next_token_loss(logits, wanted, None, torch.float32).backward()
    return logits[0, of].detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


def test_a_document_in_a_pack_is_as_if_alone(model: Any) -> None:
    # Guards: attention over document borders (PAPER.md, 5.20): logits and gradients must not depend on the neighbour.
    second = slice(7, 16)
    before, gradients = states_and_gradients(model, packed_rows(), second)
    after, changed = states_and_gradients(model, packed_rows(change=50), second)
    assert torch.equal(before, after)
    # The embedding rows of exchanged tokens get no gradient either way; all gradients are equal bit by bit.
    assert all(torch.equal(a, b) for a, b in zip(gradients, changed, strict=True))

    alone = packed_rows().collate([0])["input_ids"][:, second]
    torch.testing.assert_close(model(input_ids=alone).logits[0], before, rtol=1e-4, atol=1e-5)
    own, _ = states_and_gradients(model, packed_rows(), slice(0, 7))
    other, _ = states_and_gradients(model, packed_rows(change=50), slice(0, 7))
    assert not torch.equal(own, other), "the test must change what it says it changes"


def test_the_next_sequence_of_a_batch_is_isolated_too(model: Any) -> None:
    # Guards: packing detected from the first row of a batch only.
    logits: list[torch.Tensor] = []
    for packed in (packed_rows(), packed_rows(change=50)):
        batch = packed.collate([1, 0])
        logits.append(model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits)
    assert torch.equal(logits[0][0], logits[1][0])
    assert torch.equal(logits[0][1, 7:], logits[1][1, 7:])


def test_a_model_that_ignores_borders_is_refused(model: Any) -> None:
    # Guards: an architecture with recurrence, or an attention kernel without masks, trained on packed data unnoticed.
    require_isolation(model)
    forward = model.forward
    model.forward = lambda position_ids=None, **inputs: forward(**inputs)
    with pytest.raises(StepError, match="packed documents see each other"):
        require_isolation(model)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_the_loss_in_parts_is_the_whole_loss(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a chunk lost or counted twice, a gradient that is not the loss's.
    monkeypatch.setattr(loss_module, "CHUNK_ELEMENTS", rows * 11)
    torch.manual_seed(0)
    head = nn.Linear(8, 11, bias=False).double()
    hidden = torch.randn(2, 5, 8, dtype=torch.double, requires_grad=True)
    labels = torch.randint(0, 11, (2, 5))
    labels[0, 2] = labels[1, 4] = IGNORED

    ours = next_token_loss(hidden, labels, head, torch.float64)
    (ours * 0.25).backward()
    found = hidden.grad, head.weight.grad
    assert found[0] is not None and found[1] is not None
    hidden.grad = head.weight.grad = None
    plain = functional.cross_entropy(
        head(hidden)[:, :-1].reshape(-1, 11), labels[:, 1:].reshape(-1), ignore_index=IGNORED, reduction="sum"
    )
    (plain * 0.25).backward()
    torch.testing.assert_close(ours.double(), plain, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found[0], hidden.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[1].double(), head.weight.grad, rtol=1e-5, atol=1e-6)


def test_headless_gives_the_model_back_whole(model: Any) -> None:
    # Guards: a saved or evaluated model whose logits are hidden states.
    ids = torch.arange(6)[None]
    logits = model(input_ids=ids).logits
    with headless(model) as head:
        assert head is model.lm_head
        assert model(input_ids=ids).logits.shape == (1, 6, model.config.hidden_size)
    assert torch.equal(model(input_ids=ids).logits, logits)


def test_logits_that_are_more_than_a_product_are_left_alone(model: Any) -> None:
    # Guards: the wrong loss for models that cap or scale their logits (Gemma, Cohere, Granite).
    forward = model.forward

    def capped(**inputs: Any) -> Any:
        outputs = forward(**inputs)
        outputs.logits = torch.tanh(outputs.logits) * 0.5
        return outputs

    model.forward = capped
    with headless(model) as head:
        assert head is None
        assert model(input_ids=torch.arange(6)[None]).logits.shape[-1] == model.config.vocab_size


def test_dropout_does_not_hide_the_head(tiny_folder: Any) -> None:
    # Guards: two probing passes that differ by dropout, so that the slow loss is used and random numbers are drawn.
    from train_doubles import small

    from midspec.train.weights import trainable_model

    model = trainable_model(tiny_folder, None, small(dropout=0.5), 0, torch.device("cpu"))
    model.train()
    state = torch.random.get_rng_state()
    with headless(model) as head:
        assert head is not None
    require_isolation(model)
    assert model.training and torch.equal(torch.random.get_rng_state(), state)
