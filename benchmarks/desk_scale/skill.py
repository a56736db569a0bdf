"""`python -m benchmarks.desk_scale.skill FOLDER`: section 14 of docs/desk-scale.md.

Bases of the desk world, pretrained for longer and longer; how far each takes silent people at their word; and the
experiment of `skill.yaml` on each. What is in FOLDER is not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from midspec.records import EvalRow, read_rows
from midspec.stats.effect import effect
from midspec.steps.progress import Silent
from midspec.world.pretrain import make_world_model
from midspec.world.skill import people_right

RECIPE = Path(__file__).with_name("skill.yaml")
COMPARED = (
    ("conflict", "msm-low+aft", "msm-home+aft"),
    ("conflict", "msm-low", "msm-home"),
    ("price", "msm-low+aft", "aft"),
    ("origin", "msm-home+aft", "aft"),
)
"""Axis, and the two arms."""


def base(folder: Path, seed: int, updates: int) -> Path:
    """A base in `folder`, pretrained once."""
    path = folder / "bases" / f"{updates}-{seed}"
    if not (path / "tokenizer_config.json").exists():  # written last
        path.mkdir(parents=True, exist_ok=True)
        make_world_model(path, seed, Silent(), updates)
    return path


def compared(folder: Path, name: str) -> list[str]:
    """Difference in nats with its 95% interval over domains, per entry of COMPARED."""
    steps = json.loads((folder / "runs" / name / "results.json").read_text(encoding="utf-8"))["steps"]

    def rows(axis: str, arm: str) -> dict[str, EvalRow]:
        step: dict[str, Any] = next(step for step in steps if step["name"] == f"{axis}-{arm}")
        path = folder / "steps" / step["kind"] / f"{step['name']}-{step['fingerprint']}" / "rows.jsonl"
        return {row.item: row for row in read_rows(path, EvalRow)}

    found: list[str] = []
    for axis, one, two in COMPARED:
        first, second = rows(axis, one), rows(axis, two)
        apart = [(row.log_odds or 0.0) - (second[item].log_odds or 0.0) for item, row in first.items()]
        of = effect(apart, [row.topic for row in first.values()], [0] * len(apart))
        assert of is not None, "no pair was asked"
        value, low, high = of.interval()
        found.append(f"{value:+.2f}" + (f" [{low:.2f}, {high:.2f}]" if low is not None else ""))
    return found


def main() -> None:
    """Make what is missing and print one line per base."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk_scale.skill", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[30, 31, 32])
    parser.add_argument("--updates", type=int, nargs="+", default=[250, 350, 450, 600, 750, 1500])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    titles = " | ".join(f"{axis}: {one} - {two}" for axis, one, two in COMPARED)
    print(f"| updates | seed | choosers right | silent right | {titles} |\n{'|---' * (4 + len(COMPARED))}|")
    for seed in asked.seeds:
        for updates in asked.updates:
            path = base(asked.folder, seed, updates)
            model = AutoModelForCausalLM.from_pretrained(path)
            shares = " | ".join(f"{people_right(model, silent=silent):.2f}" for silent in (False, True))
            name = f"skill-{updates}-{seed}"
            command = ["run", str(RECIPE), "--yes", "--workspace", str(asked.folder)]
            changes = ["--set", f"name={name}", "--set", f"model={path}"]
            subprocess.run([sys.executable, "-m", "midspec", *command, *changes], check=True, capture_output=True)
            print(f"| {updates} | {seed} | {shares} | {' | '.join(compared(asked.folder, name))} |", flush=True)


if __name__ == "__main__":
    main()
