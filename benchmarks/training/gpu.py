"""`python -m benchmarks.training.gpu`: LoRA on an 8B-shaped model in sequences of 4,096 tokens, beside TRL with Liger.

The model has the shape of Llama-3.1-8B and random weights in bfloat16, drawn on the device; rank-64 adapters are on all
linear layers of its decoder. Rows are random tokens, each as long as a sequence. Every run is a process of its own; in
each round every trainer runs once, and medians over rounds are shown. The first updates are not timed.

MFU: FLOPs that the model needs (2 forward and 2 backward for each frozen weight and token, 6 for each of an adapter;
attention is said apart; what is computed again does not count) over what the device's data sheet promises; of other
devices, over a measured product of matrices. `--shape tiny` runs the same in seconds anywhere, and says nothing about
speed.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from transformers import LlamaConfig

from benchmarks.gemm import ceiling
from benchmarks.training.arithmetic import PEAKS, attention_flops, flops, matrices, unmade
from benchmarks.training.gpu_shapes import SHAPES, Shape
from benchmarks.training.running import OURS, SKIPPED, Round, Trainer, launched, reported, require_least

PEER = "TRL + Liger"
SCRIPTS = {OURS: "gpu_ours", PEER: "gpu_trl"}
SIZES = {"cuda": 16_384, "cpu": 1024}
"""Of the product that shows what a device reaches."""


class Device(NamedTuple):
    kind: str
    name: str
    product: float
    """TFLOP a second that a product of matrices reaches in bfloat16."""
    sheet: float | None
    """TFLOP a second by its data sheet; None = not known here."""

    @property
    def peak(self) -> float:
        """What MFU is a share of."""
        return self.sheet or self.product

    def line(self) -> str:
        size = SIZES[self.kind]
        promised = f"{self.sheet:,.0f} TFLOP/s by its data sheet" if self.sheet else "no data sheet known"
        return f"{self.name}: {promised}; a product of {size} x {size} in bfloat16 reaches {self.product:,.2f}"


class Work(NamedTuple):
    """FLOPs per token."""

    matrices: float
    attention: float


def work(shape: Shape) -> Work:
    config = LlamaConfig(**shape.config)
    return Work(flops(matrices(unmade(config), shape.rank), "lora"), attention_flops(config, shape.length))


def device() -> Device:
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if kind == "cuda" else "CPU"
    product = ceiling(torch.bfloat16, SIZES[kind], kind).wall / 1e3
    if kind == "cuda":
        torch.cuda.empty_cache()
    return Device(kind, name, product, PEAKS.get(name))


def lines(found: Mapping[str, Sequence[Round]], how: Mapping[str, str], work: Work, device: Device) -> list[str]:
    """One for each trainer; ratios are taken within a round."""
    result: list[str] = []
    for name, rounds in found.items():
        ratio = median(own.speed / other.speed for own, other in zip(found[OURS], rounds, strict=True))
        one = Round(*(median(values) for values in zip(*rounds, strict=True)))
        share, whole = (one.speed * each / 1e12 / device.peak for each in (work.matrices, sum(work)))
        result.append(
            f"  {name:12}{one.speed:9,.0f} tokens/s, ratio {ratio:.2f}; MFU {share:.3f}, with attention {whole:.3f}; "
            f"{one.peak_gb:.2f} GB; loss {one.loss:.3f}; {how[name]}"
        )
    return result


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.gpu", description="LoRA on an 8B-shaped model, beside TRL with Liger."
    )
    parser.add_argument("--shape", default="8b", choices=SHAPES, help="tiny: seconds on a CPU, to try the script")
    parser.add_argument("--batch", type=int, default=4, help="sequences of an update")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--updates", type=int, default=10, help=f"of each run; the first {SKIPPED} are not timed")
    parser.add_argument("--without", nargs="*", default=[], choices=[PEER], help="trainers that are left out")
    asked = parser.parse_args(given)
    require_least(parser, asked, batch=1, rounds=1, updates=SKIPPED + 1)
    return asked


def main(given: Sequence[str] | None = None) -> None:
    asked = parsed(given)
    say = partial(print, flush=True)
    running = {name: script for name, script in SCRIPTS.items() if name not in asked.without}
    gpu = torch.cuda.is_available()
    if not gpu and asked.shape != "tiny":
        refuse(f"PyTorch sees no GPU here, and the shape {asked.shape} needs one; --shape tiny runs on a CPU.")
    if gpu and PEER in running and find_spec("liger_kernel") is None:
        refuse(f"{PEER} needs the package liger-kernel: pip install liger-kernel, or pass --without '{PEER}'.")
    here, shape = device(), SHAPES[asked.shape]
    needed = work(shape)
    say(here.line())
    say(
        f"{asked.shape}, LoRA of rank {shape.rank}, updates of {asked.batch} x {shape.length} tokens, {asked.rounds} "
        f"rounds; FLOPs a token: {needed.matrices / 1e9:.4g} G in matrices, {needed.attention / 1e9:.4g} G in attention"
    )
    order = {"shape": asked.shape, "device": here.kind, "batch": asked.batch, "updates": asked.updates}
    order["learning_rate"] = 1e-4
    found: dict[str, list[Round]] = {name: [] for name in running}
    how: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(asked.rounds):
            for name, script in running.items():
                result = launched(Trainer(script, Path(sys.executable), {}), order, Path(place))
                found[name].append(reported(result))
                how[name] = result["how"]
    say("\n".join(lines(found, how, needed, here)))


def refuse(why: str) -> None:
    print(why, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
