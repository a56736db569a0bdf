"""The very first command of a newcomer: nothing cached, nothing of the Hub library loaded yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "HuggingFaceTB/SmolLM2-135M"])
def test_a_model_resolves_in_a_fresh_process_with_an_empty_cache(name: str, tmp_path: Path) -> None:
    # Guards: huggingface_hub loads parts on demand; one that no earlier import had loaded was an AttributeError.
    # The offline switch of the other tests is off here: whether the Hub answers or not, the name must resolve.
    code = f"from midspec.train.models import resolve; print(resolve({name!r}).name)"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("HF_", "MIDSPEC_"))},
        "MIDSPEC_CACHE": str(tmp_path / "midspec"),
        "HF_HOME": str(tmp_path / "hf"),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr[-1500:]
    assert "smollm2-135m" in done.stdout.lower()
