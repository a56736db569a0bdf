"""`python -m benchmarks.likelihood [--pairs 800] [--precision fp32|bf16]`: likelihood scoring against a plain loop.

The task: 800 item pairs of the packaged banks, each asked in both orders, so 1,600 prompts with two replies each. The
loop is what one writes first: one forward pass per reply, 3,200 of them, on the same loaded model, in the same
precision, with tokens that are prepared outside of the clock. `score_replies` is timed whole, tokenising included.

Method: the prompts are dealt into chunks; on each chunk both are timed one after the other, the first one in turns, so
that what else the machine does falls on both. The ratio is that of the totals; the chunks show its spread. Numbers are
equal where the largest difference of any log-probability is within what the precision rounds away.
"""

import random
import time

import click
import torch

from midspec.evals.banks import load_bank, packaged_banks
from midspec.evals.likelihood import Encoded, encode, float32_head, score_replies
from midspec.evals.questions import likelihood_questions
from midspec.experiment import ComputeConfig
from midspec.train.load import load_for_inference
from midspec.train.models import resolve

Scores = list[tuple[float, ...]]
MODEL = "smollm2-135m-instruct"
ALLOWED = {"fp32": 2e-3, "bf16": 0.5}
"""Nats by which a summed log-probability may differ. In bfloat16 the order of a sum alone makes a few tenths."""


def one_by_one(model: torch.nn.Module, encoded: list[Encoded], bf16: bool) -> Scores:
    """One forward pass per reply: no batch, no padding, no mask, nothing shared."""
    scores: Scores = []
    with torch.no_grad(), float32_head(model), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for question in encoded:
            sums: list[float] = []
            for reply in question.replies:
                logits_lv = model(input_ids=torch.tensor([question.prompt + reply]), use_cache=False).logits[0]
                log_probs_lv = logits_lv.float().log_softmax(-1)
                start = len(question.prompt)
                sums.append(log_probs_lv[range(start - 1, start + len(reply) - 1), reply].sum().item())
            scores.append(tuple(sums))
    return scores


@click.command()
@click.option("--pairs", type=int, default=800, show_default=True)
@click.option("--chunks", type=int, default=4, show_default=True)
@click.option("--threads", type=int, default=2, show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="bf16", show_default=True)
def main(pairs: int, chunks: int, threads: int, precision: str) -> None:
    bf16 = precision == "bf16"
    model, tokenizer = load_for_inference(resolve(MODEL), None, ComputeConfig(device="cpu", threads=threads))
    draw = random.Random(0)
    items = [item for task, value in packaged_banks() if task == "preferences" for item in load_bank(task, value)]
    asked = [question for item in draw.sample(items, pairs) for question in likelihood_questions(item, "choice")]
    draw.shuffle(asked)
    warm = asked[:8]
    one_by_one(model, [encode(tokenizer, question) for question in warm], bf16)
    score_replies(model, tokenizer, warm, bf16=bf16)

    seconds = {"loop": 0.0, "batched": 0.0}
    largest, ratios, other_choices = 0.0, list[float](), 0
    for number in range(chunks):
        chunk = asked[number::chunks]
        encoded = [encode(tokenizer, question) for question in chunk]
        took, found = dict[str, float](), dict[str, Scores]()
        for name in ("loop", "batched") if number % 2 else ("batched", "loop"):
            begun = time.perf_counter()
            found[name] = (
                one_by_one(model, encoded, bf16)
                if name == "loop"
                else score_replies(model, tokenizer, chunk, bf16=bf16)
            )
            took[name] = time.perf_counter() - begun
            seconds[name] += took[name]
        ratios.append(took["batched"] / took["loop"])
        for plain, fast in zip(found["loop"], found["batched"], strict=True):
            largest = max(largest, *(abs(one - two) for one, two in zip(plain, fast, strict=True)))
            other_choices += (plain[0] > plain[1]) != (fast[0] > fast[1])
        print(
            f"chunk {number + 1}: {len(chunk)} prompts, loop {took['loop']:.1f} s, ratio {ratios[-1]:.3f}", flush=True
        )

    print(f"{pairs} pairs, both orders, {MODEL}, {precision}, {threads} threads")
    print(f"one forward pass per reply {seconds['loop']:8.1f} s")
    print(f"score_replies              {seconds['batched']:8.1f} s")
    spread = f"chunks {min(ratios):.3f} to {max(ratios):.3f}"
    print(f"ratio                      {seconds['batched'] / seconds['loop']:8.3f}   ({spread})")
    print(
        f"largest difference         {largest:8.2g} nats; {other_choices} of {len(asked)} prompts with another choice"
    )
    assert largest <= ALLOWED[precision], "the numbers differ"


if __name__ == "__main__":
    main()
