"""One training stage: Transformers' Trainer over packed sequences, with exact resume and a log line per update."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peft.helpers import disable_input_dtype_casting
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from midspec.compute import ComputeConfig
from midspec.errors import InputError, StepError
from midspec.experiment import Config, TrainConfig
from midspec.steps.progress import Progress
from midspec.train import checkpoints, distributed, kernels, trackers
from midspec.train.attention import BLOCK
from midspec.train.load import memory_kept, peft_warnings
from midspec.train.loss import headless, next_token_loss, require_isolation
from midspec.train.packing import Packed
from midspec.train.preflight import Preflight, memory_in_use

LOG = "metrics.jsonl"

KEPT_CHECKPOINTS = 2
"""While one is being written, an older one must be whole."""


class LogLine(Config):
    """One update, as in metrics.jsonl."""

    update: int
    """From 1."""
    tokens: int
    """Seen so far, without padding."""
    loss: float
    """Mean over the trained tokens of the batch, nats."""
    learning_rate: float
    """Used for this update."""
    grad_norm: float
    """Before clipping."""
    seconds: float
    """Wall time of this update."""
    tokens_per_second: float
    """Of this update, over all processes."""
    memory_gb: float
    """Of the first process: the most that was allocated on its GPU so far, or what it holds of main memory now."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the loop needs besides the model."""

    packed: Packed
    train: TrainConfig
    seed: int
    plan: Preflight
    folder: Path
    """Work folder: the log, and the checkpoints while it runs."""
    device: torch.device
    progress: Progress
    compute: ComputeConfig
    tracked: trackers.Tracked


def train_model(model: Any, run: Run) -> list[LogLine]:
    """Train `model` in place; returns the log of all updates, those of an interrupted earlier run included.

    Goes on from the last whole checkpoint in `run.folder`, with the same losses and weights as without interruption.
    Raises StepError when the loss is no longer a finite number, or the model cannot keep packed documents apart.
    """
    require_isolation(model)
    root = run.folder / checkpoints.FOLDER
    start = checkpoints.latest(root)
    log = _reopened_log(run.folder / LOG, start[0] if start else 0) if distributed.here().first else []
    run.progress.start(run.packed.tokens, "tokens")
    if log:
        run.progress.advance(log[-1].tokens)
    # PEFT would cast every input to the adapter's float32, and autocast back to bfloat16: 7% of an update for nothing.
    casting = disable_input_dtype_casting(model, active=run.train.precision == "bf16")
    by_parts = headless(model) if distributed.head_stays(run.compute) else nullcontext()
    with peft_warnings(), by_parts as head, casting, trackers.opened(run.tracked, root) as callbacks:
        trainer = _PackedTrainer(model, head, run, log, callbacks)
        with memory_kept(), kernels.applied(model, run.plan.kernels):
            trainer.train(resume_from_checkpoint=str(start[1]) if start else None)
    assert not distributed.here().first or len(log) == run.plan.updates, (
        f"{len(log)} updates were made, {run.plan.updates} were planned"
    )
    return log


def _reopened_log(path: Path, updates: int) -> list[LogLine]:
    """The lines up to the checkpoint that training goes on from; later ones will be written again."""
    lines: list[LogLine] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines()[:updates]:
            lines.append(LogLine.model_validate_json(line))
    assert len(lines) == updates, f"{path} has {len(lines)} lines, and the checkpoint is of update {updates}"
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines), encoding="utf-8")
    return lines


def arguments(run: Run) -> TrainingArguments:
    """The Trainer's settings. Everything that decides the result comes from `TrainConfig`.

    Raises InputError for bf16 on a device that has none.
    """
    if run.train.precision == "bf16" and run.device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise InputError(f"precision is bf16, and {torch.cuda.get_device_name()} has none; set precision: fp32")
    train, plan = run.train, run.plan
    known = {field.name for field in fields(TrainingArguments)}
    # Renamed within Transformers 5; the old name warns where the new one exists.
    checkpointing = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    settings: dict[str, Any] = {checkpointing: True, f"{checkpointing}_kwargs": {"use_reentrant": False}}
    result = TrainingArguments(
        **(settings if plan.checkpointing else {}),
        **distributed.settings(run.compute, train.precision),
        output_dir=str(run.folder / checkpoints.FOLDER),
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=train.batch_size // (plan.micro_batch * distributed.here().count),
        num_train_epochs=1,  # the packed data holds every epoch, each in its own order
        train_sampling_strategy="sequential",
        optim="adamw_torch_fused",
        learning_rate=train.learning_rate,
        weight_decay=train.weight_decay,
        lr_scheduler_type=train.schedule,
        warmup_steps=plan.warmup_updates,
        max_grad_norm=train.max_grad_norm,
        bf16=train.precision == "bf16",
        seed=run.seed,
        data_seed=run.seed,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy=SaveStrategy.STEPS,
        save_steps=run.compute.checkpoint_every,
        save_total_limit=None,  # see _PackedTrainer._save_checkpoint
        **trackers.settings(run.tracked),
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=run.device.type == "cpu",
        dataloader_pin_memory=run.device.type == "cuda",
    )
    # One process with several GPUs in sight would be given DataParallel, which splits the batch behind our back.
    assert result.device.type == run.device.type
    result._n_gpu = min(result.n_gpu, 1)  # pyright: ignore[reportPrivateUsage]
    return distributed.prepared(result, run.compute)


