"""What one arm's training stages are, exactly, without running them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import get_scheduler

from midspec.errors import InputError
from midspec.experiment import TrainConfig
from midspec.pipeline import Pipeline
from midspec.steps.progress import Progress
from midspec.steps.step import Step
from midspec.steps.store import Store
from midspec.train.data import TrainingData
from midspec.train.load import load_tokenizer
from midspec.train.match import matched
from midspec.train.models import ModelRef, ensure
from midspec.train.packing import IGNORED, Packed
from midspec.train.preflight import schedule_updates
from midspec.train.step import stage_data


class Piece(NamedTuple):
    """Tokens that see only each other."""

    input_ids: list[int]
    labels: list[int]
    """The token itself where its prediction counts, else IGNORED; never the first of a piece."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training step of the arm."""

    folder: str
    """E.g. `1-midtrain`."""
    kind: str
    fingerprint: str
    """Of the step it is exported from."""
    model: ModelRef
    base: Path
    """The base model's folder on this machine."""
    parent: str | None
    """Folder of the stage whose weights it goes on with."""
    train: TrainConfig
    seed: int
    data: TrainingData
    updates: int
    warmup_updates: int

    @property
    def packed(self) -> Packed:
        """All sequences in training order."""
        return self.data.packed

    def rows(self) -> Iterator[dict[str, list[int]]]:
        """Per sequence, without padding: `input_ids`, `labels`, `position_ids` (0 where a piece begins)."""
        packed = self.packed
        for row, used in zip(packed.rows, packed.used.tolist(), strict=True):
            ids = row.input_ids[:used]
            yield {
                "input_ids": ids.tolist(),
                "labels": np.where(row.trained[:used], ids, IGNORED).tolist(),
                "position_ids": row.position_ids[:used].tolist(),
            }

    def pieces(self) -> Iterator[tuple[int, Piece]]:
        """(update, piece) in training order; updates count from 1."""
        for number, row in enumerate(self.rows()):
            starts = [place for place, position in enumerate(row["position_ids"]) if position == 0]
            for start, end in zip(starts, [*starts[1:], len(row["input_ids"])], strict=True):
                yield number // self.train.batch_size + 1, Piece(row["input_ids"][start:end], row["labels"][start:end])

    def learning_rates(self) -> list[float]:
        """Of every update, as Transformers' scheduler makes them."""
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=self.train.learning_rate)
        schedule: Any = get_scheduler(self.train.schedule, optimizer, self.warmup_updates, self.updates)
        rates: list[float] = []
        for _ in range(self.updates):
            rates.append(float(schedule.get_last_lr()[0]))
            optimizer.step()
            schedule.step()
        return rates


def stages_of(flow: Pipeline, store: Store, arm: str, seed: int, progress: Progress) -> list[Stage]:
    """The training stages of one arm and seed, first to last; the data they need must be made, their weights need not.

    Raises InputError for an unknown arm or seed, an arm that is not trained, or data that is not made.
    """
    if (arm, seed) not in flow.checkpoints:
        known = ", ".join(sorted({name for name, _ in flow.checkpoints}))
        seeds = ", ".join(str(number) for number in flow.experiment.seeds)
        raise InputError(f"arm {arm!r} with seed {seed} is not in this recipe; arms: {known}; seeds: {seeds}")
    lineage = flow.lineage(arm, seed)
    if not lineage:
        raise InputError(f"arm {arm!r} is the base model itself; expected an arm that is trained")
    stages: list[Stage] = []
    for number, step in enumerate(lineage, start=1):
        folder = f"{number}-{step.kind}"
        stages.append(_stage(step, folder, stages[-1].folder if stages else None, store, progress))
    return stages


def _stage(step: Step, folder: str, parent: str | None, store: Store, progress: Progress) -> Stage:
    config: Any = step.config
    inputs: dict[str, Path] = {}
    for role, upstream in step.inputs.items():
        if role == "parent":
            continue
        found = store.find(upstream)
        if found is None:
            raise InputError(
                f"{upstream.kind} {upstream.name}, which {step.kind} {step.name} trains on, is not made yet; "
                f"run first: midspec run RECIPE --only {upstream.kind}"
            )
        inputs[role] = found
    if step.kind == "midtrain":
        config = config.model_copy(update={"train": matched(config.train, inputs.get("match"))})
    base = ensure(config.model, progress)
    data = stage_data(config, inputs, load_tokenizer(config.model, base))
    updates, warmup = schedule_updates(len(data.packed), config.train)
    return Stage(
        folder=folder,
        kind=step.kind,
        fingerprint=step.fingerprint,
        model=config.model,
        base=base,
        parent=parent,
        train=config.train,
        seed=config.seed,
        data=data,
        updates=updates,
        warmup_updates=warmup,
    )
