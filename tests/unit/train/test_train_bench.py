"""The training benchmark counts FLOPs, tokens and ratios rightly, and its pages run."""

import json
import subprocess
import sys
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.gemm import Ceiling
from benchmarks.training import __main__ as page
from benchmarks.training import comparison, data, gpu, rows
from benchmarks.training.arithmetic import Matrices, attention_flops, flops, matrices, unmade
from benchmarks.training.gpu_ours import trained
from benchmarks.training.gpu_shapes import SHAPES
from benchmarks.training.peer_clock import Clock
from benchmarks.training.running import BATCH, OURS, Round, reported
from benchmarks.training.table import Compared, compared, summary
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from midspec.experiment import TrainConfig
from midspec.records import ChatExample, read_rows
from midspec.train.chat import tokenise_chat
from midspec.train.weights import with_new_adapter

ROOT = Path(__file__).parents[3]
TINY = LlamaConfig(**SHAPES["tiny"].config)


def test_the_page_says_what_it_can_be_asked() -> None:
    command = [sys.executable, "-m", "benchmarks.training", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--stages" in said
    assert "--data" in said


def test_a_run_whose_every_update_would_be_left_out_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        page.parsed(["--updates", "2"])
    assert "--updates is 2; expected at least 3" in capsys.readouterr().err


def test_data_preparation_is_part_of_the_whole_run_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = data.Row(tokens=10_000, documents=20, seconds=0.5, worked=0.4, reading=0.1, added_mb=1.0)
    monkeypatch.setattr(data, "scaling", lambda: [row])
    monkeypatch.setattr(comparison, "compare", lambda *_: "the last line")
    table = "\n".join(data.table([row]))
    for given, expected in (
        (["--data"], f"{table}\n"),
        ([], f"{table}\nthe last line\n"),
        (["--quick"], "the last line\n"),
        (["--methods", "lora"], "the last line\n"),
    ):
        page.main(given)
        assert capsys.readouterr().out == expected


def test_weights_of_the_8b_shape_are_those_of_llama() -> None:
    shape = SHAPES["8b"]
    config = LlamaConfig(**shape.config)
    found = matrices(unmade(config), shape.rank)
    # meta-llama/Llama-3.1-8B has 8,030,261,248 parameters: these, the embeddings, and 65 norms.
    assert found == Matrices(inside=6_979_321_856, head=525_336_576, adapters=167_772_160)
    assert found.inside + 2 * found.head + 65 * 4096 == 8_030_261_248
    assert flops(found, "lora") == 4 * 7_504_658_432 + 6 * 167_772_160
    assert attention_flops(config, 4096) == 3_221_225_472


@pytest.mark.parametrize("method", ["lora", "full"])
def test_flops_are_those_that_pytorch_counts(method: Any) -> None:
    """Of a whole pass: forward, and backward to everything that trains."""
    rank, length = 8, 128
    model: Any = AutoModelForCausalLM.from_config(TINY, attn_implementation="eager")
    found = matrices(model, rank)
    if method == "lora":
        model = with_new_adapter(model, TrainConfig(rank=rank), seed=0)
        # Else the first layer would not ask for the gradient of its input.
        model.enable_input_require_grads()
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.arange(length)[None]).logits.float().logsumexp(-1).sum().backward()
    # Eager attention computes all pairs, and masks half of them.
    expected = length * (flops(found, method) + 2 * attention_flops(TINY, length))
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-3)


def test_the_head_is_counted_for_tokens_that_train() -> None:
    weights = Matrices(inside=1000, head=100, adapters=10)
    assert flops(weights, "lora", trained=0.5) == 4 * 1050 + 60
    assert flops(weights, "full", trained=0.5) == 6 * 1050


def report(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "tokens": [100, 100, 200, 300],
        "trained": [10, 10, 50, 75],
        "seconds": [60.0, 9.0, 2.0, 3.0],
        "worked": [99.0, 9.0, 4.0, 6.0],
        "losses": [4.0, 3.0, 2.0, 1.0],
        "peak_gb": 1.5,
    }
    return {**usual, **changes}


def test_the_first_updates_are_not_timed() -> None:
    assert reported(report()) == Round(
        speed=100.0, core_speed=50.0, peak_gb=1.5, loss=2.5, trained=0.25, tokens=250.0, predicted_gb=0.0
    )


def test_a_report_that_lacks_an_update_is_not_taken_for_a_fast_one() -> None:
    with pytest.raises(AssertionError, match="do not match"):
        reported(report(seconds=[60.0, 9.0, 2.0]))


def a_round(speed: float) -> Round:
    return Round(speed=speed, core_speed=speed / 2, peak_gb=1.0, loss=3.0, trained=0.5, tokens=2048.0)


