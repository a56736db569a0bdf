"""Several processes train one model: who this one is, which sequences it sees, how the weights lie, and their whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel

from midspec.compute import ComputeConfig
from midspec.errors import InputError
from midspec.train.packing import IGNORED, Packed

LAUNCHED = "MIDSPEC_LAUNCH"
"""Environment variable that a process of a training step finds its orders under; see `midspec.train.launch`."""

GATHERED_LAYERS = 2

LAYOUT = "layout.json"
"""Beside the resumable checkpoints: how the processes that wrote them held the model."""


@dataclass(frozen=True)
class Processes:
    """Which of the processes that train together this one is."""

    rank: int
    local_rank: int
    """Among those on this machine."""
    count: int

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0


def here() -> Processes:
    """This process; the only one, unless midspec has started it to train together with others."""
    if LAUNCHED not in os.environ:
        return Processes(0, 0, 1)
    rank, local_rank, count = (int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
    return Processes(rank, local_rank, count)


def share(batch_size: int, processes: int) -> int:
    """Sequences of one update that each process sees.

    Raises InputError where they cannot be shared out evenly: an update has the sequences that the recipe says, however
    many processes there are.
    """
    if batch_size % processes:
        fitting = ", ".join(str(n) for n in range(1, batch_size + 1) if batch_size % n == 0)
        raise InputError(
            f"batch_size is {batch_size} sequences, and {processes} processes cannot share them evenly; expected gpus "
            f"x nodes in compute to be one of {fitting}, or another batch_size, which changes the result"
        )
    return batch_size // processes


@dataclass(frozen=True)
class EvenlyShared:
    """The packed sequences for a data loader, filled up at the end so that all processes make equally many passes.

    Processes wait for each other in every pass. What fills up is not trained on and counts in no average. One process
    waits for nobody, and nothing is filled up.
    """

    packed: Packed
    multiple: int
    """Sequences that all processes take in one pass."""
    fixed_width: int | None = None
    """Every batch is as wide as a whole sequence, rounded up to a multiple of this; None = as wide as it must be."""

    def __len__(self) -> int:
        if here().count == 1:
            return len(self.packed)
        return -(-len(self.packed) // self.multiple) * self.multiple

    def __getitem__(self, index: int) -> int:
        """The index itself; `collate` takes the rows of a batch at once."""
        return index

    def collate(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """As `Packed.collate`."""
        count = len(self.packed)
        batch = self.packed.collate([index % count for index in indices], self.fixed_width)
        filling = torch.tensor([index >= count for index in indices])
        if filling.any():
            assert batch["labels"].shape[0] == len(indices), "one row to a sequence"
            batch["labels"][filling] = IGNORED
        return batch


def shards(compute: ComputeConfig) -> int:
    """In how many parts the weights lie that train or are frozen; 1 where every process has them all."""
    return 1 if compute.strategy == "ddp" else here().count


def gathered_bytes(model: Any, width: int | None = None) -> float:
    """What a process of a sharded model holds for a moment of what belongs to others.

    Two decoder layers, the one that computes and the next, and embeddings and head as wholes: the head stays until the
    backward pass is through with it. `width`: bytes of a weight; None = as they are.
    """
    layers: int = model.config.get_text_config().num_hidden_layers
    total = 0.0
    for name, parameter in model.named_parameters():
        size = parameter.numel() * (width or parameter.element_size())
        total += size * GATHERED_LAYERS / layers if ".layers." in name else size
    return total


def loading_device(device: torch.device, base: Path, compute: ComputeConfig) -> torch.device:
    """Where the model is loaded: on `device`, unless it is going to be shared out and is too large for one.

    Then every process loads it into main memory first.
    """
    if device.type != "cuda" or here().count == 1 or compute.strategy == "ddp":
        return device
    weights = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    free, _ = torch.cuda.mem_get_info(device)
    return device if weights < free / 2 else torch.device("cpu")


def settings(compute: ComputeConfig, precision: str) -> dict[str, Any]:
    """What the Trainer is told besides, where several processes train."""
    if here().count == 1:
        return {}
    if compute.strategy == "fsdp":
        return {"fsdp": True, "fsdp_config": fsdp_config()}
    if compute.strategy == "deepspeed":
        return {"deepspeed": deepspeed_config(precision)}
    # Every weight that trains takes part in every pass, and models have no buffers that change.
    return {"ddp_find_unused_parameters": False, "ddp_broadcast_buffers": False}


def head_stays(compute: ComputeConfig) -> bool:
    """Whether the output head is whole after the model's forward pass, so that the loss can use it by parts.

    DeepSpeed lets it go; its logits are made by the model, all at a time.
    """
    return here().count == 1 or compute.strategy != "deepspeed"


def fsdp_config() -> dict[str, Any]:
    """FSDP2 as Accelerate takes it: every decoder layer is gathered when it computes, and let go of afterwards.

    Checkpoints are written in parts, each process its own: a whole state would have to fit one machine's memory.
    Activations are recomputed as in one process; Accelerate's own way draws other dropout masks the second time.
    """
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "reshard_after_forward": True,
        "cpu_ram_efficient_loading": False,
        "state_dict_type": "SHARDED_STATE_DICT",
    }


def deepspeed_config(precision: str) -> dict[str, Any]:
    """DeepSpeed ZeRO-3; batch sizes and clipping are filled in from the Trainer's own settings (`auto`)."""
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        # The optimizer is the one that every strategy has.
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": precision == "bf16"},
        # By default gradients would be added up, over micro-batches and over processes, in the type that computes.
        "communication_data_type": "fp32",
        "data_types": {"grad_accum_dtype": "fp32"},
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": True,
            "contiguous_gradients": True,
            "stage3_gather_16bit_weights_on_model_save": True,
        },
    }


