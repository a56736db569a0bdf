"""The two training steps: `midtrain` on documents, `finetune` on chats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from midspec.errors import StepError
from midspec.instruct.step import ROWS as INSTRUCT_ROWS
from midspec.records import ChatExample, Document, read_rows
from midspec.steps.step import Context
from midspec.train import checkpoints
from midspec.train.chat import ends_turns, require_chat_template
from midspec.train.config import REPLAY_ROLE, FinetuneStepConfig, MidtrainStepConfig, ReplayedMidtrainStepConfig
from midspec.train.data import Replayed, TrainingData, demonstrations, finetuning_data, midtraining_data
from midspec.train.distributed import here, loading_device, whole_state
from midspec.train.launch import across_processes
from midspec.train.load import load_tokenizer, pick_device, release_memory
from midspec.train.loop import LogLine, Run, train_model
from midspec.train.match import matched
from midspec.train.models import ensure
from midspec.train.preflight import Preflight, preflight
from midspec.train.trackers import require, tracked
from midspec.train.weights import counts, save_checkpoint, trainable_model, weights_sha256

CHECKPOINT = "checkpoint"
RECORD = "training.json"
ORDER = "order.jsonl"
DOCUMENTS = "documents.jsonl"


@across_processes
def midtrain(context: Context) -> dict[str, Any]:
    """Train the base model on the documents of the input `corpus`, and of `replay` where it has one.

    See `_trained` for what it leaves and returns.
    """
    config: MidtrainStepConfig = context.config
    config = config.model_copy(update={"train": matched(config.train, context.inputs.get("match"))})
    return _trained(context, config)


@across_processes
def finetune(context: Context) -> dict[str, Any]:
    """Train on the chats of the inputs `demonstrations` and `instruct`, going on from the input `parent`.

    Raises InputError, before any training, for a model without a chat template.
    """
    return _trained(context, context.config)


def stage_data(
    config: MidtrainStepConfig | FinetuneStepConfig,
    inputs: Mapping[str, Path],
    tokenizer: Any,
    folder: Path | None = None,
) -> TrainingData:
    """What a training step sees, in its order; `inputs`: folders of its data steps, by role.

    `folder`: as in `midtraining_data`; every process that trains has files of its own. Raises InputError for data that
    cannot be trained on, e.g. chats and a model without a chat template.
    """
    if isinstance(config, MidtrainStepConfig):
        replay: Replayed | None = None
        if isinstance(config, ReplayedMidtrainStepConfig):
            replay = Replayed(read_rows(inputs[REPLAY_ROLE] / DOCUMENTS, Document), config.share)
        documents = read_rows(inputs["corpus"] / DOCUMENTS, Document)
        return midtraining_data(documents, tokenizer, config.train, config.seed, folder, replay)
    require_chat_template(tokenizer, config.model.name)
    sources: list[Iterator[ChatExample]] = []
    if source := inputs.get("demonstrations"):
        sources.append(demonstrations(source, cot=config.cot, samples=config.aft_samples))
    if source := inputs.get("instruct"):
        sources.append(read_rows(source / INSTRUCT_ROWS, ChatExample))
    result = finetuning_data(chain(*sources), tokenizer, config.train, config.seed, folder)
    if not ends_turns(tokenizer):
        result.warnings.append("the chat template ends no turn with a special token; the model will not learn to stop")
    return result


def _trained(context: Context, config: MidtrainStepConfig | FinetuneStepConfig) -> dict[str, Any]:
    """Leave `checkpoint/`, `metrics.jsonl`, `order.jsonl` and `training.json`; return the summary for the record."""
    try:
        return _train(context, config)
    finally:
        release_memory()


def _train(context: Context, config: MidtrainStepConfig | FinetuneStepConfig) -> dict[str, Any]:
    train, folder, parent = config.train, context.folder, context.inputs.get("parent")
    require(context.compute.trackers)
    device = pick_device(context.compute)
    base = ensure(config.model, context.progress)
    data = stage_data(config, context.inputs, load_tokenizer(config.model, base), folder)
    parent_checkpoint = parent / CHECKPOINT if parent else None
    placed = loading_device(device, base, context.compute)
    model = trainable_model(base, parent_checkpoint, train, config.seed, placed)
    plan = preflight(data, train, context.compute, model, counts(model), device)
    record: dict[str, Any] = {
        "preflight": plan.model_dump(),
        "model": config.model.model_dump(),
        "train": train.model_dump(),
        "seed": config.seed,
        "left_out": data.left_out,
        "parent": _parent_record(parent),
    }
    if here().first:
        (folder / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
        _write_order(data, train.batch_size, folder / ORDER)
    for line in plan.lines():
        context.progress.line(f"  {line}")
    if data.replayed_tokens:
        context.progress.line(f"  {data.replayed_tokens:,} of the tokens are replayed general text")

    log = train_model(
        model,
        Run(
            packed=data.packed,
            train=train,
            seed=config.seed,
            plan=plan,
            folder=folder,
            device=device,
            progress=context.progress,
            compute=context.compute,
            tracked=tracked(context),
        ),
    )
    state = whole_state(model)
    if not here().first:
        return {}
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    record["sha256"] = save_checkpoint(model, folder / CHECKPOINT, config.model, state)
    if parent_checkpoint and record["sha256"] == record["parent"]["sha256"]:
        raise StepError(
            "training changed no weight: the checkpoint equals its parent; look at learning_rate and the data"
        )
    (folder / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
    return _summary(plan, log, record, data)


def _summary(plan: Preflight, log: list[LogLine], record: dict[str, Any], data: TrainingData) -> dict[str, Any]:
    # Few updates are not among the warnings: the report says so of all steps together, from `updates`.
    parent = record["parent"]
    return {
        "tokens": plan.tokens,
        **({"replayed_tokens": data.replayed_tokens} if data.replayed_tokens else {}),
        "trained_tokens": plan.trained_tokens,
        "updates": plan.updates,
        "epochs": plan.epochs,
        "seconds_per_update": round(sum(line.seconds for line in log) / len(log), 3),
        "first_loss": log[0].loss,
        "last_loss": log[-1].loss,
        "parameters": plan.parameters,
        "trainable": plan.trainable,
        "warnings": data.warnings,
        "parent_sha256": parent["sha256"] if parent else None,
        "sha256": record["sha256"],
    }


def _parent_record(parent: Path | None) -> dict[str, str] | None:
    return {"step": parent.name, "sha256": weights_sha256(parent / CHECKPOINT)} if parent else None


def _write_order(data: TrainingData, batch_size: int, path: Path) -> None:
    """Which documents or chats each update saw: a link of the chain from a passage of the spec to the weights."""
    ids = data.packed.ids
    with path.open("w", encoding="utf-8") as file:
        for update, start in enumerate(range(0, len(ids), batch_size), start=1):
            batch = (ids[number] for number in range(start, min(start + batch_size, len(ids))))
            seen = list(dict.fromkeys(id for sequence in batch for id in sequence))
            file.write(json.dumps({"update": update, "ids": seen}) + "\n")
