"""Models and tokenizers into memory: a base model, with the checkpoint of a training step on it or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from midspec.errors import InputError, StepError
from midspec.experiment import ComputeConfig
from midspec.steps.progress import Progress
from midspec.train.chat import prepare_tokenizer
from midspec.train.models import ModelRef, ensure

ADAPTER_CONFIG = "adapter_config.json"


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
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    except (ValueError, KeyError, RuntimeError) as error:
        raise StepError(
            f"model folder {folder} cannot be loaded: {str(error).splitlines()[0]}; expected a causal language model "
            "that the installed transformers knows without code from the model's folder"
        ) from error
    return model.to(device).eval()


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
    model: Any = PeftModel.from_pretrained(
        load_model(folder, dtype, device), str(checkpoint), autocast_adapter_dtype=False
    )
    model = model.to(dtype)
    if merge:
        model = model.merge_and_unload()
    return model.eval(), tokenizer
