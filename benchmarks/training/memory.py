"""`python -m benchmarks.training.memory`: peak memory of midtraining beside what its preflight predicts.

Every figure is of a process of its own, of two updates of the real step; the peak is the process's largest resident
size, loading and compiling included.
"""

import sys
import tempfile
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.training.rows import documents
from benchmarks.training.running import BATCH, MODEL, RANK, RATES, SKIPPED, Trainer, launched, reported

GRID = tuple(product(("lora", "full"), ("compiled", "plain"), ((512, 1), (512, 4), (2048, 1), (2048, 2))))


def main() -> None:
    say = partial(print, flush=True)
    say("method  kernels   length  at a time  predicted GB  peak GB  error")
    worst = 0.0
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        order: dict[str, Any] = {"name": MODEL, **documents(root), "rank": RANK, "alpha": 2 * RANK, "batch": BATCH}
        for method, kernels, (length, micro) in GRID:
            order |= {"method": method, "length": length, "learning_rate": RATES[method], "updates": SKIPPED + 1}
            told = {"kernels": kernels, "micro_batch": micro}
            found = reported(launched(Trainer("ours", Path(sys.executable), told), order, root))
            error = found.predicted_gb / found.peak_gb - 1
            worst = max(worst, abs(error))
            say(
                f"{method:8}{kernels:10}{length:6}{micro:11}{found.predicted_gb:14.2f}{found.peak_gb:9.2f}{error:+7.0%}"
            )
    say(f"largest error {worst:.0%}")


if __name__ == "__main__":
    main()
