"""A model cache of its own for the whole test session, and tiny-random out of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from midspec.train.models import ensure, resolve


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDSPEC_CACHE", str(cache))
        patch.setenv("HF_HUB_OFFLINE", "1")
        # huggingface_hub reads its switch when it is first imported.
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield cache


@pytest.fixture(scope="session")
def tiny_folder(model_cache: Path) -> Path:
    return ensure(resolve("tiny-random"))


@pytest.fixture(scope="session")
def tokenizer(tiny_folder: Path) -> Any:
    from midspec.train.load import load_tokenizer

    return load_tokenizer(resolve("tiny-random"), tiny_folder)


@pytest.fixture
def model(tiny_folder: Path) -> Any:
    from midspec.train.load import load_model

    return load_model(tiny_folder, torch.float32, torch.device("cpu"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tests run side by side on few cores, and models this small gain nothing from a second thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
