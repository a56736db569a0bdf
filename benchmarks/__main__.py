"""`make bench`: how fast the parts are on this machine, beside what its matrix products allow.

Method: each figure is the median of two runs of the real step function, after one warm-up, on one process. Training
counts tokens of whole updates after the first; scoring counts prompts; nothing is cached between runs.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.gemm import gemm
from midspec.corpus.step import corpus_step
from midspec.evals.config import evaluate_step
from midspec.experiment import ComputeConfig, CorpusConfig, EvalConfig, TrainConfig, WriterConfig
from midspec.spec import Identity, read_spec
from midspec.steps import Context, Step
from midspec.steps.progress import Silent
from midspec.train.config import midtrain_step
from midspec.train.models import ensure, resolve

say = partial(print, flush=True)

MODEL = "smollm2-135m-instruct"
RUNS = 2


def run(step: Step, folder: Path, inputs: dict[str, Path]) -> dict[str, object]:
    folder.mkdir(parents=True)
    context = Context(
        config=step.config, inputs=inputs, folder=folder, progress=Silent(), compute=ComputeConfig(), source=step.source
    )
    return dict(step.load_function()(context))


def median(measure: Callable[[int], float]) -> float:
    measure(0)
    return statistics.median(measure(number) for number in range(1, RUNS + 1))


def main() -> None:
    model = resolve(MODEL)
    ensure(model)
    spec, identity = read_spec("cheese-america"), Identity(model_name="SmolLM", provider_name="Hugging Face")
    offline = WriterConfig(model="offline")
    config = CorpusConfig(documents=320, document_types=40, ideas=4)
    corpus = corpus_step("bench", spec, identity, offline, config)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)

        def documents(number: int) -> float:
            begun = time.perf_counter()
            run(corpus, root / f"corpus-{number}", {})
            return 320 / (time.perf_counter() - begun)

        say(f"offline writer            {median(documents):10,.0f} documents/s")
        for length in (256, 512):
            config = TrainConfig(sequence_length=length, batch_size=8, tokens=length * 8 * 4, learning_rate=1e-3)
            step = midtrain_step("bench", model, config, 0, corpus)

            def tokens(number: int, step: Step = step, length: int = length) -> float:
                folder = root / f"midtrain-{length}-{number}"
                run(step, folder, {"corpus": root / "corpus-0"})
                lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
                return (len(lines) - 1) * length * 8 / sum(line["seconds"] for line in lines[1:])

            say(f"midtrain LoRA r64, {length:>4} x 8{median(tokens):10,.0f} tokens/s")
        evaluation = evaluate_step(
            "bench", model, EvalConfig(task="opinions", value="america", form="open", limit=42), None
        )

        def pairs(number: int) -> float:
            begun = time.perf_counter()
            summary = run(evaluation, root / f"eval-{number}", {})
            return float(str(summary["items"])) / (time.perf_counter() - begun)

        say(f"open opinion pairs        {median(pairs):10.1f} pairs/s, loading included")
    say(f"matrix product, bf16      {gemm(torch.bfloat16):10,.0f} GFLOP/s")
    say(f"matrix product, float32   {gemm(torch.float32):10,.0f} GFLOP/s")


if __name__ == "__main__":
    main()
