"""What all trainers train on: the quickstart's documents, and demonstrations written by its own step."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.training.running import BATCH, MODEL
from midspec.aft.step import PLAIN, demonstrations_step
from midspec.compute import ComputeConfig
from midspec.corpus.given import given_corpus_step
from midspec.experiment import AftConfig, WriterConfig
from midspec.records import ChatExample, Document, read_rows
from midspec.spec import Identity, read_spec
from midspec.steps import Context, Step
from midspec.steps.progress import Silent
from midspec.train.chat import tokenise_chat
from midspec.train.load import load_tokenizer
from midspec.train.models import ensure, resolve

IDENTITY = Identity(model_name="SmolLM", provider_name="Hugging Face")
SHORTEST = 50
"""Tokens that a demonstration has at least, nearly: with the template's own system prompt it has more."""


def documents(root: Path) -> dict[str, Any]:
    """As a corpus for our step, and as rows with a `text`."""
    step = given_corpus_step("bench", read_spec("cheese-affordability"), IDENTITY, "cheese-affordability")
    corpus = _made(step, root / "corpus")
    texts = [document.text for document in read_rows(corpus / "documents.jsonl", Document)]
    rows = _written(root / "rows.jsonl", [{"text": text} for text in texts])
    return {"stage": "midtrain", "corpus": str(corpus), "rows": str(rows), "whole": BATCH}


def chats(root: Path, tokens: int, length: int) -> dict[str, Any]:
    """Demonstrations of at least so many tokens, for our step, and as rows with `messages`.

    `whole`: chats that have as many tokens as an update of full sequences of `length`, for trainers that do not pack.
    """
    aft = AftConfig(kind="preferences", preferences="cheese", samples=-(-tokens // SHORTEST))
    folder = _made(demonstrations_step(IDENTITY, WriterConfig(model="offline"), aft), root / f"chats-{length}")
    examples = list(read_rows(folder / PLAIN, ChatExample))
    ref = resolve(MODEL)
    tokenizer = load_tokenizer(ref, ensure(ref))
    sizes = [len(tokenise_chat(tokenizer, example.messages).input_ids) for example in examples]
    assert sum(sizes) >= tokens, f"{len(sizes)} demonstrations have {sum(sizes):,} tokens, fewer than {tokens:,}"
    said = [
        [{"role": message.role, "content": message.content} for message in example.messages] for example in examples
    ]
    rows = _written(root / f"messages-{length}.jsonl", [{"messages": messages} for messages in said])
    whole = max(1, round(BATCH * length / mean(sizes)))
    return {"stage": "aft", "demonstrations": str(folder), "rows": str(rows), "whole": whole}


def _made(step: Step, folder: Path) -> Path:
    folder.mkdir()
    context = Context(
        config=step.config,
        inputs={},
        folder=folder,
        progress=Silent(),
        compute=ComputeConfig(),
        workspace=folder.parent,
        source=step.source,
    )
    step.load_function()(context)
    return folder


def _written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path
