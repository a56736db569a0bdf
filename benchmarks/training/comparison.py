"""Trainers in turns, on the same rows of one stage."""

import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from benchmarks.gemm import Ceiling, ceiling
from benchmarks.training import environments, rows
from benchmarks.training.arithmetic import Method, matrices, unmade
from benchmarks.training.running import BATCH, MODEL, OURS, RANK, RATES, Round, Trainer, launched, reported
from benchmarks.training.table import Compared, compared, summary
from midspec.train.models import ensure, resolve

say = partial(print, flush=True)

MAIN = ("midtrain", "lora", 512)
"""Stage, method and length that the last line is about."""
COUNTED = {
    "midtrain": "the loss counts every token",
    "aft": "the loss counts the replies here and in LLaMA-Factory, and everything in TRL, where that is the default",
}


def trainers(without: Sequence[str]) -> dict[str, Trainer]:
    own = Path(sys.executable)
    result = {
        OURS: Trainer("ours", own, {"kernels": "compiled"}),
        "midspec, plain": Trainer("ours", own, {"kernels": "plain"}),
        # TRL is among our development packages, on the same torch and transformers.
        "TRL": Trainer("peer_trl", own, {"packing": False}),
        "TRL, packed": Trainer("peer_trl", own, {"packing": True}),
    }
    if "LLaMA-Factory" not in without:
        result["LLaMA-Factory"] = Trainer("peer_llamafactory", environments.llamafactory(), {})
    return {name: trainer for name, trainer in result.items() if name not in without}


def compare(
    stages: Sequence[str],
    methods: Sequence[Method],
    lengths: Sequence[int],
    rounds: int,
    updates: int,
    without: Sequence[str],
) -> str:
    """Print a table for each stage, method and length; returns the last line."""
    main: Compared | None = None
    folder = ensure(resolve(MODEL))
    weights = matrices(unmade(AutoConfig.from_pretrained(folder)), RANK)
    running = trainers(without)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        order: dict[str, Any] = {"model": str(folder), "name": MODEL, "rank": RANK, "alpha": 2 * RANK}
        order |= {"batch": BATCH, "updates": updates}
        documents = rows.documents(root) if "midtrain" in stages else {}
        for stage in stages:
            for length in lengths:
                # One update more than is trained: whole chats fill sequences nearly.
                tokens = (updates + 1) * BATCH * length
                given = documents if stage == "midtrain" else rows.chats(root, tokens, length)
                for method in methods:
                    order |= {**given, "method": method, "length": length, "learning_rate": RATES[method]}
                    found, ceilings = _rounds(running, order, rounds, root)
                    result = compared(found, ceilings, weights, method)
                    say(f"{stage}, {method}, {BATCH} sequences of {length}, {rounds} rounds; {COUNTED[stage]}:")
                    say("\n".join(result.lines))
                    main = result if (stage, method, length) == MAIN else main
    return summary(main)


def _rounds(
    running: dict[str, Trainer], order: dict[str, Any], rounds: int, root: Path
) -> tuple[dict[str, list[Round]], list[Ceiling]]:
    found: dict[str, list[Round]] = {name: [] for name in running}
    ceilings: list[Ceiling] = []
    for number in range(rounds):
        ceilings.append(ceiling(torch.bfloat16))
        for name, trainer in running.items():
            found[name].append(reported(launched(trainer, order, root)))
            say(f"  round {number + 1}: {name} {found[name][-1].speed:,.0f} tokens/s")
    return found, ceilings
