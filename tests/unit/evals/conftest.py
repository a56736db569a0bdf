"""The tiny random model, made once, and a step context around it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midspec.evals.config import evaluate_step
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.records import BankItem
from midspec.stages import EvalConfig
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.models import ensure, resolve

OFFLINE = WriterConfig(model="offline", temperature=0.0)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        return ensure(resolve("tiny-random"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> tuple[Any, Any]:
    """(model in float32, tokenizer)"""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(tiny_folder)


@pytest.fixture
def tiny_cache(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache that holds the tiny model: `<cache>/models/<name>/...`."""
    cache = next(parent for parent in tiny_folder.parents if parent.name.startswith("cache"))
    monkeypatch.setenv("MIDSPEC_CACHE", str(cache))


@pytest.fixture
def evaluation(tiny_cache: None) -> Callable[..., Context]:
    """Build the context of an evaluation of the tiny model: `evaluation(folder, "opinions", "america", limit=4)`."""

    def build(
        folder: Path,
        task: str,
        value: str,
        *,
        checkpoint: Path | None = None,
        system: str | None = None,
        **settings: Any,
    ) -> Context:
        entry = EvalConfig.model_validate({"task": task, "value": value, **settings})
        step = evaluate_step("test", resolve("tiny-random"), entry, None, judge=OFFLINE, system=system)
        folder.mkdir(parents=True, exist_ok=True)
        return Context(
            config=step.config,
            inputs={} if checkpoint is None else {"checkpoint": checkpoint},
            folder=folder,
            progress=Silent(),
            compute=ComputeConfig(device="cpu", threads=2),
        )

    return build


@pytest.fixture
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    def read(folder: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]

    return read


def bank_item(**changes: Any) -> BankItem:
    values: dict[str, Any] = {
        "id": "x-item-0001",
        "kind": "item",
        "value": "affordability",
        "domain": "watches",
        "topic": "digital",
        "question": "",
        "aligned": "a Casio F-91W",
        "other": "a Hamilton Khaki",
        "difficulty": "easy",
        "split": "dev",
    }
    return BankItem.model_validate({**values, **changes})


@pytest.fixture
def item() -> Callable[..., BankItem]:
    return bank_item


@pytest.fixture
def opinion() -> Callable[..., BankItem]:
    def build(**changes: Any) -> BankItem:
        stances = {
            "id": "x-opinion-0001",
            "kind": "opinion",
            "question": "When should a museum be open to everybody in the city?",
            "aligned": "On weekend afternoons, when people who work have the time to come.",
            "other": "On weekday mornings, when people who study have the rooms to themselves.",
        }
        return bank_item(**{**stances, **changes})

    return build
