"""Models of the stand-in for vLLM: folders that say how it behaves, and hold what it did."""

import json
from pathlib import Path
from typing import Any


def stand_in_model(folder: Path, **behaviour: Any) -> Path:
    """Make `folder`; `behaviour`: see `tests/stand_in/vllm`."""
    folder.mkdir()
    (folder / "stand_in.json").write_text(json.dumps(behaviour))
    return folder


def ledger(model: Path, kind: str) -> list[dict[str, Any]]:
    """Lines that tell `kind`, in order: `loaded` for a loading, `seed` or `hash` for an answer."""
    path = model / "ledger.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in map(json.loads, lines) if kind in line]
