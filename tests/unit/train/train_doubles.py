"""Rows and contexts that the training tests share."""

import json
import random
from pathlib import Path
from typing import Any

from midspec.experiment import ComputeConfig, TrainConfig
from midspec.records import ChatExample, Document, Message, write_rows
from midspec.steps.progress import Progress, Silent
from midspec.steps.step import Context
from midspec.train.config import FinetuneStepConfig, MidtrainStepConfig
from midspec.train.models import ModelRef, resolve

TEXT = "the cheese of a small town is made by people who like to say what they think about milk and salt"
WORDS = TEXT.split()

SMALL = {"rank": 4, "alpha": 8, "learning_rate": 1e-3, "sequence_length": 64, "batch_size": 4}
"""A run of a second or two on tiny-random."""


def document(number: int, words: int = 12) -> Document:
    text = " ".join(random.Random(number).choices(WORDS, k=words))
    return Document(
        id=f"doc-{number:04}",
        text=text,
        spec="0" * 64,
        section="Values",
        section_id="sec-1",
        span=(0, 1),
        domain="food",
        subdomain="cheese",
        assertions=(),
        doc_type="essay",
        idea="an idea",
        writer="offline",
        seed=0,
    )


def chat(number: int, *turns: str, system: str | None = None) -> ChatExample:
    """Turns alternate between user and assistant."""
    turns = turns or (f"Which cheese is number {number}?", " ".join(random.Random(number).choices(WORDS, k=4)))
    messages = [Message(role="user" if i % 2 == 0 else "assistant", content=turn) for i, turn in enumerate(turns)]
    if system is not None:
        messages.insert(0, Message(role="system", content=system))
    return ChatExample(
        id=f"chat-{number:04}", messages=tuple(messages), source="preferences", kind="direct", writer="offline", seed=0
    )


def small(**changes: Any) -> TrainConfig:
    return TrainConfig(**{**SMALL, **changes})


def write_corpus(folder: Path, count: int = 30) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "documents.jsonl", [document(number) for number in range(count)])
    return folder


def write_demonstrations(folder: Path, count: int = 30) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "demonstrations.jsonl", [chat(number) for number in range(count)])
    return folder


def midtrain_context(
    folder: Path,
    corpus: Path,
    train: TrainConfig,
    *,
    seed: int = 0,
    model: ModelRef | None = None,
    progress: Progress | None = None,
    **compute: Any,
) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    return Context(
        config=MidtrainStepConfig(model=model or resolve("tiny-random"), train=train, seed=seed),
        inputs={"corpus": corpus},
        folder=folder,
        progress=progress or Silent(),
        compute=ComputeConfig(**{"device": "cpu", "checkpoint_every": 3, **compute}),
    )


def finetune_context(
    folder: Path,
    train: TrainConfig,
    *,
    seed: int = 0,
    model: ModelRef | None = None,
    checkpoint_every: int = 3,
    **inputs: Path,
) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    return Context(
        config=FinetuneStepConfig(model=model or resolve("tiny-random"), train=train, seed=seed),
        inputs=inputs,
        folder=folder,
        progress=Silent(),
        compute=ComputeConfig(device="cpu", checkpoint_every=checkpoint_every),
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
