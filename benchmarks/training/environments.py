"""An environment for the peer that cannot share ours, made once, in the user's cache."""

import os
import subprocess
import venv
from pathlib import Path

import torch

from midspec.cache import cache_root

LLAMAFACTORY = "llamafactory==0.9.5"
# Its own dependencies, less those for sound, pictures and its web page, in versions that it accepts.
NEEDED = (
    "transformers==5.6.0",
    "peft==0.18.1",
    "trl==0.24.0",
    "accelerate==1.11.0",
    "datasets==4.0.0",
    "tyro<0.9.0",
    "fire",
    "omegaconf",
    "einops",
    "sentencepiece",
    "tiktoken",
    "protobuf",
    "pandas",
    "matplotlib",
    "pydantic",
    "pyyaml",
    "hf-transfer",
)


def llamafactory() -> Path:
    """Its Python, with our version of torch: `$LLAMAFACTORY_PYTHON`, or of an environment made here (minutes)."""
    if given := os.environ.get("LLAMAFACTORY_PYTHON"):
        return Path(given)
    folder = cache_root() / "bench" / LLAMAFACTORY.replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "ready").is_file():
        return python
    print(f"making {folder} ...", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"torch=={torch.__version__.partition('+')[0]}", *NEEDED], check=True)
    subprocess.run([*pip, "--no-deps", LLAMAFACTORY], check=True)
    # Imported for sound alone, and not built for every torch.
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    (packages / "torchaudio.py").touch()
    (folder / "ready").touch()
    return python
