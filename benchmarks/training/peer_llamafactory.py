"""LLaMA-Factory's stage `pt` at its defaults. Run as a script, in an environment of its own; see __main__.py."""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from llamafactory.train.tuner import run_exp
from transformers import TrainerCallback


class Clock(TrainerCallback):
    def __init__(self):
        self.begun, self.worked_before, self.seconds, self.worked, self.losses = 0.0, 0.0, [], [], []

    def on_step_begin(self, *_, **__):
        self.begun, self.worked_before = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.begun)
        self.worked.append(time.process_time() - self.worked_before)

    def on_log(self, args, state, control, logs=None, **__):
        if "loss" in (logs or {}):
            self.losses.append(float(logs["loss"]))


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        rows = {"rows": {"file_name": order["rows"], "columns": {"prompt": "text"}}}
        (Path(place) / "dataset_info.json").write_text(json.dumps(rows))
        lora = {"lora_rank": order["rank"], "lora_alpha": order["alpha"], "lora_target": "all"}
        run_exp(
            {
                "model_name_or_path": order["model"],
                "stage": "pt",
                "do_train": True,
                "finetuning_type": order["method"],
                **(lora if order["method"] == "lora" else {}),
                "dataset": "rows",
                "dataset_dir": place,
                "cutoff_len": order["length"],
                "output_dir": f"{place}/out",
                "per_device_train_batch_size": order["batch"],
                "learning_rate": order["learning_rate"],
                "max_steps": order["updates"],
                "bf16": True,
                "use_cpu": True,
                "logging_steps": 1,
                "save_strategy": "no",
                "report_to": "none",
            },
            callbacks=[clock],
        )
    result = {
        # It cuts the texts, one after another, into blocks of this length, and fills none.
        "tokens": [order["batch"] * order["length"]] * len(clock.seconds),
        "seconds": clock.seconds,
        "worked": clock.worked,
        "losses": clock.losses[: len(clock.seconds)],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    Path(order["result"]).write_text(json.dumps(result))
