"""The command line says what vLLM needs to hear, in its own spelling."""

import json
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.serving.adapters import Adapter, read_adapter
from midspec.evals.serving.vllm import arguments, environment, served_rank
from tests.unit.evals.serving.stand_in import parser


def _parsed(command: list[str]) -> Any:
    assert command[0] == "vllm"
    return parser().parse_args(command[1:])


def test_a_base_model_alone() -> None:
    command = arguments(Path("/models/m"), "org/m", [], 8000)
    assert command == [
        "vllm", "serve", "/models/m", "--served-model-name", "org/m", "--host", "127.0.0.1", "--port", "8000",
        "--dtype", "bfloat16", "--generation-config", "vllm",
    ]  # fmt: skip
    assert not _parsed(command).enable_lora


def test_many_adapters_on_one_server(adapter: Any) -> None:
    found = [read_adapter(adapter(f"arm, {n}=x", bytes([n]), r=rank)) for n, rank in enumerate((4, 48, 16))]
    given = _parsed(arguments(Path("/m"), "m", found, 1, more=["--max-model-len", "9000"]))
    assert given.enable_lora and (given.max_lora_rank, given.max_loras, given.max_cpu_loras) == (64, 3, 8)
    assert given.lora_modules == [{"name": one.name, "path": str(one.folder), "base_model_name": "m"} for one in found]
    assert given.max_model_len == 9000
    many = [found[0]._replace(name=str(n)) for n in range(20)]
    given = _parsed(arguments(Path("/m"), "m", many, 1, rank=128, chat_template=Path("t.jinja"), host="0.0.0.0"))
    assert (given.max_lora_rank, given.max_loras, given.max_cpu_loras) == (128, 8, 20)
    assert (given.chat_template, given.host) == ("t.jinja", "0.0.0.0")
    later = _parsed(arguments(Path("/m"), "m", [], 1, rank=64))
    assert later.enable_lora and later.max_lora_rank == 64 and later.lora_modules == []


@pytest.mark.parametrize(("rank", "served"), [(1, 8), (8, 8), (9, 16), (64, 64), (300, 320), (512, 512)])
def test_the_rank_is_one_that_vllm_takes(rank: int, served: int) -> None:
    assert served_rank([Adapter("a", Path("a"), rank, ""), Adapter("b", Path("b"), 1, "")]) == served


def test_a_rank_too_large_is_said() -> None:
    with pytest.raises(InputError, match="big has rank 513; vLLM serves at most 512"):
        served_rank([Adapter("big", Path("a"), 513, "")])


def test_the_key_is_in_no_command_line() -> None:
    assert environment("secret")["VLLM_API_KEY"] == "secret" and "VLLM_API_KEY" not in environment(None)
    assert "secret" not in json.dumps(arguments(Path("/m"), "m", [], 1))
