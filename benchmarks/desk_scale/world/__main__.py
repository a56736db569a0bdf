"""`python -m benchmarks.desk_scale.world FOLDER`: pretrain worlds, train every arm in them, show the tables.

Rows stand in FOLDER/rows-HALF.jsonl, one line per arm, seed, axis and domain; what is there is not run again. A seed is
a world of its own: other people, another base model, another midtraining and fine-tuning.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from benchmarks.desk_scale.world.experiment import Settings, run
from benchmarks.desk_scale.world.tables import tables

say = partial(print, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk_scale.world", description=__doc__)
    parser.add_argument("folder", type=Path, help="where bases and rows are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--half", choices=("dev", "test"), default="test", help="which held-out domains and names")
    parser.add_argument("--only", choices=("bases", "effect", "efficiency", "dose", "tables"), help="one part")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    if chosen.only != "tables":
        run(folder, chosen.seeds, chosen.half, Settings(), part=chosen.only, say=say)
    say(tables(folder / f"rows-{chosen.half}.jsonl"))


if __name__ == "__main__":
    main()
