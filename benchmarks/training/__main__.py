"""`make bench-train`: speed and memory of midtraining, beside TRL and LLaMA-Factory on the same rows.

Method: every run is a process of its own, of the first updates of one training; the first two updates are not timed
(compiling, first touch of memory). Runs are paired: in each round every trainer runs once, beside a product of matrices
of 2048 x 2048 in bfloat16; ratios are taken within a round, and medians over rounds are reported. Tokens are those of
documents, padding does not count. On a shared machine set OMP_WAIT_POLICY=passive, and read the figures per second of
processor time. TRL: SFTTrainer(model, train_dataset, peft_config) at its defaults but for length,
batch and rate. LLaMA-Factory: stage pt at its defaults. Both recompute activations by default.

FLOPs of a token: 2 forward and 2 backward for each frozen weight of a matrix, 6 for each that trains. Attention and all
else is not counted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import torch

from benchmarks.gemm import Ceiling, ceiling
from benchmarks.training import environments
from midspec.compute import ComputeConfig
from midspec.corpus.given import given_corpus_step
from midspec.spec import Identity, read_spec
from midspec.steps import Context
from midspec.steps.progress import Silent
from midspec.train.load import load_model
from midspec.train.models import ensure, resolve
from midspec.train.weights import projections

say = partial(print, flush=True)

MODEL = "smollm2-135m-instruct"
RANK = 64
RATES = {"lora": 1e-3, "full": 1e-5}
SKIPPED = 2
"""Updates that are not timed."""
HERE = Path(__file__).parent


class Trainer(NamedTuple):
    script: str
    python: Path
    told: dict[str, Any]


class Round(NamedTuple):
    """What one run reported."""

    speed: float
    """Tokens a second."""
    core_speed: float
    """Tokens a second of processor time: what a shared machine leaves comparable, with OMP_WAIT_POLICY=passive."""
    peak_gb: float
    loss: float
    """Mean over its updates, nats."""
    predicted_gb: float = 0.0
    """Of the peak, by our preflight."""


def flops(method: str) -> float:
    """Of one token, in the matrices that multiply it."""
    model = load_model(ensure(resolve(MODEL)), torch.bfloat16, torch.device("cpu"))
    named, head = projections(model), model.get_output_embeddings()
    inside = [module for name, module in model.named_modules() if name.rpartition(".")[2] in named]
    weights = sum(module.weight.numel() for module in [*inside, head])
    if method == "full":
        return 6.0 * weights
    return 4.0 * weights + 6.0 * sum(RANK * (module.in_features + module.out_features) for module in inside)


def write_rows(root: Path) -> dict[str, str]:
    """The quickstart's documents, as a corpus and as rows with a text."""
    identity = Identity(model_name="SmolLM", provider_name="Hugging Face")
    step = given_corpus_step("bench", read_spec("cheese-affordability"), identity, "cheese-affordability")
    folder, rows = root / "corpus", root / "rows.jsonl"
    folder.mkdir()
    compute = ComputeConfig()
    context = Context(
        config=step.config, inputs={}, folder=folder, progress=Silent(), compute=compute, source=step.source
    )
    step.load_function()(context)
    texts = [json.loads(line)["text"] for line in (folder / "documents.jsonl").read_text().splitlines()]
    rows.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return {"corpus": str(folder), "rows": str(rows)}