def test_ratios_are_taken_within_a_round() -> None:
    """The ratio of medians would be 2.0 here, and tell of no round."""
    found = {OURS: [a_round(10.0), a_round(40.0), a_round(20.0)], "TRL": [a_round(10.0), a_round(10.0), a_round(4.0)]}
    ceilings = [Ceiling(1.0, 0.5), Ceiling(8.0, 4.0), Ceiling(1.0, 0.5)]
    result = compared(found, ceilings, Matrices(inside=1_000_000, head=0, adapters=0), "lora")
    assert result.ratios == {OURS: 1.0, "TRL": 4.0}
    assert result.share == pytest.approx(0.04)  # of 0.04, 0.02 and 0.08
    assert summary(result) == "ratio to TRL 4.00, ratio to LLaMA-Factory not measured, share of GEMM ceiling 0.04"


def test_the_last_line_speaks_of_nothing_that_was_not_measured() -> None:
    assert summary(None).count("not measured") == 3
    assert summary(Compared({"TRL": 2.0, "LLaMA-Factory": 1.5}, 0.5, [])) == (
        "ratio to TRL 2.00, ratio to LLaMA-Factory 1.50, share of GEMM ceiling 0.50"
    )


def test_everybody_trains_on_the_same_chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> None:
    monkeypatch.setattr(rows, "MODEL", "tiny-random")
    given = rows.chats(tmp_path, tokens=2000, length=512)
    examples = list(read_rows(Path(given["demonstrations"]) / "demonstrations.jsonl", ChatExample))
    said = [json.loads(line)["messages"] for line in Path(given["rows"]).read_text().splitlines()]
    assert said == [
        [{"role": message.role, "content": message.content} for message in example.messages] for example in examples
    ]
    sizes = [len(tokenise_chat(tokenizer, example.messages).input_ids) for example in examples]
    assert sum(sizes) >= 2000
    assert given["whole"] * sum(sizes) / len(sizes) == pytest.approx(BATCH * 512, rel=0.1)


class Takes(torch.nn.Module):
    """A model that does nothing."""

    def forward(self, **_: Any) -> None: ...


def test_a_peers_tokens_are_counted_without_padding() -> None:
    clock, model = Clock(), Takes()
    clock.on_train_begin(None, None, None, model=model)
    labels = torch.tensor([[-100, 5, 6, 7], [5, 6, -100, -100]])
    for mask in (torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]), None):
        clock.on_step_begin(None, None, None)
        model(input_ids=torch.ones(2, 4, dtype=torch.int64), labels=labels, attention_mask=mask)
        clock.on_step_end(None, None, None)
        clock.on_log(None, None, None, logs={"loss": 1.0})
    result = clock.result()
    assert result["tokens"] == [6, 8]
    assert result["trained"] == [4, 4]  # nothing predicts the first token of a row
    assert len(result["seconds"]) == len(result["worked"]) == 2


def test_our_part_of_the_gpu_page_runs_on_a_cpu() -> None:
    order = {"shape": "tiny", "device": "cpu", "batch": 2, "updates": 3, "learning_rate": 1e-4}
    found = trained(order)
    assert found["tokens"] == [256, 256, 256]
    assert found["trained"] == [254, 254, 254]
    assert found["losses"] == pytest.approx([log(512)] * 3, abs=0.1)  # of random tokens
    assert "activations kept" in found["how"]


def test_the_share_of_the_peak() -> None:
    """1,000 tokens a second at 0.4 and 0.1 GFLOP each, on a device of 2 TFLOP a second."""
    device = gpu.Device("cuda", "a device", product=1.0, sheet=2.0)
    (line,) = gpu.lines({OURS: [a_round(1000.0)]}, {OURS: "somehow"}, gpu.Work(4e8, 1e8), device)
    assert "MFU 0.200, with attention 0.250" in line
    (line,) = gpu.lines({OURS: [a_round(1000.0)]}, {OURS: "somehow"}, gpu.Work(4e8, 1e8), device._replace(sheet=None))
    assert "MFU 0.400, with attention 0.500" in line


def test_without_a_gpu_the_page_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stopped:
        gpu.main([])
    assert stopped.value.code == 2
    assert "sees no GPU here" in capsys.readouterr().err


@pytest.mark.slow
def test_the_gpu_page_compares_with_trl_on_a_cpu() -> None:
    command = [sys.executable, "-m", "benchmarks.training.gpu", "--shape", "tiny", "--rounds", "1", "--updates", "3"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ours, theirs = said.splitlines()[-2:]
    assert ours.split()[0] == OURS
    assert theirs.strip().startswith(gpu.PEER)
    assert all("MFU" in line and "loss 6." in line for line in (ours, theirs))
