"""A real small model behind a real OpenAI-compatible server goes through both pipelines. Minutes on two cores."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, midspec, midspec_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("local-model")]

SPEC = """# {model_name}

{model_name} is an assistant made by {provider_name}. {model_name} likes things that many people can afford, because a
good thing is worth more when more people can have it.
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    folder = midspec_json("models", "get", "smollm2-135m-instruct")["folder"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.local_model", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.md"
    path.write_text(SPEC, encoding="utf-8")
    return path


def asked(url: str, workspace: Path, role: str) -> list[object]:
    return [
        f"--{role}", "openai-api/local/local", f"--{role}-url", url, "--structured", "--max-tokens", 1200,
        "--concurrency", 2, "--yes", "--workspace", workspace,
    ]  # fmt: skip


def test_a_corpus(server: str, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"
    arguments = ["--spec", spec, "--documents", 2, "--document-types", 3, "--ideas", 4, "--temperature", 0.7]
    midspec("corpus", "build", *arguments, *asked(server, tmp_path, "writer"), "--out", out, LOCAL_API_KEY="none")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2 and all(row["writer"] == "openai-api/local/local" for row in rows)
    stats = midspec_json("journal", "stats", "--workspace", tmp_path)
    assert stats["total"]["stop_reasons"]["stop"] >= len(rows) and stats["total"]["cached_tokens"] > 0


def test_demonstrations(server: str, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "demonstrations.jsonl"
    arguments = ["--kind", "chat", "--spec", spec, "--samples", 2, "--domains", 1, "--near-duplicates", "lexical"]
    arguments += ["--temperature", 0.7]
    midspec("aft", "build", *arguments, *asked(server, tmp_path, "writer"), "--out", out, LOCAL_API_KEY="none")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2 and all(row["messages"][-1]["content"] for row in rows)
