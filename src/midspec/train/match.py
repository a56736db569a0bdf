"""How many tokens every corpus of a table can give: those of the smallest one, counted as training counts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from midspec.experiment import TrainConfig
from midspec.records import Document, read_rows
from midspec.steps.step import Context
from midspec.train.config import CORPUS_ROLE, MatchStepConfig
from midspec.train.data import count_tokens
from midspec.train.load import load_tokenizer
from midspec.train.models import ensure

FILE = "match.json"


def run(context: Context) -> dict[str, Any]:
    """Count the tokens of the inputs `corpus/<name>` and write `match.json`: {"tokens": of the smallest}.

    Summary: `matched_tokens`, `smallest` (a corpus), `corpora` (name -> tokens).
    """
    config: MatchStepConfig = context.config
    tokenizer = load_tokenizer(config.model, ensure(config.model, context.progress))
    context.progress.start(len(context.inputs), "corpora")
    counts: dict[str, int] = {}
    for role, folder in context.inputs.items():
        documents = read_rows(folder / "documents.jsonl", Document)
        counts[role.removeprefix(CORPUS_ROLE)] = count_tokens(documents, tokenizer)
        context.progress.advance()
    smallest = min(counts, key=lambda name: (counts[name], name))
    (context.folder / FILE).write_text(json.dumps({"tokens": counts[smallest]}) + "\n", encoding="utf-8")
    return {"matched_tokens": counts[smallest], "smallest": smallest, "corpora": counts}


def matched(train: TrainConfig, folder: Path | None) -> TrainConfig:
    """`train` with the tokens that a finished match step left in `folder`; as it is without one."""
    if folder is None:
        return train
    tokens = json.loads((folder / FILE).read_text(encoding="utf-8"))["tokens"]
    return train.model_copy(update={"tokens": tokens})
