"""Compiled layers and our own attention compute what PyTorch's operations do, and documents stay apart in them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from train_doubles import document, losses, midtrain_context, small
from transformers import LlamaConfig, LlamaForCausalLM

from midspec.compute import ComputeConfig
from midspec.errors import InputError, StepError
from midspec.records import write_rows
from midspec.steps.progress import Silent
from midspec.train import attention, kernels, loss
from midspec.train.native import compiler, library, tiles
from midspec.train.packing import IGNORED, Piece, pack
from midspec.train.step import midtrain

CPU = torch.device("cpu")
LENGTH, WIDTH, SCALE = 128, 32, 32**-0.5

needs_tiles = pytest.mark.skipif(not (tiles() and compiler()), reason="needs a CPU with AMX, and g++")
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs g++")


def starts(*cuts: int) -> torch.Tensor:
    """Documents of one sequence that begin at 0 and at `cuts`."""
    result = torch.zeros(1, LENGTH, dtype=torch.int32)
    for cut in cuts:
        result[:, cut:] = cut
    return result


def mask_of(first: torch.Tensor) -> torch.Tensor:
    places = torch.arange(LENGTH)
    return ((places >= first[..., None]) & (places <= places[:, None]))[:, None]


def inputs(seed: int = 0) -> list[torch.Tensor]:
    """q with 4 heads, k and v with 2, and the gradient of the output."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(1, 4, LENGTH, WIDTH), (1, 2, LENGTH, WIDTH), (1, 2, LENGTH, WIDTH), (1, LENGTH, 4, WIDTH)]
    return [torch.randn(shape, generator=generator).bfloat16() for shape in shapes]


def ours(tensors: list[torch.Tensor], first: torch.Tensor) -> list[torch.Tensor]:
    """Output (batch, heads, length, width) and the gradients of q, k, v."""
    q, k, v = (tensor.clone().requires_grad_() for tensor in tensors[:3])
    out, _ = attention.packed_attention(q, k, v, first, SCALE)
    return [out.detach().transpose(1, 2), *torch.autograd.grad(out, (q, k, v), tensors[3])]


def exact(tensors: list[torch.Tensor], first: torch.Tensor) -> list[torch.Tensor]:
    q, k, v = (tensor.double().requires_grad_() for tensor in tensors[:3])
    out = functional.scaled_dot_product_attention(
        q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1), attn_mask=mask_of(first), scale=SCALE
    )
    return [out.detach(), *torch.autograd.grad(out, (q, k, v), tensors[3].transpose(1, 2).double())]


@needs_tiles
@pytest.mark.parametrize("cuts", [(), (1, 2, 70), (64,), (37, 100, 127)])
def test_attention_and_its_gradients_are_right_to_rounding(cuts: tuple[int, ...]) -> None:
    # Guards: a block or key left out, a gradient added to the wrong document, heads that share keys mixed up.
    for found, wanted in zip(ours(inputs(), starts(*cuts)), exact(inputs(), starts(*cuts)), strict=True):
        assert (found.double() - wanted).norm() < 6e-3 * wanted.norm()


@needs_tiles
def test_attention_of_a_document_does_not_change_by_a_bit_with_the_others() -> None:
    # Guards: scores of other documents that are small instead of absent.
    first, second = starts(50, 90), slice(50, 90)
    before = inputs()
    after = [tensor.clone() for tensor in before]
    for tensor, other in zip(after[:3], inputs(seed=9)[:3], strict=True):
        tensor[:, :, :50], tensor[:, :, 90:] = 100 * other[:, :, :50], 100 * other[:, :, 90:]
    after[3][:, :50] = 7
    one, two = ours(before, first), ours(after, first)
    assert all(torch.equal(a[:, :, second], b[:, :, second]) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0][:, :, :50], two[0][:, :, :50]), "the test must change what it says it changes"


def test_masks_of_documents_are_read_and_others_refused() -> None:
    # Guards: a sliding window or a two-way mask that is trained on as if it were causal.
    assert torch.equal(attention.starts_of(mask_of(starts(5, 60))), starts(5, 60))
    places = torch.arange(LENGTH)
    window = (places <= places[:, None]) & (places > places[:, None] - 9)
    assert torch.equal(attention.starts_of(window[None, None])[0], (places - 8).clamp(min=0).int())
    with pytest.raises(StepError, match="not one of whole documents"):
        attention.starts_of(torch.ones(1, 1, LENGTH, LENGTH, dtype=torch.bool))


