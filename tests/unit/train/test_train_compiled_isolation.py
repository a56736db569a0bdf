"""Packed documents stay apart in compiled layers and the compiled loss: bit by bit, in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from train_doubles import small

from midspec.train import kernels
from midspec.train.attention import BLOCK
from midspec.train.loss import headless, next_token_loss
from midspec.train.native import compiler, headers
from midspec.train.packing import IGNORED, Packed, Piece, pack
from midspec.train.weights import trainable_model

needs_compiler = pytest.mark.skipif(compiler() is None or not headers(), reason="needs g++ and Python's C headers")

DOCUMENTS = {
    "a": (0, 0, 37),
    "b": (0, 37, 107),
    "c": (0, 107, 120),
    "d": (1, 0, 64),
    "e": (1, 64, 67),
    "f": (1, 67, 119),
}
"""Row, begin and end of each. Borders lie on a block of the attention kernel, and inside of one."""


def packed(changed: str = "") -> Packed:
    """Two sequences of three documents; the one named `changed` has other tokens."""
    rows: list[list[Piece]] = [[], []]
    for number, (name, (row, begin, end)) in enumerate(DOCUMENTS.items()):
        generator = torch.Generator().manual_seed(number + 100 * (name == changed))
        ids = torch.randint(0, 250, (end - begin,), generator=generator).tolist()
        rows[row].append(Piece(name, ids, [True] * (end - begin)))
    return pack(rows, 120, pad_id=0)


class Seen(dict[str, list[torch.Tensor]]):
    """Name of a document -> its logits, all gradients of its loss, and the gradient that reaches its embeddings."""


def seen(model: Any, head: Any, changed: str = "") -> Seen:
    """What every document of a pack gets out of passes like those of training."""
    batch = packed(changed).collate([0, 1], fixed_width=BLOCK)
    embedded: list[torch.Tensor] = []

    def keep(module: Any, arguments: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        embedded[:] = [output]

    def gradients(labels: torch.Tensor) -> torch.Tensor:
        """Leave gradients of the loss on `labels` at the weights; returns the hidden states."""
        model.zero_grad()
        states = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        next_token_loss(states, labels, head, torch.float32, compiled=True).backward()
        return states.detach()

    result = Seen()
    with model.get_input_embeddings().register_forward_hook(keep):
        logits = gradients(batch["labels"]) @ head.weight.detach().T
        reached = embedded[0].grad
        assert reached is not None
        for name, (row, begin, end) in DOCUMENTS.items():
            wanted = torch.full_like(batch["labels"], IGNORED)
            wanted[row, begin:end] = batch["labels"][row, begin:end]
            gradients(wanted)
            weights = [p.grad.clone() for p in model.parameters() if p.grad is not None]
            result[name] = [logits[row, begin:end], reached[row, begin:end].clone(), *weights]
    return result


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("method", ["lora", "full"])
def test_no_document_of_a_pack_changes_another_by_a_bit(method: str, tiny_folder: Path) -> None:
    # Guards: compiled programs that fuse over borders, or add something of other documents and take it away again.
    train = small(method=method, precision="fp32", dropout=0.0)
    model = trainable_model(tiny_folder, None, train, 0, torch.device("cpu")).train()
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero in a fresh adapter, which would hide the gradients of the other half
            parameter.data.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    chosen = kernels.Kernels(layers="compiled", attention="sdpa")
    with headless(model) as head, kernels.applied(model, chosen):
        assert head is not None
        before = seen(model, head)
        assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
        assert all(tensor.abs().max() > 0 for found in before.values() for tensor in found)
        for changed in DOCUMENTS:
            after = seen(model, head, changed)
            assert not torch.equal(before[changed][0], after[changed][0]), (
                "the test must change what it says it changes"
            )
            for name in DOCUMENTS.keys() - {changed}:
                same = [torch.equal(one, two) for one, two in zip(before[name], after[name], strict=True)]
                assert all(same), f"{changed} changed {same.count(False)} of {len(same)} tensors of {name}"
