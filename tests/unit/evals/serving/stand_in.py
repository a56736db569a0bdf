"""Stands in for `vllm`: takes the flags we use and no others, and speaks its API. `STAND_IN_RECORD` names a folder for
what it was started with; `STAND_IN_REAL` makes it answer with the model itself, through Transformers and PEFT."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def parser() -> argparse.ArgumentParser:
    """Flags of `vllm serve`, spelt as it spells them; another flag ends it with status 2."""
    made = argparse.ArgumentParser(allow_abbrev=False)
    made.add_argument("command", choices=["serve"])
    made.add_argument("model")
    for text in ("--served-model-name", "--host", "--dtype", "--generation-config", "--chat-template"):
        made.add_argument(text)
    for number in ("--port", "--max-loras", "--max-cpu-loras", "--max-model-len"):
        made.add_argument(number, type=int)
    made.add_argument("--max-lora-rank", type=int, choices=[8, 16, 32, 64, 128, 256, 320, 512], default=16)
    made.add_argument("--enable-lora", action="store_true")
    made.add_argument("--lora-modules", nargs="+", type=json.loads, default=[])
    return made


class Real:
    """Greedy answers of the model in a folder, with an adapter or without."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.base = self.model

    def answer(self, body: dict[str, Any], adapter: str | None) -> str:
        """Of one request."""
        import torch
        from peft import PeftModel

        text = self.tokenizer.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=True, **body["chat_template_kwargs"]
        )
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        model = PeftModel.from_pretrained(self.base, adapter) if adapter else self.base
        with torch.no_grad():
            made = model.generate(**ids, max_new_tokens=body["max_tokens"], do_sample=False, pad_token_id=0)
        if adapter:
            self.base = model.unload()
        return self.tokenizer.decode(made[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def main() -> None:
    """Serve until a signal."""
    given = parser().parse_args()
    if Path(given.model).name == "broken":
        sys.exit("torch.OutOfMemoryError: no room for the weights")
    record = Path(os.environ["STAND_IN_RECORD"])
    # vLLM's engine is a process of its own that outlives a server killed the hard way.
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (record / f"{os.getpid()}.json").write_text(
        json.dumps({"argv": sys.argv[1:], "engine": engine.pid, "rank": given.max_lora_rank, "model": given.model})
    )
    key = os.environ.get("VLLM_API_KEY")
    adapters: dict[str, str] = {module["name"]: module["path"] for module in given.lora_modules}
    real = Real(given.model) if os.environ.get("STAND_IN_REAL") else None

    def load(body: dict[str, Any]) -> tuple[int, Any]:
        rank = json.loads((Path(body["lora_path"]) / "adapter_config.json").read_text())["r"]
        if os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") != "True":
            return 404, {"detail": "Not Found"}
        if not given.enable_lora or rank > given.max_lora_rank:
            return 400, {"message": f"LoRA rank {rank} is greater than max_lora_rank {given.max_lora_rank}."}
        adapters[body["lora_name"]] = body["lora_path"]
        return 200, f"Success: LoRA adapter '{body['lora_name']}' added successfully."

    def chat(body: dict[str, Any]) -> tuple[int, Any]:
        if body["model"] not in {given.served_model_name, *adapters}:
            return 404, {"message": f"The model `{body['model']}` does not exist."}
        text = real.answer(body, adapters.get(body["model"])) if real else json.dumps(body)
        if body["chat_template_kwargs"]["enable_thinking"]:
            text = f"<think>\nI think.\n</think>\n\n{text}"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice],
                     "usage": usage}  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def answer(self, work: Any) -> None:
            status, found = work() if self.allowed() else (401, {"error": "Unauthorized"})
            data = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def allowed(self) -> bool:
            return key is None or self.headers["Authorization"] == f"Bearer {key}"

        def do_GET(self) -> None:
            cards = [{"id": name, "object": "model"} for name in (given.served_model_name, *adapters)]
            self.answer(lambda: (200, {"object": "list", "data": cards}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(lambda: (load if self.path == "/v1/load_lora_adapter" else chat)(body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ThreadingHTTPServer((given.host, given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
