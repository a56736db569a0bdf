"""Models and tokenizers into memory: a base model, with the checkpoint of a training step on it or not."""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from midspec.errors import InputError, StepError
from midspec.experiment import ComputeConfig
from midspec.steps.progress import Progress
from midspec.train.chat import prepare_tokenizer
from midspec.train.models import ModelRef, ensure

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""


def pick_device(compute: ComputeConfig) -> torch.device:
    """The device that `compute.device` means here; sets the CPU threads too. Raises InputError where it is absent."""
    if compute.threads is not None:
        torch.set_num_threads(compute.threads)
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if compute.device == "auto":
        return torch.device("cuda" if present["cuda"] else "mps" if present["mps"] else "cpu")
    if not present[compute.device]:
        raise InputError(
            f"compute.device is {compute.device!r}, and PyTorch sees none here; expected one of "
            f"{', '.join(name for name, there in present.items() if there)}, or auto"
        )
    return torch.device(compute.device)


def load_tokenizer(ref: ModelRef, folder: Path) -> Any:
    """The tokenizer in `folder` with the chat format that `ref` asks for."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    prepare_tokenizer(tokenizer, ref.chat_template)
    return tokenizer


def load_model(folder: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """A causal language model from a local folder, in evaluation mode. Raises StepError where its files do not fit."""
    transformers_logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (ValueError, KeyError, RuntimeError) as error:
        raise StepError(
            f"model folder {folder} cannot be loaded: {str(error).splitlines()[0]}; expected a causal language model "
            "that the installed transformers knows without code from the model's folder"
        ) from error
    model, report = loaded
    if report["missing_keys"] or report["mismatched_keys"]:
        # Transformers fills what a file lacks with random numbers, and says so in a log line.
        lacking = sorted(report["missing_keys"]) or sorted(str(key) for key in report["mismatched_keys"])
        raise StepError(
            f"model folder {folder} lacks {len(lacking)} tensors of a {type(model).__name__}, e.g. {lacking[0]}; "
            "expected the whole model: copy or make it again"
        )
    return model.to(device).eval()


def attach_adapter(model: Any, folder: Path, *, trainable: bool) -> Any:
    """`model` with the LoRA adapter in `folder` on it; trainable adapters are float32, others as the model.

    Raises StepError unless every tensor of the file is in the model bit by bit, and no adapter tensor besides: PEFT
    leaves what a file lacks at its initial value, with a warning.
    """
    with peft_warnings():
        adapted = PeftModel.from_pretrained(
            model, str(folder), is_trainable=trainable, autocast_adapter_dtype=trainable
        )
    if not trainable:
        adapted = adapted.to(next(model.parameters()).dtype)
    loaded = {
        name.replace(".default.", "."): parameter for name, parameter in adapted.named_parameters() if "lora_" in name
    }
    path = folder / ADAPTER_WEIGHTS
    filed = load_file(path) if path.is_file() else {}
    if filed.keys() != loaded.keys():
        problem = f"{len(filed.keys() ^ loaded.keys())} tensors are in only one of file and model"
    else:
        differing = [name for name, tensor in filed.items() if not _equal(loaded[name], tensor)]
        problem = f"tensor {differing[0]} differs" if differing else None
    if problem:
        raise StepError(
            f"the adapter {path} was not loaded as it is: {problem}; it is damaged, or belongs to another base model"
        )
    return adapted


def _equal(loaded: torch.Tensor, filed: torch.Tensor) -> bool:
    return torch.equal(loaded.detach().cpu(), filed.to(loaded.dtype))


@contextmanager
def peft_warnings() -> Generator[None]:
    """Hide what PEFT says in warnings: use of a name that Transformers renamed, and what we check ourselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        yield


def load_for_inference(
    ref: ModelRef,
    checkpoint: Path | None,
    compute: ComputeConfig,
    dtype: torch.dtype = torch.float32,
    *,
    merge: bool = False,
    progress: Progress | None = None,
) -> tuple[Any, Any]:
    """(model, tokenizer) for evaluation, in evaluation mode, on the device of `compute`.

    `checkpoint` is the `checkpoint` folder of a training step, an adapter or full weights; None = the base model.
    `merge` adds an adapter into the weights: faster, and equal up to rounding in `dtype`.
    """
    device = pick_device(compute)
    folder = ensure(ref, progress)
    tokenizer = load_tokenizer(ref, folder)
    if checkpoint is None:
        return load_model(folder, dtype, device), tokenizer
    if not (checkpoint / ADAPTER_CONFIG).is_file():
        return load_model(checkpoint, dtype, device), tokenizer
    model = attach_adapter(load_model(folder, dtype, device), checkpoint, trainable=False)
    if merge:
        model = model.merge_and_unload()
    return model.eval(), tokenizer


@contextmanager
def memory_kept() -> Generator[None]:
    """Have glibc keep large blocks that are let go of, for the next of their size; `release_memory` gives them back.

    By default every large tensor is mapped and unmapped by the system, page by page: 8 to 10% of a training step on a
    CPU. Elsewhere than under glibc nothing changes.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if adjust is None:
        yield
        return
    adjust(_M_MMAP_THRESHOLD, 2**30)
    adjust(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        # What glibc's own adjustment ends at; it is off once a threshold has been set.
        adjust(_M_MMAP_THRESHOLD, 2**25)
        adjust(_M_TRIM_THRESHOLD, 2**26)


def release_memory() -> None:
    """Give back what dropped models held: to the device, and to the system for the next step or process.

    Models and trainers are cycles of references, and glibc keeps freed memory: after a step on SmolLM2 that was 1.4 GB.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    # Absent on macOS, Windows and musl, whose allocators give memory back on their own.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