def test_the_loss_that_is_compiled_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a part lost or counted twice; a gradient that is not the loss's. The compiler is PyTorch's to test.
    monkeypatch.setattr(loss, "_compiled_errors", lambda: loss._errors)
    monkeypatch.setattr(loss, "CHUNK_ELEMENTS", 2 * 11)
    torch.manual_seed(0)
    head = torch.nn.Linear(8, 11, bias=False).requires_grad_(False)
    labels = torch.randint(0, 11, (2, 9))
    labels[0, 2:5] = IGNORED
    results: list[tuple[torch.Tensor, torch.Tensor]] = []
    for compiled in (False, True):
        hidden = torch.randn(2, 9, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        value = loss.next_token_loss(hidden, labels, head, torch.float32, compiled=compiled)
        (value * 0.5).backward()
        assert hidden.grad is not None
        results.append((value.detach(), hidden.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


def tiny(**changes: Any) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            **{
                "vocab_size": 64,
                "hidden_size": 64,
                "intermediate_size": 64,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                **changes,
            }
        )
    )


def chosen(asked: str = "auto", positions: int = 10**9, device: torch.device = CPU, **changes: Any) -> kernels.Kernels:
    compute = ComputeConfig.model_validate({"kernels": asked})
    return kernels.choose(tiny(**changes), small(), compute, device, 100_000, positions)


def refusing() -> None:
    raise StepError("attention.cpp cannot be compiled")


@needs_compiler
def test_kernels_are_chosen_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a short run that spends longer on compiling than on training; a choice nobody can override.
    assert chosen(positions=1000).layers == "plain" and "too few" in chosen(positions=1000).line()
    assert chosen("compiled", positions=1000).layers == "compiled"
    assert chosen("plain").layers == "plain"
    assert "cuda" in chosen(device=torch.device("cuda")).line()
    monkeypatch.setattr(kernels, "tiles", lambda: True)
    monkeypatch.setattr(attention, "prepare", lambda: None)
    assert chosen().attention == "packed"
    assert chosen(attention_dropout=0.1).attention == "sdpa"
    assert chosen(hidden_size=40).attention == "sdpa", "heads of width 20"
    monkeypatch.setattr(attention, "prepare", refusing)
    assert chosen().attention == "sdpa" and "cannot be compiled" in chosen().line()
    monkeypatch.setattr(kernels, "tiles", lambda: False)
    assert chosen().attention == "sdpa" and "AMX" in chosen().line()
    assert "experts" in chosen(num_experts=8).line()
    monkeypatch.setattr(kernels, "compiler", lambda: None)
    assert chosen().layers == "plain"
    with pytest.raises(InputError, match=r"compiled, and there is no C\+\+ compiler"):
        chosen("compiled")


def test_what_the_compiler_says_reaches_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiler() is None:
        pytest.skip("needs g++")
    monkeypatch.setenv("MIDSPEC_CACHE", str(tmp_path))
    source = tmp_path / "broken.cpp"
    source.write_text("int f() { return nothing_of_that_name; }\n")
    with pytest.raises(StepError, match=r"nothing_of_that_name.*compute\.kernels: plain"):
        library(source)
    assert not list(tmp_path.rglob("*.so"))


@needs_compiler
def test_loading_a_library_of_ours_leaves_small_numbers_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSPEC_CACHE", str(tmp_path))
    source = tmp_path / "nothing.cpp"
    source.write_text('extern "C" int nothing() { return 0; }\n')
    library(source)
    assert float.fromhex("0x1p-1074") * 1.0 > 0.0, "the process rounds numbers below 1e-308 to zero from now on"


def test_batches_for_compiled_programs_have_one_shape() -> None:
    # Guards: a program compiled anew for every batch; filling that is attended to or trained on.
    packed = pack([[Piece("a", [5, 6, 7], [True] * 3)], [Piece("b", [8, 9], [True] * 2)]], 6, pad_id=1)
    narrow, wide = packed.collate([0]), packed.collate([0], fixed_width=4)
    assert narrow["input_ids"].shape == (1, 3) and wide["input_ids"].shape == (1, 8)
    assert packed.collate([1], fixed_width=4)["labels"].shape == (1, 8)
    assert torch.equal(wide["labels"][0, :3], narrow["labels"][0])
    assert (wide["labels"][0, 3:] == IGNORED).all()
    assert wide["position_ids"][0].tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


@needs_compiler
@pytest.mark.parametrize("precision", ["bf16", pytest.param("fp32", marks=pytest.mark.slow)])
def test_a_compiled_run_has_the_losses_of_a_plain_one(
    precision: str, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: layers or loss that compute something else once compiled; a model left changed.
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_rows(corpus / "documents.jsonl", [document(number, words=40) for number in range(12)])
    train = small(precision=precision, batch_size=2, tokens=600)
    seen: list[Any] = []
    applied = kernels.applied

    def watched(model: Any, chosen: kernels.Kernels) -> Any:
        seen.append((model, chosen))
        return applied(model, chosen)

    monkeypatch.setattr(kernels, "applied", watched)
    for name in ("plain", "compiled"):
        midtrain(midtrain_context(tmp_path / name, corpus, train, kernels=name))
    plain, compiled = losses(tmp_path / "plain"), losses(tmp_path / "compiled")
    assert plain == pytest.approx(compiled, rel=2e-3 if precision == "bf16" else 1e-5)
    model, choice = seen[1]
    assert choice.layers == "compiled"
    assert model.config._attn_implementation == "sdpa"
    assert all(module._compiled_call_impl is None for module in model.modules())


class Interrupting(Silent):
    """Ends the run after some updates, as Ctrl-C does."""

    left = 5

    def advance(self, count: int = 1) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.slow
@needs_compiler
def test_an_interrupted_compiled_run_ends_with_the_same_bytes(tmp_path: Path, tiny_folder: Path) -> None:
    # Guards: programs compiled in the second process that round otherwise than those of the first.
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_rows(corpus / "documents.jsonl", [document(number, words=40) for number in range(12)])
    train = small(batch_size=2, tokens=900)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    midtrain(midtrain_context(whole, corpus, train, kernels="compiled"))
    with pytest.raises(KeyboardInterrupt):
        midtrain(midtrain_context(parted, corpus, train, kernels="compiled", progress=Interrupting()))
    midtrain(midtrain_context(parted, corpus, train, kernels="compiled"))
    assert losses(whole) == losses(parted)
    adapter = "checkpoint/adapter_model.safetensors"
    assert (whole / adapter).read_bytes() == (parted / adapter).read_bytes()
