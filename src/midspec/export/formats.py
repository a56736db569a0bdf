"""The files of one stage for each trainer. What a trainer cannot be told is said in `deviations`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import yaml

from midspec.export.stages import Stage
from midspec.train.packing import IGNORED

if TYPE_CHECKING:
    from jinja2 import Environment

Trainer = Literal["trl", "llamafactory", "axolotl", "tinker"]

INITIAL = "initial"
"""Folder of the untrained adapter of the first stage: the same random numbers as here."""
RESULT = "checkpoint"
"""Folder that a stage's weights go to."""
_TEMPLATES = Path(__file__).parent / "templates"


class Format(NamedTuple):
    """How one trainer is told a stage."""

    write: Callable[[Stage, Path], None]
    """Write data and settings of the stage into the folder."""
    command: str
    """What trains it, said in the stage's folder."""
    needs: str
    """What to install."""
    deviations: tuple[str, ...]
    """What differs from the training here, and cannot be helped."""


def start_of(stage: Stage) -> str | None:
    """The adapter that training goes on with, relative to the stage's folder; None where all weights train."""
    if stage.train.method == "full":
        return None
    return f"../{stage.parent}/{RESULT}" if stage.parent else f"../{INITIAL}"


def model_of(stage: Stage) -> str:
    """What the base model is loaded from: under full training, the stage before."""
    return f"../{stage.parent}/{RESULT}" if stage.train.method == "full" and stage.parent else str(stage.base)


def _trl(stage: Stage, folder: Path) -> None:
    _jsonl(folder / "data.jsonl", stage.rows())
    train = stage.train
    settings = {
        "model": model_of(stage),
        "adapter": start_of(stage),
        "precision": train.precision,
        "pad": 0,
        "ignored": IGNORED,
        "arguments": {
            **_arguments(stage),
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": train.batch_size,
            "train_sampling_strategy": "sequential",
            "max_length": None,
            "packing": False,
            "loss_type": "nll",
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "remove_unused_columns": False,
        },
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    _render("trl.py.jinja", folder / "train.py", stage=stage, result=RESULT)


def _llamafactory(stage: Stage, folder: Path) -> None:
    from datasets import Dataset, DatasetDict
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    columns: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for row in stage.rows():
        number = 0
        pieces: list[int] = []
        for position in row["position_ids"]:
            number += position == 0
            pieces.append(number)
        columns["input_ids"].append(row["input_ids"])
        columns["labels"].append(row["labels"])
        columns["attention_mask"].append(pieces)  # with neat_packing: tokens of equal number see each other
    DatasetDict({"train": Dataset.from_dict(columns)}).save_to_disk(str(folder / "data"))
    train = stage.train
    adapter = start_of(stage)
    settings: dict[str, Any] = {
        "model_name_or_path": model_of(stage),
        **({"adapter_name_or_path": adapter, "create_new_adapter": False} if adapter else {}),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": train.method,
        **({"lora_rank": train.rank, "lora_alpha": train.alpha, "lora_dropout": train.dropout} if adapter else {}),
        "template": "empty",
        "dataset": "tokenized",  # asked for, and not looked at
        "tokenized_path": "data",
        "neat_packing": True,
        "disable_shuffling": True,
        "cutoff_len": train.sequence_length,
        "flash_attn": "sdpa",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": train.batch_size,
        "output_dir": RESULT,
        **_arguments(stage),
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _axolotl(stage: Stage, folder: Path) -> None:
    _jsonl(
        folder / "data.jsonl",
        (
            {"input_ids": piece.input_ids, "labels": piece.labels, "attention_mask": [1] * len(piece.input_ids)}
            for _, piece in stage.pieces()
        ),
    )
    train, arguments = stage.train, _arguments(stage)
    adapter = start_of(stage)
    settings: dict[str, Any] = {
        "base_model": model_of(stage),
        **(
            {
                "adapter": "lora",
                "lora_model_dir": adapter,
                "lora_r": train.rank,
                "lora_alpha": train.alpha,
                "lora_dropout": train.dropout,
                "lora_target_linear": True,
            }
            if adapter
            else {}
        ),
        "datasets": [{"path": "data.jsonl", "ds_type": "json", "type": None}],
        "sequence_len": train.sequence_length,
        "sample_packing": True,
        "sample_packing_sequentially": True,
        "pad_to_sequence_len": True,
        "shuffle_merged_datasets": False,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": train.batch_size,
        "optimizer": arguments["optim"],
        "lr_scheduler": train.schedule,
        **{
            key: arguments[key]
            for key in ("learning_rate", "warmup_steps", "weight_decay", "max_grad_norm", "num_train_epochs", "seed")
        },
        "bf16": train.precision == "bf16",
        "save_safetensors": True,
        "output_dir": RESULT,
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _tinker(stage: Stage, folder: Path) -> None:
    _jsonl(folder / "data.jsonl", _updates(stage))
    train = stage.train
    settings = {
        "model": stage.model.name,
        "parent": f"../{stage.parent}/{RESULT}.json" if stage.parent else None,
        "rank": train.rank,
        "seed": stage.seed,
        "learning_rates": stage.learning_rates(),
        "adam": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": train.weight_decay,
                 "grad_clip_norm": train.max_grad_norm},
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    _render("tinker.py.jinja", folder / "train.py", stage=stage, result=RESULT)


def _updates(stage: Stage) -> Iterator[Mapping[str, Any]]:
    """Per update its pieces as next-token targets; weights sum to 1, so that the summed loss is the mean here."""
    pieces: dict[int, list[dict[str, Any]]] = {}
    for update, piece in stage.pieces():
        if len(piece.input_ids) > 1:
            pieces.setdefault(update, []).append(
                {
                    "tokens": piece.input_ids[:-1],
                    "targets": piece.input_ids[1:],
                    "weights": [float(label != IGNORED) for label in piece.labels[1:]],
                }
            )
    for update, data in pieces.items():
        counted = sum(sum(one["weights"]) for one in data)
        for one in data:
            one["weights"] = [weight / counted for weight in one["weights"]]
        yield {"update": update, "data": data}


def _arguments(stage: Stage) -> dict[str, Any]:
    """Transformers' training arguments that decide the result."""
    train = stage.train
    return {
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": train.schedule,
        "warmup_steps": stage.warmup_updates,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "num_train_epochs": 1.0,  # the data hold every epoch, each in its own order
        "optim": "adamw_torch",
        "bf16": train.precision == "bf16",
        "seed": stage.seed,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
    }


def _jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def _render(template: str, path: Path, **values: Any) -> None:
    path.write_text(environment().get_template(template).render(**values), encoding="utf-8")


def environment() -> Environment:
    """Of the templates beside this file; they make Python and Markdown, never HTML."""
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    return jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


FORMATS: Mapping[Trainer, Format] = {
    "trl": Format(_trl, "python train.py", "trl, peft, datasets", ()),
    "llamafactory": Format(_llamafactory, "llamafactory-cli train train.yaml", "llamafactory", ()),
    "axolotl": Format(
        _axolotl,
        "axolotl train train.yaml",
        "axolotl, on a GPU",
        (
            "axolotl packs the documents itself: they stand in the same order, but sequences begin elsewhere, and the "
            "number of updates may differ by a few",
        ),
    ),
    "tinker": Format(
        _tinker,
        "python train.py",
        "tinker, and a key in TINKER_API_KEY",
        (
            "Tinker makes its adapter itself: other random numbers to begin with, and its own alpha",
            "only models that Tinker offers can be trained",
        ),
    ),
}
"""Trainer -> how it is told."""
