"""Both training steps, run as the pipeline runs them, on tiny-random."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from train_doubles import (
    chat,
    document,
    finetune_context,
    losses,
    midtrain_context,
    small,
    write_corpus,
    write_demonstrations,
)

from midspec.errors import InputError, StepError
from midspec.experiment import ComputeConfig
from midspec.records import write_rows
from midspec.train.load import load_for_inference, load_model
from midspec.train.models import ensure, resolve
from midspec.train.preflight import largest_divisor
from midspec.train.step import finetune, midtrain
from midspec.train.weights import trainable_model, weights_sha256

CPU = torch.device("cpu")
ADAPTER = "checkpoint/adapter_model.safetensors"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demonstrations(tmp_path_factory.mktemp("demonstrations"))


@pytest.fixture(scope="module")
def midtrained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("midtrained") / "msm-seed0-0123"
    return folder, midtrain(midtrain_context(folder, corpus, small()))


def test_what_a_step_leaves_and_says(midtrained: tuple[Path, dict[str, Any]]) -> None:
    # Guards: optimizer state and Trainer folders kept by the gigabyte; pickles beside the weights.
    folder, summary = midtrained
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "checkpoint/adapter_config.json",
        ADAPTER,
        "metrics.jsonl",
        "order.jsonl",
        "training.json",
    ]
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in log] == list(range(1, summary["updates"] + 1))
    assert log[-1]["tokens"] == summary["tokens"] and summary["first_loss"] == log[0]["loss"]
    assert summary["last_loss"] < summary["first_loss"]
    assert summary["trainable"] == sum(t.numel() for t in load_file(folder / ADAPTER).values())
    assert summary["sha256"] == weights_sha256(folder / "checkpoint")
    assert not summary["warnings"]
    json.dumps(summary)


def test_the_order_names_every_document(midtrained: tuple[Path, dict[str, Any]]) -> None:
    # Guards: a number in a report that cannot be followed back to the texts an update saw.
    folder, summary = midtrained
    lines = [json.loads(line) for line in (folder / "order.jsonl").read_text().splitlines()]
    assert len(lines) == summary["updates"]
    assert {id for line in lines for id in line["ids"]} == {document(number).id for number in range(30)}


def test_no_machine_path_is_in_a_checkpoint(midtrained: tuple[Path, dict[str, Any]], model_cache: Path) -> None:
    # Guards: equal weights with unequal files, and a user's home folder published with an adapter.
    config = (midtrained[0] / "checkpoint" / "adapter_config.json").read_text()
    assert str(model_cache) not in config and str(Path.home()) not in config
    assert json.loads(config)["base_model_name_or_path"] == "tiny-random"


def test_another_process_makes_the_same_bytes(
    midtrained: tuple[Path, dict[str, Any]], corpus: Path, tmp_path: Path
) -> None:
    # Guards: unseeded LoRA initialisation, and the order of a set (PEFT's target modules) in the config file.
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1)\n"
        "from train_doubles import *; from midspec.train.step import midtrain\n"
        "midtrain(midtrain_context(Path(sys.argv[1]), Path(sys.argv[2]), small()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "again"), str(corpus)], check=True, env=environment)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        first, again = (folder / "checkpoint" / name for folder in (midtrained[0], tmp_path / "again"))
        assert first.read_bytes() == again.read_bytes(), name


def test_another_seed_gives_other_weights(
    midtrained: tuple[Path, dict[str, Any]], corpus: Path, tmp_path: Path
) -> None:
    summary = midtrain(midtrain_context(tmp_path / "s", corpus, small(), seed=1))
    assert summary["sha256"] != midtrained[1]["sha256"]


def test_lora_moves_every_adapter_weight_and_nothing_else(tiny_folder: Path, corpus: Path, tmp_path: Path) -> None:
    # Guards: projections that were not adapted, a frozen adapter, a base that moves.
    start = trainable_model(tiny_folder, None, small(), 0, CPU)
    before = {
        name.replace(".default.", "."): parameter.detach().clone()
        for name, parameter in start.named_parameters()
        if parameter.requires_grad
    }
    midtrain(midtrain_context(tmp_path / "s", corpus, small()))
    after = load_file(tmp_path / "s" / ADAPTER)
    assert after.keys() == before.keys()
    assert all(not torch.equal(after[name], before[name]) for name in before)
    projections = {name.split(".lora_")[0].rpartition(".")[2] for name in after}
    assert projections == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    base = load_model(tiny_folder, torch.bfloat16, CPU).state_dict()
    frozen = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): parameter
        for name, parameter in start.named_parameters()
        if not parameter.requires_grad
    }
    assert all(torch.equal(base[name], parameter) for name, parameter in frozen.items())


def test_full_training_moves_every_weight(
    tiny_folder: Path, corpus: Path, demonstrations: Path, tmp_path: Path
) -> None:
    # Guards: layers left out of the optimizer, a parent that is not gone on with.
    train = small(method="full", precision="fp32")
    first = midtrain(midtrain_context(tmp_path / "mid", corpus, train))
    before = load_file(tiny_folder / "model.safetensors")
    after = load_file(tmp_path / "mid" / "checkpoint" / "model.safetensors")
    assert after.keys() == before.keys()
    assert all(not torch.equal(after[name], before[name]) for name in before)
    assert first["trainable"] == first["parameters"]

    second = finetune(
        finetune_context(
            tmp_path / "fin",
            train.model_copy(update={"sequence_length": 256}),
            parent=tmp_path / "mid",
            demonstrations=demonstrations,
        )
    )
    assert second["parent_sha256"] == first["sha256"] != second["sha256"]
    model, _ = load_for_inference(resolve("tiny-random"), tmp_path / "fin" / "checkpoint", ComputeConfig(device="cpu"))
    final = load_file(tmp_path / "fin" / "checkpoint" / "model.safetensors")
    assert torch.equal(model.model.embed_tokens.weight, final["model.embed_tokens.weight"])


def test_finetuning_continues_the_very_adapter(
    midtrained: tuple[Path, dict[str, Any]], demonstrations: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    # Guards: an adapter silently initialised anew (PAPER.md, 5.24), or merged and begun again.
    parent, _ = midtrained
    tensors = load_file(parent / ADAPTER)
    start = trainable_model(tiny_folder, parent / "checkpoint", small(), 5, CPU)
    loaded = {n.replace(".default.", "."): p for n, p in start.named_parameters() if p.requires_grad}
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)

    train = small(sequence_length=256)
    with warnings.catch_warnings():
        # Guards: PEFT asking the Hub for a config at every checkpoint, which behind a firewall takes minutes; with
        # the Hub switched off it says that it found none.
        warnings.filterwarnings("error", message="Could not find a config file")
        summary = finetune(
            finetune_context(tmp_path / "f", train, checkpoint_every=1, parent=parent, demonstrations=demonstrations)
        )
    assert summary["updates"] > 1
    assert summary["parent_sha256"] == midtrained[1]["sha256"]
    record = json.loads((tmp_path / "f" / "training.json").read_text())
    assert record["parent"] == {"step": parent.name, "sha256": summary["parent_sha256"]}
    after = load_file(tmp_path / "f" / ADAPTER)
    flat = [torch.cat([t.flatten() for t in part.values()]) for part in (tensors, after)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.9, "another adapter altogether"
    assert not torch.equal(*flat)


def test_a_damaged_parent_is_refused_before_training(
    midtrained: tuple[Path, dict[str, Any]], tiny_folder: Path, tmp_path: Path
) -> None:
    # Guards: PEFT leaves tensors that a file lacks at their random initial values, with no more than a warning.
    parent = tmp_path / "checkpoint"
    parent.mkdir()
    source = midtrained[0] / "checkpoint"
    (parent / "adapter_config.json").write_bytes((source / "adapter_config.json").read_bytes())
    tensors = load_file(source / "adapter_model.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, parent / "adapter_model.safetensors")
    with pytest.raises(StepError, match="1 tensors are in only one"):
        trainable_model(tiny_folder, parent, small(), 0, CPU)


@pytest.mark.parametrize(("change", "value"), [("rank", 8), ("alpha", 16), ("dropout", 0.5)])
def test_a_parent_of_another_shape_is_an_input_error(
    change: str, value: float, midtrained: tuple[Path, dict[str, Any]], tiny_folder: Path
) -> None:
    # Guards: a recipe whose finetune.rank is ignored because the parent's is used.
    with pytest.raises(InputError, match=f"finetune.{change} is {value} and midtrain.{change} was"):
        trainable_model(tiny_folder, midtrained[0] / "checkpoint", small(**{change: value}), 0, CPU)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_micro_batches_do_not_change_the_result(precision: str, corpus: Path, tmp_path: Path) -> None:
    # Guards: a mean of means over micro-batches, which weighs short ones more; the last, smaller batch most of all.
    train = small(precision=precision, tokens=1500)
    runs: list[list[float]] = []
    for micro in (4, 1):
        midtrain(midtrain_context(tmp_path / str(micro), corpus, train, micro_batch=micro))
        runs.append(losses(tmp_path / str(micro)))
    assert len(runs[0]) == 6
    assert runs[0] == pytest.approx(runs[1], abs=1e-5 if precision == "fp32" else 5e-3)


def test_the_logged_loss_is_the_mean_over_trained_tokens(tiny_folder: Path, corpus: Path, tmp_path: Path) -> None:
    # Guards: a loss divided by sequences, by padding, or by something else than the tokens that count.
    train = small(precision="fp32", tokens=150)
    context = midtrain_context(tmp_path / "s", corpus, train, micro_batch=1)
    summary = midtrain(context)
    from midspec.records import Document, read_rows
    from midspec.train.data import midtraining_data
    from midspec.train.load import load_tokenizer

    tokenizer = load_tokenizer(resolve("tiny-random"), tiny_folder)
    rows = list(read_rows(corpus / "documents.jsonl", Document))
    batch = midtraining_data(rows, tokenizer, train, 0).packed.collate([0, 1, 2])
    model = load_model(tiny_folder, torch.float32, CPU)
    labels = batch.pop("labels")
    logits = model(**batch, use_cache=False).logits
    expected = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert summary["updates"] == 1
    assert summary["first_loss"] == pytest.approx(expected.item(), abs=1e-5)


def test_recomputed_activations_give_the_same_losses(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: gradient checkpointing asked for and silently off, or changing the result (PAPER.md, 5.24).
    train = small(precision="fp32", tokens=600)
    passes: list[int] = []

    def count(module: torch.nn.Module, *_: Any) -> None:
        if type(module).__name__ == "LlamaMLP" and module.training:
            passes[-1] += 1

    # Before, not after: recomputation stops inside the module, once it has what the backward pass needs.
    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        for name in ("plain", "again"):
            passes.append(0)
            midtrain(midtrain_context(tmp_path / name, corpus, train))
            monkeypatch.setattr("midspec.train.preflight.activation_bytes", lambda *_: 1e15)
    finally:
        hook.remove()
    assert json.loads((tmp_path / "again" / "training.json").read_text())["preflight"]["checkpointing"]
    # One sequence at a time in place of four, and each of them twice.
    assert passes == [2 * 3, 2 * 10 * 2]
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "plain"), abs=1e-5)


def test_a_diverged_run_stops_with_a_remedy(corpus: Path, tmp_path: Path) -> None:
    # Guards: NaN weights saved as a result; the Trainer's own filter that logs an average in place of NaN.
    train = small(learning_rate=1e30, precision="fp32", method="full", max_grad_norm=1e30)
    with pytest.raises(StepError, match=r"diverged\. Lower learning_rate"):
        midtrain(midtrain_context(tmp_path / "s", corpus, train))


def test_the_instruct_mix_is_trained_on_beside_the_demonstrations(demonstrations: Path, tmp_path: Path) -> None:
    mix = tmp_path / "mix"
    mix.mkdir()
    write_rows(mix / "instruct.jsonl", [chat(100 + n) for n in range(5)])
    folder = tmp_path / "f"
    finetune(finetune_context(folder, small(sequence_length=256), demonstrations=demonstrations, instruct=mix))
    seen = (folder / "order.jsonl").read_text()
    assert all(f"chat-{100 + n:04}" in seen for n in range(5))


def test_a_model_without_a_chat_template_is_refused_before_training(
    tiny_folder: Path, demonstrations: Path, tmp_path: Path
) -> None:
    # Guards: hours of training a base model that then scores chance (PAPER.md, 5.19).
    import shutil

    base = Path(shutil.copytree(tiny_folder, tmp_path / "base"))
    (base / "chat_template.jinja").unlink()
    train = small(sequence_length=256)
    with pytest.raises(InputError, match="chat_template: chatml"):
        finetune(finetune_context(tmp_path / "f", train, model=resolve(str(base)), demonstrations=demonstrations))
    finetune(finetune_context(tmp_path / "g", train, model=resolve(str(base), "chatml"), demonstrations=demonstrations))


def test_inference_loads_what_was_trained(midtrained: tuple[Path, dict[str, Any]], tiny_folder: Path) -> None:
    # Guards: evaluating the base model under an arm's name, or a merge that changes answers.
    ref, compute = resolve("tiny-random"), ComputeConfig(device="cpu")
    ids = torch.arange(12)[None]
    logits = {}
    for name, checkpoint, merge in (
        ("base", None, False),
        ("arm", midtrained[0], False),
        ("merged", midtrained[0], True),
    ):
        model, _ = load_for_inference(ref, checkpoint and checkpoint / "checkpoint", compute, merge=merge)
        assert not model.training
        with torch.no_grad():
            logits[name] = model(input_ids=ids).logits
    assert (logits["arm"] - logits["base"]).abs().max() > 1e-3
    torch.testing.assert_close(logits["arm"], logits["merged"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("batch", "wanted", "used"), [(8, 3, 2), (8, 100, 8), (6, 4, 3), (7, 6, 1), (4, 0, 1)])
def test_micro_batches_divide_the_batch(batch: int, wanted: int, used: int) -> None:
    assert largest_divisor(batch, wanted) == used


def test_a_cpu_that_imitates_bfloat16_is_told(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: the quickstart taking hours on a laptop whose float32 takes minutes, with no hint why.
    monkeypatch.setattr("midspec.train.preflight.cpu_has_bf16", lambda: False)
    for precision, told in (("bf16", True), ("fp32", False)):
        train = small(precision=precision, tokens=300)
        midtrain(midtrain_context(tmp_path / precision, corpus, train))
        plan = json.loads((tmp_path / precision / "training.json").read_text())["preflight"]
        assert any("precision: fp32 is faster" in warning for warning in plan["warnings"]) == told


def test_an_absent_device_is_an_input_error(midtrained: tuple[Path, dict[str, Any]]) -> None:
    if torch.cuda.is_available():
        pytest.skip("has one")
    with pytest.raises(InputError, match=r"compute.device is 'cuda'.*expected one of cpu"):
        load_for_inference(resolve("tiny-random"), None, ComputeConfig(device="cuda"))


def test_ensure_is_what_the_step_reads(tiny_folder: Path) -> None:
    assert ensure(resolve("tiny-random")) == tiny_folder
