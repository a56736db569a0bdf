"""`make bench-train`: speed and memory of midtraining and AFT, beside TRL and LLaMA-Factory on the same rows.

Method: every run is a process of its own, of the first updates of one training; the first two updates are not timed
(compiling, first touch of memory). Runs are paired: in each round every trainer runs once, beside a product of matrices
of 2048 x 2048 in bfloat16; ratios are taken within a round, and medians over rounds are reported. Tokens are those of
documents or of rendered chats, padding does not count. Peers' clocks stand still between updates, ours does not. On a
shared machine set OMP_WAIT_POLICY=passive, and read the figures per second of processor time.

Midtraining: the quickstart's documents. TRL: SFTTrainer(model, train_dataset, peft_config) on rows with a `text`, at
its defaults but for length, batch and rate. LLaMA-Factory: stage pt at its defaults.
AFT: preference demonstrations as the quickstart's own step writes them, by the model's own chat template. TRL:
SFTTrainer on rows with `messages`, whose loss by default counts all of a chat. LLaMA-Factory: stage sft at its
defaults, whose loss counts replies, as ours does. Neither packs chats by default: an update of theirs is of as many
whole chats as have the tokens of ours, padded to the longest.
Both peers recompute activations by default.

FLOPs of a token: 2 forward and 2 backward for each frozen weight of a matrix, 6 for each that trains; the head is for
tokens whose prediction the loss counts. Attention and all else is not counted.
"""

import argparse
from collections.abc import Sequence
from functools import partial

from benchmarks.training.running import OTHERS, SKIPPED, require_least

STAGES = ["midtrain", "aft"]
METHODS = ["lora", "full"]
LENGTHS = [512, 2048]


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description="Training beside TRL and LLaMA-Factory on the same rows."
    )
    parser.add_argument("--quick", action="store_true", help="LoRA, 512 tokens, one round of 4 updates")
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS, help="tokens of a sequence")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8, help=f"of each run; the first {SKIPPED} are not timed")
    parser.add_argument(
        "--without", nargs="*", default=[], choices=OTHERS, metavar="NAME", help=f"leave out, of {list(OTHERS)}"
    )
    parser.add_argument(
        "--data",
        action="store_true",
        help="only how tokenising and packing scales; also part of a run of all stages, methods and lengths",
    )
    asked = parser.parse_args(given)
    if asked.quick:
        asked.methods, asked.lengths, asked.rounds, asked.updates = ["lora"], [512], 1, 4
    require_least(parser, asked, rounds=1, updates=SKIPPED + 1)
    return asked


def main(given: Sequence[str] | None = None) -> None:
    asked = parsed(given)
    say = partial(print, flush=True)
    if asked.data or (asked.stages, asked.methods, asked.lengths) == (STAGES, METHODS, LENGTHS):
        from benchmarks.training.data import scaling, table

        say("\n".join(table(scaling())))
    if not asked.data:
        from benchmarks.training.comparison import compare

        say(compare(asked.stages, asked.methods, asked.lengths, asked.rounds, asked.updates, asked.without))


if __name__ == "__main__":
    main()
