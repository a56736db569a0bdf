"""LoRA adapters of training steps as a server takes them: folder, rank, and a name that says which weights they are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from midspec.errors import InputError

CHECKPOINT = "checkpoint"
"""Folder of the weights inside a training step's."""
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
HASHED = 12
"""Hexadecimal digits of the weights' SHA-256 at the end of a served name."""


class Adapter(NamedTuple):
    """One adapter."""

    name: str
    """What the server calls it: a label and the beginning of `sha256`. The label is for people; two trainings of one
    arm never share a name."""
    folder: Path
    rank: int
    sha256: str
    """Of the weight file."""

    def is_called(self, name: str) -> bool:
        """Whether a server's name for a model means these weights, whatever its label."""
        return name.endswith(f"-{self.sha256[:HASHED]}")


def read_adapter(folder: Path, label: str | None = None) -> Adapter:
    """The adapter in a training step's folder, or in `folder` itself. `label` None = from the folder's name.

    Raises InputError for a folder without an adapter (a fully trained model is one), or one that cannot be served
    beside others.
    """
    inner = folder / CHECKPOINT if (folder / CHECKPOINT).is_dir() else folder
    if not (inner / WEIGHTS).is_file():
        told = (
            "it is a whole model: serve it as the base model instead"
            if any(inner.glob("model*.safetensors"))
            else "expected what `midspec train` wrote"
        )
        raise InputError(f"{folder} holds no {WEIGHTS}; {told}")
    config = _config(inner / CONFIG)
    rank, replaced = config.get("r"), config.get("modules_to_save")
    if not isinstance(rank, int) or rank < 1:
        raise InputError(f"{inner / CONFIG} says rank {rank!r}; expected a whole number above 0")
    if replaced:
        raise InputError(
            f"{inner} replaces whole layers ({replaced}), which vLLM does not serve; use serve: transformers"
        )
    sha256 = _sha256(inner / WEIGHTS)
    label = label or (folder.parent if folder.name == CHECKPOINT else folder).resolve().name
    return Adapter(f"{_plain(label)}-{sha256[:HASHED]}", inner.resolve(), rank, sha256)


def named_adapters(given: Sequence[str]) -> list[Adapter]:
    """From `NAME=FOLDER` or `FOLDER`, in their order. Raises InputError as `read_adapter`, and for a name twice."""
    found: list[Adapter] = []
    for one in given:
        label, sign, folder = one.partition("=")
        if not sign or Path(one).is_dir():
            found.append(read_adapter(Path(one)))
        elif label:
            found.append(read_adapter(Path(folder), label))
        else:
            raise InputError(f"adapter {one!r} has no name before the =; expected NAME=FOLDER or FOLDER")
    for adapter in found:
        if sum(other.name == adapter.name for other in found) > 1:
            raise InputError(f"adapter {adapter.name} is named twice; expected each once")
    return found


def trained_adapters(workspace: Path) -> list[Adapter]:
    """The adapters of all finished training steps in a workspace, by name. Whole models are left out."""
    folders = sorted(
        path.parent.parent
        for kind in ("midtrain", "finetune")
        for path in (workspace / "steps" / kind).glob(f"*/{CHECKPOINT}/{WEIGHTS}")
    )
    return [read_adapter(folder) for folder in folders]


def _config(path: Path) -> dict[str, object]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}; expected the adapter's settings as PEFT writes them"
        ) from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no object; expected the adapter's settings as PEFT writes them")
    return config


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", label).strip("-") or "adapter"
