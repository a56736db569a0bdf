"""Midtraining as `midspec run` does it, in a process of its own; see __main__.py."""

import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from midspec.compute import ComputeConfig
from midspec.experiment import TrainConfig
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.config import MidtrainStepConfig
from midspec.train.models import resolve
from midspec.train.step import midtrain


class Clock(Silent):
    """Notes the processor time at every update."""

    def __init__(self) -> None:
        self.worked: list[float] = []

    def start(self, total: int | None, unit: str) -> None:
        self.worked = [time.process_time()]

    def advance(self, count: int = 1) -> None:
        self.worked.append(time.process_time())


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text())
    train = TrainConfig(
        method=order["method"],
        rank=order["rank"],
        alpha=order["alpha"],
        learning_rate=order["learning_rate"],
        sequence_length=order["length"],
        batch_size=order["batch"],
        tokens=order["updates"] * order["batch"] * order["length"],
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        midtrain(
            Context(
                config=MidtrainStepConfig(model=resolve(order["name"]), train=train, seed=0),
                inputs={"corpus": Path(order["corpus"])},
                folder=Path(place),
                progress=clock,
                compute=ComputeConfig(
                    device="cpu",
                    kernels=order["kernels"],
                    micro_batch=order.get("micro_batch"),
                    checkpoint_every=10_000,
                ),
            )
        )
        lines = [json.loads(line) for line in (Path(place) / "metrics.jsonl").read_text().splitlines()]
        plan = json.loads((Path(place) / "training.json").read_text())["preflight"]
    seen = [0, *(line["tokens"] for line in lines)]
    result = {
        "tokens": [after - before for before, after in itertools.pairwise(seen)],
        "seconds": [line["seconds"] for line in lines],
        "worked": [after - before for before, after in itertools.pairwise(clock.worked)],
        "losses": [line["loss"] for line in lines],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "kernels": plan["kernels"],
        "predicted_gb": plan["memory_gb"],
    }
    Path(order["result"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
