"""Midtraining's loop on a model of random weights, in a process of its own; see gpu.py."""

import itertools
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.training.gpu_shapes import SHAPES, made, random_rows
from benchmarks.training.ours import Clock
from midspec.compute import ComputeConfig
from midspec.experiment import TrainConfig
from midspec.train.data import TrainingData
from midspec.train.loop import Run, train_model
from midspec.train.packing import Piece, pack
from midspec.train.preflight import preflight
from midspec.train.trackers import Tracked
from midspec.train.weights import counts, with_new_adapter


def trained(order: dict[str, Any]) -> dict[str, Any]:
    """What `launched` reads, and `how` the preflight chose to run."""
    shape, device = SHAPES[order["shape"]], order["device"]
    train = TrainConfig(
        rank=shape.rank,
        alpha=2 * shape.rank,
        learning_rate=order["learning_rate"],
        sequence_length=shape.length,
        batch_size=order["batch"],
    )
    compute = ComputeConfig(device=device, checkpoint_every=10_000)
    rows = random_rows(shape, order["updates"] * order["batch"])
    counted = np.broadcast_to(np.True_, shape.length)
    packed = pack([[Piece(str(number), row, counted)] for number, row in enumerate(rows)], shape.length, pad_id=0)
    model = with_new_adapter(made(shape, device), train, seed=0)
    data = TrainingData(packed, epochs=1, rows=len(rows), tokens_per_epoch=packed.tokens)
    plan = preflight(data, train, compute, model, counts(model), torch.device(device))
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        log = train_model(
            model,
            Run(
                packed=packed,
                train=train,
                seed=0,
                plan=plan,
                folder=Path(place),
                device=torch.device(device),
                progress=clock,
                compute=compute,
                tracked=Tracked(trackers=(), name="bench", group="bench", folder=place, lineage={}),
            ),
        )
    return {
        "tokens": [after - before for before, after in itertools.pairwise([0, *(line.tokens for line in log)])],
        "trained": [plan.trained_tokens / plan.updates] * plan.updates,
        "seconds": [line.seconds for line in log],
        "worked": [after - before for before, after in itertools.pairwise(clock.worked)],
        "losses": [line.loss for line in log],
        "peak_gb": (
            torch.cuda.max_memory_allocated() / 1e9
            if device == "cuda"
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        ),
        "predicted_gb": plan.memory_gb,
        "how": f"{plan.micro_batch} at a time, activations {'recomputed' if plan.checkpointing else 'kept'}, "
        f"layers {plan.kernels.layers}",
    }


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    Path(order["result"]).write_text(json.dumps(trained(order)))
