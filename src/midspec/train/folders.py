"""Model folders of the user: identified by content, found again by a registry in the model cache."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from pathlib import Path

from midspec import cache
from midspec.errors import InputError, ModelUnavailableError

MODEL_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
)
"""What decides weights, tokens and chat format; everything else in a folder (cards, licences, logs) does not."""


def model_files(folder: Path) -> list[Path]:
    """The files of `MODEL_FILES` directly in `folder`, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in MODEL_FILES)
    )


def content_hash(folder: Path) -> str:
    """SHA-256 over names and contents of the model files; the folder's own name and place do not enter."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        digest.update(f"{path.name}\0{cache.remembered_sha256(path)}\n".encode())
    return digest.hexdigest()


def register(folder: Path) -> str:
    """Check a model folder, note where it is, and return its revision.

    Raises InputError for a folder without a config, without safetensors weights, or with a cut-off weight file.
    """
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise InputError(
            f"model folder {str(folder)!r} holds an adapter, not a base model; expected config.json and "
            "*.safetensors. Name the model that the adapter belongs to"
        )
    if not (folder / "config.json").is_file():
        raise InputError(
            f"model folder {str(folder)!r} has no config.json; expected a model in Transformers form "
            "(config.json, *.safetensors, tokenizer files)"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"model folder {str(folder)!r} has no *.safetensors file; other weight formats can hold code and are not "
            "read. Convert it: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)"
        )
    for path in weights:
        if problem := cache.safetensors_damage(path):
            raise InputError(f"model folder {str(folder)!r} is damaged: {problem}; copy or download it again")
    revision = content_hash(folder)
    cache.write_json(_registry(revision), {"folder": str(folder.resolve())})
    return revision


def find(revision: str) -> Path:
    """Where the folder with this content lies on this machine.

    Raises ModelUnavailableError where it was never seen here, is gone, or has changed.
    """
    remedy = "name the folder in the recipe again and rerun `midspec plan`"
    try:
        folder = Path(json.loads(_registry(revision).read_text())["folder"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(
            f"no model folder with revision {revision[:12]} is known on this machine; {remedy}"
        ) from error
    if not folder.is_dir():
        raise ModelUnavailableError(f"model folder {str(folder)!r} is gone; bring it back, or {remedy}")
    if (now := content_hash(folder)) != revision:
        raise ModelUnavailableError(
            f"model folder {str(folder)!r} has changed: its revision is {now[:12]}, expected {revision[:12]}; bring "
            f"the old files back, or {remedy} to train the new ones"
        )
    return folder


def has_chat_template(folder: Path) -> bool:
    """Whether the tokenizer files in `folder` hold a chat template."""
    if any(folder.glob("chat_template*")):
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError):
        return False


def _registry(revision: str) -> Path:
    return cache.cache_root() / "folders" / f"{revision[:32]}.json"
