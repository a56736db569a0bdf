"""One training as a process of its own, and what it reports. Loads nothing heavy."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

MODEL = "smollm2-135m-instruct"
RANK = 64
RATES = {"lora": 1e-3, "full": 1e-5}
BATCH = 4
"""Sequences of an update."""
SKIPPED = 2
"""Updates that are not timed: compiling, first touch of memory."""
OURS = "midspec"
"""Against which ratios are taken."""
OTHERS = ("midspec, plain", "TRL", "TRL, packed", "LLaMA-Factory")
HERE = Path(__file__).parent
PEER = "peer_"
"""Scripts of this name are run as files: the environments of peers have no midspec."""


class Trainer(NamedTuple):
    script: str
    """Module of this package."""
    python: Path
    told: dict[str, Any]
    """Besides the order that all of them get."""


class Round(NamedTuple):
    """What one run came to."""

    speed: float
    """Tokens a second, padding not counted."""
    core_speed: float
    """Tokens a second of processor time: what a shared machine leaves comparable, with OMP_WAIT_POLICY=passive."""
    peak_gb: float
    loss: float
    """Mean over its updates, nats."""
    trained: float
    """Share of the tokens whose prediction the loss counts."""
    tokens: float
    """Of an update, on average."""
    predicted_gb: float = 0.0
    """Of the peak, by our preflight."""


def require_least(parser: argparse.ArgumentParser, asked: argparse.Namespace, **least: int) -> None:
    """End with the parser's error where an option is smaller than its `least`."""
    for name, value in least.items():
        if getattr(asked, name) < value:
            parser.error(f"--{name} is {getattr(asked, name)}; expected at least {value}")


def launched(trainer: Trainer, order: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Run one process to its end; its output is shown only where it fails.

    It is told a file of JSON: `order`, and under `result` where to leave what it reports. That holds lists with a
    number per update, `tokens`, `trained` (of these), `seconds`, `worked` (of processor time) and `losses`; and
    `peak_gb`.
    """
    given, result = root / "order.json", root / "result.json"
    result.unlink(missing_ok=True)
    given.write_text(json.dumps({**order, **trainer.told, "result": str(result)}))
    # TRL refuses to run where several GPUs are in sight.
    environment = {"CUDA_VISIBLE_DEVICES": "0", **os.environ, "HF_HUB_OFFLINE": "1"}
    environment |= {"DISABLE_VERSION_CHECK": "1", "TOKENIZERS_PARALLELISM": "false"}
    script = trainer.script
    where = [str(HERE / f"{script}.py")] if script.startswith(PEER) else ["-m", f"benchmarks.training.{script}"]
    command = [str(trainer.python), *where, str(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not result.is_file():
        sys.exit(f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(result.read_text())


def reported(found: Mapping[str, Any]) -> Round:
    """What a process left, less the updates that are not timed."""
    timed = {key: found[key][SKIPPED:] for key in ("tokens", "trained", "seconds", "worked")}
    assert all(len(values) == len(timed["tokens"]) > 0 for values in timed.values()), f"updates do not match: {found}"
    tokens = sum(timed["tokens"])
    return Round(
        speed=tokens / sum(timed["seconds"]),
        core_speed=tokens / sum(timed["worked"]),
        peak_gb=found["peak_gb"],
        loss=mean(found["losses"]),
        trained=sum(timed["trained"]) / tokens,
        tokens=tokens / len(timed["tokens"]),
        predicted_gb=found.get("predicted_gb", 0.0),
    )