def prepared(arguments: Any, compute: ComputeConfig) -> Any:
    """The Trainer's arguments with what its fields cannot say.

    Raises InputError where the processes, each by the memory that it found free, chose different micro-batches.
    """
    if here().count > 1:
        chosen: list[Any] = [None] * here().count
        torch.distributed.all_gather_object(chosen, arguments.per_device_train_batch_size)
        require_same_micro_batch(chosen)
    if here().count > 1 and compute.strategy == "fsdp":
        from accelerate import PartialState
        from accelerate.utils import DistributedType
        from torch.distributed.fsdp import MixedPrecisionPolicy

        # Weights are gathered and gradients reduced in the type they have, and autocast computes as in one process;
        # Accelerate's default would average float32 gradients in bfloat16.
        arguments.fsdp_plugin_args["mixed_precision_policy"] = MixedPrecisionPolicy()
        if arguments.device.type == "cpu":
            # Accelerate has FSDP for accelerators only; PyTorch has it for CPUs too, which serves tests.
            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU  # pyright: ignore[reportPrivateUsage]
    return arguments


def require_same_micro_batch(chosen: list[int]) -> None:
    """`chosen`: by process. Raises InputError where they differ: processes wait for each other in every pass."""
    if len(set(chosen)) > 1:
        raise InputError(
            f"the processes chose micro-batches of {', '.join(map(str, chosen))} sequences by their free memory, and "
            f"must have one; set compute.micro_batch to {min(chosen)}, or free the memory that others hold"
        )


def whole_state(model: Any) -> dict[str, torch.Tensor] | None:
    """The weights that training changed, gathered on the CPU of the first process; empty on the others.

    All processes must call it. None where every process has the whole model.
    """
    if any(hasattr(parameter, "ds_id") for parameter in model.parameters()):
        return _gathered_by_deepspeed(model)
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(model, FSDPModule):
        return None
    adapter = isinstance(model, PeftModel)
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=adapter)
    return tied_again(model, cast(dict[str, torch.Tensor], get_model_state_dict(cast(Any, model), options=options)))


def tied_again(model: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`state` with one tensor for each weight of `model`, also where it goes by two names, as tied embeddings do.

    Gathering copies it once for each name, and a checkpoint would hold all copies: files tell a tied weight by its
    storage.
    """
    names: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if name in state and first in state:
            state[name] = state[first]
    return state


def _gathered_by_deepspeed(model: Any) -> dict[str, torch.Tensor]:
    from deepspeed.utils import safe_get_full_fp32_param  # pyright: ignore[reportMissingImports]

    state: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            # Under bf16 the parameter itself is a rounded copy, which computes; the optimizer updates this one.
            whole = safe_get_full_fp32_param(parameter)
            if here().first:
                state[name] = whole.detach().cpu().clone()
    return state


def require_same_layout(root: Path, compute: ComputeConfig) -> None:
    """Note how the model is going to be held, before any process begins.

    One process and DDP write the same checkpoints, so that a run may change between them. The number of processes may
    change too, but under DeepSpeed, which reads a checkpoint in as many as wrote it. Raises InputError where the
    checkpoints in `root` were laid out in another way.
    """
    count = compute.gpus * compute.nodes
    layout = "whole" if count == 1 or compute.strategy == "ddp" else compute.strategy
    if layout == "deepspeed":
        layout = f"deepspeed with {count} processes"
    path = root / LAYOUT
    written: str = json.loads(path.read_text())["layout"] if path.is_file() else "whole"
    if written != layout and any(root.glob("checkpoint-*")):
        under = {"whole": "one process or strategy ddp"}
        raise InputError(
            f"this step was interrupted under {under.get(written, f'strategy {written}')}, and cannot go on under "
            f"{under.get(layout, f'strategy {layout}')}, which lays checkpoints out differently; set compute as it "
            f"was, or remove {root} to begin again"
        )
    path.unlink(missing_ok=True)
    if layout != "whole":
        root.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"layout": layout}))
