"""TRL's SFTTrainer as its documentation shows it. Run as a script, in any environment that has TRL; see __main__.py."""

import json
import sys
import tempfile
from pathlib import Path

from datasets import load_dataset
from peer_clock import Clock
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    lora = LoraConfig(r=order["rank"], lora_alpha=order["alpha"], target_modules="all-linear", task_type="CAUSAL_LM")
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        trainer = SFTTrainer(
            model=order["model"],
            # Rows with a `text`, or with `messages`, which it renders by the model's chat template.
            train_dataset=load_dataset("json", data_files=order["rows"], split="train"),
            args=SFTConfig(
                output_dir=place,
                max_length=order["length"],
                per_device_train_batch_size=order["batch"] if order["packing"] else order["whole"],
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
    Path(order["result"]).write_text(json.dumps(clock.result()))
