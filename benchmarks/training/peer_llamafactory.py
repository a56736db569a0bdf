"""LLaMA-Factory's stages `pt` and `sft` at their defaults. Run as a script, in its own environment; see __main__.py."""

import json
import sys
import tempfile
from pathlib import Path

from llamafactory.train.tuner import run_exp
from peer_clock import Clock

FORMATS = {
    "midtrain": {"columns": {"prompt": "text"}},
    "aft": {
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    },
}

if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text())
    clock = Clock()
    aft = order["stage"] == "aft"
    with tempfile.TemporaryDirectory() as place:
        rows = {"rows": {"file_name": order["rows"], **FORMATS[order["stage"]]}}
        (Path(place) / "dataset_info.json").write_text(json.dumps(rows))
        lora = {"lora_rank": order["rank"], "lora_alpha": order["alpha"], "lora_target": "all"}
        run_exp(
            {
                "model_name_or_path": order["model"],
                # Without a `template`, stage sft takes the tokenizer's own.
                "stage": "sft" if aft else "pt",
                "do_train": True,
                "finetuning_type": order["method"],
                **(lora if order["method"] == "lora" else {}),
                "dataset": "rows",
                "dataset_dir": place,
                "cutoff_len": order["length"],
                "output_dir": f"{place}/out",
                "per_device_train_batch_size": order["whole"] if aft else order["batch"],
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
    Path(order["result"]).write_text(json.dumps(clock.result()))
