"""`midspec serve` from the command line, with a program called `vllm` that is the stand-in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from midspec.cli.serve import serve
from midspec.errors import InputError
from midspec.evals.serving.adapters import read_adapter
from midspec.evals.serving.endpoint import Endpoint
from midspec.evals.serving.process import free_port
from tests.conftest import ROOT
from tests.unit.evals.serving.conftest import STAND_IN, gone
from tests.unit.evals.serving.stand_in import parser

pytestmark = pytest.mark.usefixtures("tiny_cache")


def test_what_it_would_start(adapter: Any, tmp_path: Path, tiny_folder: Path) -> None:
    one = adapter("one", b"1", r=32)
    options = ["tiny-random", "--adapter", f"msm={one}", "--trained", "-w", str(tmp_path), "--chat-template", "chatml",
               "--log", str(tmp_path / "log.txt"), "--dry-run", "--json", "--", "--max-model-len", "9000"]  # fmt: skip
    done = CliRunner().invoke(serve, options, catch_exceptions=False)
    shown = json.loads(done.stdout)
    name = read_adapter(one, "msm").name
    assert shown["adapters"] == {name: str(one / "checkpoint")} and shown["url"] == "http://127.0.0.1:8000/v1"
    given = parser().parse_args(shown["command"][1:])
    assert (given.model, given.max_lora_rank, given.max_model_len) == (str(tiny_folder), 32, 9000)
    assert Path(given.chat_template).read_text().startswith("{") and given.served_model_name == "tiny-random"
    with pytest.raises(InputError, match="holds no adapter_model"):
        CliRunner().invoke(serve, ["tiny-random", "--adapter", str(tmp_path), "--dry-run"], catch_exceptions=False)


def test_it_serves_until_it_is_interrupted(tmp_path: Path, record: Any) -> None:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {STAND_IN[0]} {STAND_IN[1]} "$@"\n')
    program.chmod(0o755)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "from midspec.cli.serve import serve; serve()", "tiny-random", "--port", str(port),
         "--rank", "16", "--log", str(tmp_path / "log.txt")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "MIDSPEC_SERVE_KEY": "secret"},
    )  # fmt: skip
    assert process.stdout is not None
    assert "answers at" in process.stdout.readline()
    assert Endpoint(f"http://127.0.0.1:{port}/v1", "secret").models() == ["tiny-random"]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert record()[0]["rank"] == 16 and gone(record()[0]["pid"])
