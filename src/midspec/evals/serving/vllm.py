"""The command line of vLLM's server for one base model and its adapters. Pure.

Flags as in vLLM 0.8 to 0.26 (https://docs.vllm.ai, "LoRA adapters" and "engine arguments").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from midspec.errors import InputError
from midspec.evals.serving.adapters import Adapter

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that `--max-lora-rank` takes."""
LOADED_AT_ONCE = 8
"""Most adapters in GPU memory. With more, those not in use wait in main memory. (ours)"""
EXECUTABLE = "vllm"
HOST = "127.0.0.1"
"""Only this machine may ask."""


def served_rank(adapters: Sequence[Adapter]) -> int:
    """The smallest rank that a server can be started with and that holds all adapters. Raises InputError above 512."""
    most = max(adapters, key=lambda adapter: adapter.rank)
    for rank in RANKS:
        if most.rank <= rank:
            return rank
    raise InputError(
        f"adapter {most.name} has rank {most.rank}; vLLM serves at most {RANKS[-1]}: use serve: transformers"
    )


def arguments(
    base: Path,
    name: str,
    adapters: Sequence[Adapter],
    port: int,
    *,
    host: str = HOST,
    chat_template: Path | None = None,
    rank: int | None = None,
    more: Sequence[str] = (),
    executable: Sequence[str] = (EXECUTABLE,),
) -> list[str]:
    """Start the model in folder `base` as `name`, with `adapters` under their names.

    `rank`: the largest that adapters loaded later may have; None = that of `adapters`; without adapters and rank, LoRA
    is off. `more`: further flags of vLLM's, which win over ours. Raises InputError as `served_rank` does.
    """
    found = [
        *executable, "serve", str(base),
        "--served-model-name", name,
        "--host", host,
        "--port", str(port),
        "--dtype", "bfloat16",
        # Nothing that the model's own generation config holds (top_k, repetition penalty) and no record would show.
        "--generation-config", "vllm",
    ]  # fmt: skip
    if chat_template is not None:
        found += ["--chat-template", str(chat_template)]
    if adapters or rank is not None:
        most = max(served_rank(adapters) if adapters else 0, rank or 0)
        found += [
            "--enable-lora",
            "--max-lora-rank", str(most),
            "--max-loras", str(min(LOADED_AT_ONCE, max(1, len(adapters)))),
            "--max-cpu-loras", str(max(LOADED_AT_ONCE, len(adapters))),
        ]  # fmt: skip
    if adapters:
        # As JSON: a path may hold a comma or an equals sign.
        modules = [
            json.dumps({"name": adapter.name, "path": str(adapter.folder), "base_model_name": name})
            for adapter in adapters
        ]
        found += ["--lora-modules", *modules]
    return [*found, *more]


def environment(key: str | None) -> Mapping[str, str]:
    """Variables of the server. The key stands here because everybody on a machine may read a command line.

    `key`: what requests must bring; None = nothing, and anybody who reaches the server is answered.
    """
    found = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_NO_USAGE_STATS": "1"}
    return found if key is None else {**found, "VLLM_API_KEY": key}
