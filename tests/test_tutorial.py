"""The tutorial, literally: its files are written, its commands run, in the order in which a reader meets them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """A fenced block: the content of a file, or commands."""

    language: str
    file: str | None
    text: str


def blocks() -> list[Block]:
    found = [Block(*match.groups()) for match in _BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8"))]
    assert TUTORIAL.read_text(encoding="utf-8").count("\n```") == 2 * len(found)
    return found


def test_every_block_is_a_file_or_commands() -> None:
    for block in blocks():
        assert (block.file is None) == (block.language == "sh"), block
    assert not any(block.language in ("python", "py") for block in blocks()), "the tutorial promises no Python"


def test_a_reader_who_does_as_the_tutorial_says_gets_there(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    said: dict[str, str] = {}
    for block in blocks():
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
            continue
        for command in block.text.strip().split("\n"):
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env={**environment, "COLUMNS": "200"}, capture_output=True,
                text=True, timeout=500, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            said[command] = done.stdout

    results = json.loads((tmp_path / "runs" / "mending" / "results.json").read_text(encoding="utf-8"))
    assert set(results["arms"]) == {"baseline", "aft", "msm-mending", "msm-mending+aft", "msm-neutral+aft"}
    assert all(len(arm["seeds"]) == 1 for arm in results["arms"].values())
    assert [claim["versus"] for claim in results["claims"]] == ["aft", "msm-neutral+aft"]
    assert all(claim["verdict"] in ("supported", "contradicted", "undecided") for claim in results["claims"])
    assert all(arm["evals"]["mending"]["items"] == 8 for arm in results["arms"].values()), "no item was in the data"
    assert "speaks for mending more" in (tmp_path / "runs" / "mending" / "report.html").read_text(encoding="utf-8")
    assert "Speaking for mending" in (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "$" in said["midspec plan mending.yaml --profile real"]
    [traced] = [text for command, text in said.items() if command.startswith("midspec trace")]
    assert "passage" in traced and "Wren" in traced
    assert "0 finding(s)" in said["midspec spec lint mending.md --held-out mending.jsonl"]
