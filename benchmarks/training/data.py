"""`python -m benchmarks.training.data`: what tokenising and packing takes as the data grows, in time and in memory.

Every figure is of a process of its own, of the code that prepares a midtraining step, on the quickstart's documents,
repeated under new ids. What is added is the largest resident size of the process less its size before, with libraries
and tokenizer loaded; it covers reading every batch back. The peak is Linux's VmHWM: `ru_maxrss` of a process
begins at that of the process that started it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.training.rows import documents
from benchmarks.training.running import MODEL
from midspec.experiment import TrainConfig
from midspec.records import Document, read_rows, write_rows
from midspec.train.config import MidtrainStepConfig
from midspec.train.data import count_tokens
from midspec.train.load import load_tokenizer
from midspec.train.models import ensure, resolve
from midspec.train.step import stage_data

say = partial(print, flush=True)

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
"""Tokens."""
LENGTH = 512
BATCH = 4


class Row(NamedTuple):
    """Of one size."""

    tokens: int
    documents: int
    seconds: float
    """Wall time of tokenising and packing."""
    worked: float
    """Processor seconds of it, over all threads."""
    reading: float
    """Wall time of reading every batch once."""
    added_mb: float
    """Peak of resident memory, less what the process held before."""


def scaling() -> list[Row]:
    """One row for each of SIZES."""
    ref = resolve(MODEL)
    tokenizer = load_tokenizer(ref, ensure(ref))
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        own = list(read_rows(Path(documents(Path(place))["corpus"]) / "documents.jsonl", Document))
        lengths = [count_tokens([document], tokenizer) for document in own]
        for tokens in SIZES:
            write_rows(Path(place) / "documents.jsonl", _repeated(own, lengths, tokens))
            command = [sys.executable, "-m", "benchmarks.training.data", place, str(tokens)]
            done = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{tokens:,} tokens failed:\n{done.stderr[-4000:]}")
            found.append(Row(**json.loads(done.stdout.splitlines()[-1])))
    return found


def _repeated(own: list[Document], lengths: list[int], tokens: int) -> Iterator[Document]:
    for number in count():
        if tokens <= 0:
            return
        yield own[number % len(own)].model_copy(update={"id": f"doc-{number:012x}"})
        tokens -= lengths[number % len(own)]


def table(rows: list[Row]) -> list[str]:
    """For the terminal."""
    head = "    tokens  documents  seconds  processor s    tokens/s  read back s  peak MB added"
    return [head] + [
        f"{row.tokens:10,}{row.documents:11,}{row.seconds:9.2f}{row.worked:13.2f}{row.tokens / row.seconds:12,.0f}"
        f"{row.reading:13.2f}{row.added_mb:15.1f}"
        for row in rows
    ]


def measured(corpus: Path, tokens: int) -> Row:
    """In this process, which should have done nothing else."""
    ref = resolve(MODEL)
    tokenizer = load_tokenizer(ref, ensure(ref))
    train = TrainConfig(sequence_length=LENGTH, batch_size=BATCH, tokens=tokens)
    config = MidtrainStepConfig(model=ref, train=train, seed=0)
    # Loading has peaked already; from here on the kernel counts anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory(dir=corpus) as work:
        begun, worked = time.perf_counter(), time.process_time()
        data = stage_data(config, {"corpus": corpus}, tokenizer, Path(work))
        seconds, worked = time.perf_counter() - begun, time.process_time() - worked
        begun = time.perf_counter()
        for start in range(0, len(data.packed), BATCH):
            data.packed.collate(list(range(start, min(start + BATCH, len(data.packed)))))
        reading = time.perf_counter() - begun
    assert data.packed.tokens == tokens
    return Row(tokens, data.rows, seconds, worked, reading, (_peak() - before) / 1e6)


def _peak() -> int:
    """Bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "needs Linux"
    return int(found[1]) * 1024


def main() -> None:
    if len(sys.argv) == 3:
        say(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]))._asdict()))
        return
    for line in table(scaling()):
        say(line)


if __name__ == "__main__":
    main()
