"""Lend this machine to training runs of another one: `python -m midspec.train.join WORKSPACE NODE`.

Recipes with `compute.nodes` above 1 are run on one machine, node 0; every other machine waits with this command for
training steps in the shared workspace, starts its processes for each, and ends when it is told to.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from midspec.errors import MidspecError
from midspec.steps.progress import Silent
from midspec.train.launch import FOLDER, ORDERS, Orders, run_processes

LOOK = 1.0
"""Seconds between looks for new orders."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    about = "Lend this machine to training runs of another one."
    parser = argparse.ArgumentParser(prog="python -m midspec.train.join", description=about)
    parser.add_argument("workspace", type=Path, help="the --workspace of the run, under the same path as there")
    parser.add_argument("node", type=int, help="which machine this is: 1 to compute.nodes - 1")
    given = parser.parse_args(arguments)
    if given.node < 1:
        parser.error(f"node is {given.node}; node 0 is the machine that runs the recipe, expected 1 or more")
    served: set[str] = set()
    while True:
        for orders in new_orders(given.workspace, given.node, served):
            served.add(orders.id)
            print(f"node {given.node}: joining {orders.name}", file=sys.stderr, flush=True)
            try:
                run_processes(orders, node=given.node, progress=Silent())
            except MidspecError as error:
                print(f"node {given.node}: {error}", file=sys.stderr, flush=True)
        time.sleep(LOOK)


def new_orders(workspace: Path, node: int, served: set[str]) -> list[Orders]:
    """Orders in the workspace that need this machine and are not among the ids in `served`."""
    found: list[Orders] = []
    for path in sorted((workspace / "steps" / ".work").glob(f"*/{FOLDER}/{ORDERS}")):
        try:
            orders = Orders.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:  # it ended just now
            continue
        if orders.id not in served and node < orders.compute.nodes:
            found.append(orders)
    return found


if __name__ == "__main__":
    main()
