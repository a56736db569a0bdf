"""Midtraining or AFT as `midspec run` does it, in a process of its own; see __main__.py."""

import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from midspec.compute import ComputeConfig
from midspec.experiment import TrainConfig
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.config import FinetuneStepConfig, MidtrainStepConfig
from midspec.train.models import resolve
from midspec.train.step import finetune, midtrain


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
        folder = Path(place)
        shared: dict[str, Any] = {
            "folder": folder,
            "progress": clock,
            "compute": ComputeConfig(
                device="cpu",
                kernels=order["kernels"],
                micro_batch=order.get("micro_batch"),
                checkpoint_every=10_000,
            ),
        }
        model = resolve(order["name"])
        if order["stage"] == "midtrain":
            config = MidtrainStepConfig(model=model, train=train, seed=0)
            midtrain(Context(config=config, inputs={"corpus": Path(order["corpus"])}, **shared))
        else:
            config = FinetuneStepConfig(model=model, train=train, seed=0)
            finetune(Context(config=config, inputs={"demonstrations": Path(order["demonstrations"])}, **shared))
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        plan = json.loads((folder / "training.json").read_text())["preflight"]
    tokens = [after - before for before, after in itertools.pairwise([0, *(line["tokens"] for line in lines)])]
    # Whole chats fill sequences nearly: the last of them may be left for an update more, which is not a whole one.
    whole = slice(order["updates"])
    result = {
        "tokens": tokens[whole],
        "trained": [count * plan["trained_tokens"] / plan["tokens"] for count in tokens[whole]],
        "seconds": [line["seconds"] for line in lines][whole],
        "worked": [after - before for before, after in itertools.pairwise(clock.worked)][whole],
        "losses": [line["loss"] for line in lines][whole],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "kernels": plan["kernels"],
        "predicted_gb": plan["memory_gb"],
    }
    Path(order["result"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
