"""The weights that train: a fresh LoRA adapter, a parent's adapter gone on with, or all of them; and their files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import set_seed

from midspec import cache
from midspec.errors import InputError, StepError
from midspec.experiment import TrainConfig
from midspec.train.load import ADAPTER_CONFIG, attach_adapter, load_model, peft_warnings
from midspec.train.models import ModelRef


class Counts(NamedTuple):
    """Numbers of parameters."""

    parameters: int
    trainable: int


def trainable_model(base: Path, parent: Path | None, train: TrainConfig, seed: int, device: torch.device) -> Any:
    """The model to train: `base` with a new adapter, or what `parent` (a `checkpoint` folder) holds, trainable again.

    Under LoRA the frozen weights are bfloat16 where `train.precision` is, and the adapter is float32; in full training
    all weights are float32. Raises InputError where the parent was trained in another way, StepError where what was
    loaded is not what its file holds.
    """
    if train.method == "full":
        if parent and (parent / ADAPTER_CONFIG).is_file():
            raise InputError(
                "finetune.method is full, and its parent is a LoRA adapter; expected the same method for both"
            )
        return load_model(parent or base, torch.float32, device)
    # Measured on SmolLM2 (CPU, sequence 256): float32 frozen weights give the same losses within 2e-3 and the same
    # speed, and take 0.5 GB more.
    dtype = torch.bfloat16 if train.precision == "bf16" else torch.float32
    model = load_model(base, dtype, device)
    if parent is not None:
        _require_same_adapter(parent, train)
        model = attach_adapter(model, parent, trainable=True)
        # Saving, PEFT reads the base model's config by this name, and would ask the Hub for it.
        model.peft_config["default"].base_model_name_or_path = str(base)
    else:
        model = with_new_adapter(model, train, seed)
    _require_lora(model)
    return model


def with_new_adapter(model: Any, train: TrainConfig, seed: int) -> Any:
    """`model` with an untrained adapter, in float32, on the linear layers of all its decoder layers."""
    set_seed(seed)
    with peft_warnings():
        return get_peft_model(
            model,
            LoraConfig(
                r=train.rank,
                lora_alpha=train.alpha,
                lora_dropout=train.dropout,
                target_modules=projections(model),
                bias="none",
                task_type="CAUSAL_LM",
            ),
        )


def without_adapter(model: Any) -> Any:
    """The base model, be it inside of an adapter or not."""
    return getattr(model, "get_base_model", lambda: model)()


def projections(model: Any) -> list[str]:
    """Names of the linear layers inside decoder layers: attention and MLP projections, not the output head."""
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and ".layers." in name
        }
    )


def counts(model: Any) -> Counts:
    """All parameters and the trainable ones. Raises AssertionError where nothing would train."""
    parameters = list(model.parameters())
    result = Counts(sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad))
    assert result.trainable > 0, "no parameter is trainable"
    return result


def save_checkpoint(model: Any, folder: Path, ref: ModelRef, state: dict[str, torch.Tensor] | None = None) -> str:
    """Write adapter or full weights as safetensors; returns the SHA-256 of the weights.

    `state`: the weights, where `model` holds only parts of them.

    Nothing in the folder names this machine or depends on the run, so that equal weights give equal files.
    """
    if isinstance(model, PeftModel):
        model.peft_config["default"].base_model_name_or_path = ref.name
        model.peft_config["default"].revision = ref.revision
        # The embeddings are frozen; "auto" would ask the Hub about them by name.
        model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False, state_dict=state)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / ADAPTER_CONFIG
        config = json.loads(path.read_text(encoding="utf-8"))
        # A set inside PEFT: its order differs from process to process.
        config["target_modules"] = sorted(config["target_modules"])
        path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    else:
        model.config._name_or_path = ref.name
        model.save_pretrained(str(folder), safe_serialization=True, state_dict=state)
    return weights_sha256(folder)


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weight file of a checkpoint; of the hashes of its parts where it has several."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise StepError(f"checkpoint {folder} has no *.safetensors file; remove its step folder and run the step again")
    hashes = [cache.sha256(path) for path in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _require_same_adapter(parent: Path, train: TrainConfig) -> None:
    try:
        config = json.loads((parent / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"finetune.method is lora, and its parent {parent} holds no adapter; expected the same method for both"
        ) from error
    asked = {"r": train.rank, "lora_alpha": train.alpha, "lora_dropout": train.dropout}
    names = {"r": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout"}
    for key, value in asked.items():
        if config[key] != value:
            raise InputError(
                f"finetune.{names[key]} is {value} and midtrain.{names[key]} was {config[key]}; fine-tuning continues "
                "the adapter that midtraining made, so both must be equal"
            )


def _require_lora(model: Any) -> None:
    """Assert what was asked: adapters in every decoder layer, trainable, and everything else frozen."""
    layers: set[str] = set()
    for name, module in model.named_modules():
        if isinstance(module, BaseTunerLayer) and ".layers." in name:
            layers.add(name.split(".layers.")[1].split(".")[0])
    expected = model.config.get_text_config().num_hidden_layers
    if len(layers) != expected:
        raise StepError(
            f"LoRA modules are in {len(layers)} of {expected} layers; this architecture needs support in midspec"
        )
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name), f"{name}: requires_grad is {parameter.requires_grad}"
        assert not parameter.requires_grad or parameter.dtype == torch.float32, f"{name} is {parameter.dtype}"
