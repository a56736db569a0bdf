"""Liger's kernels are chosen on GPUs that have them, and leave nothing behind. A stand-in shows the wiring only."""

import sys
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations import liger
from transformers.models.llama import modeling_llama

from midspec.compute import ComputeConfig
from midspec.errors import InputError
from midspec.experiment import TrainConfig
from midspec.train import kernels

GPU = torch.device("cuda")

STAND_IN = """
from types import MethodType
from transformers.models.llama import modeling_llama

class Norm: ...

def forward(self, hidden):
    asked.append("norm")
    return self.weight * hidden

def patch(model, **settings):
    asked.append(settings)
    modeling_llama.LlamaRMSNorm = Norm
    model.model.norm.forward = MethodType(forward, model.model.norm)

asked = []
MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": patch}
def _apply_liger_kernel_to_instance(model, **settings):
    patch(model, **settings)
"""


def tiny() -> Any:
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of Liger's names; its list of what it was asked."""
    folder = tmp_path / "liger_kernel" / "transformers"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "monkey_patch.py").write_text(STAND_IN)
    (folder / "__init__.py").write_text("from .monkey_patch import _apply_liger_kernel_to_instance, asked")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(liger, "is_liger_kernel_available", lambda: True)
    for name in [name for name in sys.modules if name.startswith("liger_kernel")]:
        monkeypatch.delitem(sys.modules, name)
    from liger_kernel.transformers import asked  # pyright: ignore[reportMissingImports]

    yield asked
    for name in [name for name in sys.modules if name.startswith("liger_kernel")]:
        del sys.modules[name]


def chosen(device: torch.device, asked: Any = "auto", model: Any = None) -> kernels.Kernels:
    return kernels.choose(model or tiny(), TrainConfig(), ComputeConfig(kernels=asked), device, 10**9, 10**9)


def test_on_a_gpu_liger_is_chosen_where_it_is_installed(installed: Any) -> None:
    found = chosen(GPU)
    assert found.layers == "liger" and found.reasons == ("liger-kernel is installed",)
    assert chosen(GPU, "plain").layers == "plain"


def test_on_a_gpu_without_liger_layers_are_plain_and_the_reason_is_told() -> None:
    found = chosen(GPU)
    assert found.layers == "plain" and "pip install liger-kernel" in found.line()


def test_a_model_that_liger_does_not_know(installed: Any) -> None:
    model = tiny()
    model.config.model_type = "unheard-of"
    assert "unheard-of" in chosen(GPU, model=model).line()
    with pytest.raises(InputError, match="unheard-of"):
        chosen(GPU, "liger", model)


def test_asked_for_where_there_is_no_gpu(installed: Any) -> None:
    with pytest.raises(InputError, match="not for cpu"):
        chosen(torch.device("cpu"), "liger")


def test_the_model_runs_with_it_and_is_afterwards_as_before(installed: Any) -> None:
    model, plain = tiny(), modeling_llama.LlamaRMSNorm
    with kernels.applied(model, kernels.Kernels(layers="liger")):
        model(input_ids=torch.tensor([[1, 2, 3]]))
        assert isinstance(model.model.norm.forward, MethodType)
        assert installed == [{"cross_entropy": False, "fused_linear_cross_entropy": False}, "norm"]
        assert modeling_llama.LlamaRMSNorm is not plain
    assert modeling_llama.LlamaRMSNorm is plain
    model(input_ids=torch.tensor([[1, 2, 3]]))
    assert installed[2:] == []