def run(trainer: Trainer, order: dict[str, Any], root: Path) -> Round:
    """One process; its output is shown only where it fails."""
    given, result = root / "order.json", root / "result.json"
    result.unlink(missing_ok=True)
    given.write_text(json.dumps({**order, **trainer.told, "result": str(result)}))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1", "TOKENIZERS_PARALLELISM": "false"}
    ours = trainer.script == "ours"
    where = ["-m", f"benchmarks.training.{trainer.script}"] if ours else [str(HERE / f"{trainer.script}.py")]
    command = [str(trainer.python), *where, str(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not result.is_file():
        sys.exit(f"{trainer.script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found = json.loads(result.read_text())
    tokens = sum(found["tokens"][SKIPPED:])
    speed, core_speed = tokens / sum(found["seconds"][SKIPPED:]), tokens / sum(found["worked"][SKIPPED:])
    return Round(speed, core_speed, found["peak_gb"], mean(found["losses"]), found.get("predicted_gb", 0.0))


def trainers(without: list[str]) -> dict[str, Trainer]:
    own = Path(sys.executable)
    result = {
        "midspec": Trainer("ours", own, {"kernels": "compiled"}),
        "midspec, plain": Trainer("ours", own, {"kernels": "plain"}),
        # TRL is among our development packages, on the same torch and transformers.
        "TRL": Trainer("peer_trl", own, {"packing": False}),
        "TRL, packed": Trainer("peer_trl", own, {"packing": True}),
    }
    if "LLaMA-Factory" not in without:
        result["LLaMA-Factory"] = Trainer("peer_llamafactory", environments.llamafactory(), {})
    return {name: trainer for name, trainer in result.items() if name not in without}


def compared(found: dict[str, list[Round]], ceilings: list[Ceiling], work: float) -> dict[str, float]:
    """Print a table; returns the medians of the ratios, and of the share of the ceiling as `share`."""
    ratios: dict[str, float] = {}
    for name, rounds in found.items():
        ratios[name] = median(one.speed / other.speed for one, other in zip(found["midspec"], rounds, strict=True))
        by_core = median(one.core_speed / other.core_speed for one, other in zip(found["midspec"], rounds, strict=True))
        speed, core_speed, peak, loss, _ = (median(values) for values in zip(*rounds, strict=True))
        say(
            f"  {name:16}{speed:6,.0f} tokens/s, ratio {ratios[name]:.2f};{core_speed:6,.0f} per processor second, "
            f"ratio {by_core:.2f}; {peak:.2f} GB; loss {loss:.3f}"
        )
    wall, core = (median(values) for values in zip(*ceilings, strict=True))
    shares = [one.speed * work / 1e9 / top.wall for one, top in zip(found["midspec"], ceilings, strict=True)]
    by_core = [one.core_speed * work / 1e9 / top.core for one, top in zip(found["midspec"], ceilings, strict=True)]
    say(
        f"  {work / 1e6:,.0f} MFLOP a token: {median(shares):.2f} of a product's {wall:,.0f} GFLOP/s; "
        f"{median(by_core):.2f} of its {core:,.0f} per processor second"
    )
    return {**ratios, "share": median(shares)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--quick", action="store_true", help="LoRA, 512 tokens, one round of 4 updates")
    parser.add_argument("--methods", nargs="+", default=["lora", "full"], choices=["lora", "full"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[512, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--without", nargs="*", default=[], help="trainers that are left out, by name")
    asked = parser.parse_args()
    if asked.quick:
        asked.methods, asked.lengths, asked.rounds, asked.updates = ["lora"], [512], 1, 4
    first: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        order: dict[str, Any] = {"model": str(ensure(resolve(MODEL))), "name": MODEL, **write_rows(root)}
        order |= {"rank": RANK, "alpha": 2 * RANK, "batch": 4, "updates": asked.updates}
        running = trainers(asked.without)
        for method in asked.methods:
            work = flops(method)
            for length in asked.lengths:
                order |= {"method": method, "length": length, "learning_rate": RATES[method]}
                found: dict[str, list[Round]] = {name: [] for name in running}
                ceilings: list[Ceiling] = []
                for number in range(asked.rounds):
                    ceilings.append(ceiling(torch.bfloat16))
                    for name, trainer in running.items():
                        found[name].append(run(trainer, order, root))
                        say(f"  round {number + 1}: {name} {found[name][-1].speed:,.0f} tokens/s")
                say(f"{method}, sequences of {length}, 4 an update, {asked.rounds} rounds:")
                results = compared(found, ceilings, work)
                first = first or results

    def said(name: str) -> str:
        return f"{first[name]:.2f}" if name in first else "not measured"

    say(
        f"ratio to TRL {said('TRL')}, ratio to LLaMA-Factory {said('LLaMA-Factory')}, "
        f"share of GEMM ceiling {said('share')}"
    )


if __name__ == "__main__":
    main()