class _PackedTrainer(Trainer):
    """Trainer with our batches, loss and log."""

    def __init__(self, model: Any, head: Any, run: Run, log: list[LogLine], callbacks: list[TrainerCallback]) -> None:
        compiled = run.plan.kernels.layers == "compiled"
        rows = distributed.EvenlyShared(
            run.packed, run.plan.micro_batch * distributed.here().count, fixed_width=BLOCK if compiled else None
        )
        super().__init__(
            model=model,
            args=arguments(run),
            train_dataset=cast(Any, rows),
            data_collator=rows.collate,
            callbacks=[_Checks(run.plan), *callbacks],
        )
        self.remove_callback(PrinterCallback)
        # Tells the Trainer that the loss below is divided by the trained tokens of the whole batch.
        self.model_accepts_loss_kwargs = True
        self._head = head
        self._compiled = compiled
        self._run = run
        self._log = log
        per_update = np.add.reduceat(run.packed.used, np.arange(0, len(run.packed), run.train.batch_size))
        self._tokens = np.cumsum(per_update, dtype=np.int64)
        self._dtype = torch.bfloat16 if run.train.precision == "bf16" else torch.float32
        self._clock = time.monotonic()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Sum over this micro-batch, divided by the trained tokens of the whole batch."""
        assert num_items_in_batch is not None
        outputs = model(input_ids=inputs["input_ids"], position_ids=inputs["position_ids"], use_cache=False)
        loss = next_token_loss(outputs.logits, inputs["labels"], self._head, self._dtype, compiled=self._compiled)
        # Gradients are averaged over processes, and the divisor counts the tokens of all of them.
        loss = loss * self.accelerator.num_processes / num_items_in_batch
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write one line per update; what the Trainer says at the end of training is left out."""
        if "loss" not in logs or not self.is_world_process_zero():
            return
        now = time.monotonic()
        update = self.state.global_step
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs["grad_norm"]):
            raise StepError(
                f"update {update}: loss {logs['loss']}, gradient norm {logs['grad_norm']}; training has diverged. "
                f"Lower learning_rate ({self.args.learning_rate:g}), or set precision: fp32"
            )
        tokens = int(self._tokens[update - 1])
        new = tokens - (int(self._tokens[update - 2]) if update > 1 else 0)
        line = LogLine(
            update=update,
            tokens=tokens,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            grad_norm=logs["grad_norm"],
            seconds=round(now - self._clock, 4),
            tokens_per_second=round(new / (now - self._clock), 1),
            memory_gb=round(memory_in_use(self._run.device) / 1e9, 3),
        )
        self._clock = now
        with (self._run.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line.model_dump()) + "\n")
        self._run.progress.advance(new)
        self._run.progress.note(f"loss {line.loss:.2f}")
        self._log.append(line)
        shown = line.model_dump(exclude={"update"})
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, shown)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save, declare the checkpoint whole, and only then let go of older ones."""
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            # A checkpoint must not outlive the log lines that lead up to it.
            checkpoints.sync(self._run.folder / LOG)
            root = Path(cast(str, self.args.output_dir))
            checkpoints.mark_complete(root / f"checkpoint-{self.state.global_step}")
            checkpoints.keep_last(root, KEPT_CHECKPOINTS)


class _Checks(TrainerCallback):
    """What was asked is what runs; and no resumable checkpoint of the last update, whose result is written anyway."""

    def __init__(self, plan: Preflight) -> None:
        self._plan = plan

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Assert updates, batch size and recomputation of activations, which libraries have switched off silently."""
        plan = self._plan
        assert state.max_steps == plan.updates, f"{state.max_steps} updates, {plan.updates} planned"
        assert args.train_batch_size * args.gradient_accumulation_steps * args.world_size == plan.batch_size
        recomputing = any(getattr(module, "gradient_checkpointing", False) for module in kwargs["model"].modules())
        assert recomputing == plan.checkpointing, "gradient checkpointing is not as planned"

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Cancel the save of the last update, which the Trainer's own callback asks for."""
        if state.global_step >= state.max_steps:
            control.should_save = False
        return control
