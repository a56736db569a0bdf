"""TRL's SFTTrainer as its documentation shows it. Run as a script, in any environment that has TRL; see __main__.py."""

import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from datasets import load_dataset
from peft import LoraConfig
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    def __init__(self):
        self.begun, self.worked_before, self.seconds, self.worked = 0.0, 0.0, [], []

    def on_step_begin(self, *_, **__):
        self.begun, self.worked_before = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.begun)
        self.worked.append(time.process_time() - self.worked_before)


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    lora = LoraConfig(r=order["rank"], lora_alpha=order["alpha"], target_modules="all-linear", task_type="CAUSAL_LM")
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        trainer = SFTTrainer(
            model=order["model"],
            train_dataset=load_dataset("json", data_files=order["rows"], split="train"),
            args=SFTConfig(
                output_dir=place,
                max_length=order["length"],
                per_device_train_batch_size=order["batch"],
                learning_rate=order["learning_rate"],
                max_steps=order["updates"],
                packing=order["packing"],
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                use_cpu=True,
            ),
            peft_config=lora if order["method"] == "lora" else None,
            callbacks=[clock],
        )
        trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    seen = [0, *(line["num_tokens"] for line in lines)]
    result = {
        "tokens": [after - before for before, after in itertools.pairwise(seen)],
        "seconds": clock.seconds,
        "worked": clock.worked,
        "losses": [line["loss"] for line in lines],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    Path(order["result"]).write_text(json.dumps(result))
