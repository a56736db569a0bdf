"""What processes gather, and what they agree on before they begin: without any process."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from midspec.compute import ComputeConfig
from midspec.errors import InputError
from midspec.train import distributed


def test_a_tied_weight_that_was_gathered_twice_is_written_once(model: Any, tmp_path: Path) -> None:
    # Guards: a checkpoint of several processes with another set of tensors, and more bytes, than that of one.
    gathered = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= gathered.keys()
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "several", state_dict=distributed.tied_again(model, gathered))
    one, several = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "several"))
    assert several.keys() == one.keys() and "lm_head.weight" not in one
    assert all(torch.equal(several[name], tensor) for name, tensor in one.items())


def test_a_deepspeed_run_goes_on_in_as_many_processes_as_before(tmp_path: Path) -> None:
    # Guards: DeepSpeed's own error, from within a process, after the model has been loaded.
    two, four = (ComputeConfig(gpus=gpus, strategy="deepspeed") for gpus in (2, 4))
    distributed.require_same_layout(tmp_path, two)
    distributed.require_same_layout(tmp_path, four)  # nothing was written yet
    distributed.require_same_layout(tmp_path, two)
    (tmp_path / "checkpoint-5").mkdir()
    distributed.require_same_layout(tmp_path, two)
    with pytest.raises(InputError, match="under strategy deepspeed with 2 processes, and cannot go on under strategy"):
        distributed.require_same_layout(tmp_path, four)


def test_processes_with_unequal_memory_are_told_what_to_set() -> None:
    # Guards: processes that make different numbers of passes, and wait for each other for ever.
    distributed.require_same_micro_batch([4, 4, 4])
    with pytest.raises(InputError, match=r"micro-batches of 4, 2, 4 sequences.*set compute.micro_batch to 2"):
        distributed.require_same_micro_batch([4, 2, 4])
