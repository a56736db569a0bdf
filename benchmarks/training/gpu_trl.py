"""TRL's SFTTrainer with Liger kernels on the same model and rows, in a process of its own; see gpu.py."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportPrivateImportUsage] (it loads them lazily)

from benchmarks.training.gpu_shapes import SHAPES, made, random_rows
from benchmarks.training.peer_clock import Clock
from midspec.train.load import load_tokenizer
from midspec.train.models import ensure, resolve


def trained(order: dict[str, Any]) -> dict[str, Any]:
    """What `launched` reads, and `how` it ran. Liger's kernels are for GPUs alone."""
    shape, gpu = SHAPES[order["shape"]], order["device"] == "cuda"
    # It asks a tokenizer what pads; nothing is tokenised or padded.
    ref = resolve("tiny-random")
    rows = random_rows(shape, order["updates"] * order["batch"])
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        trainer = SFTTrainer(
            model=made(shape, order["device"]),
            processing_class=load_tokenizer(ref, ensure(ref)),
            train_dataset=Dataset.from_dict({"input_ids": rows.tolist()}),
            args=SFTConfig(
                output_dir=place,
                max_length=shape.length,
                per_device_train_batch_size=order["batch"],
                learning_rate=order["learning_rate"],
                max_steps=order["updates"],
                use_liger_kernel=gpu,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                use_cpu=not gpu,
            ),
            peft_config=LoraConfig(
                r=shape.rank, lora_alpha=2 * shape.rank, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            callbacks=[clock],
        )
        trainer.train()
    recomputed = "recomputed" if trainer.args.gradient_checkpointing else "kept"
    how = f"{order['batch']} at a time, activations {recomputed}, {'Liger kernels' if gpu else 'no Liger on a CPU'}"
    return {**clock.result(), "how": how}


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    Path(order["result"]).write_text(json.dumps(trained(order)))
