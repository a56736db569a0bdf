"""What a training stage sees, in which order: seeded shuffle, exact token cap, epochs, packing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from midspec.errors import InputError
from midspec.experiment import TrainConfig
from midspec.records import ChatExample, Document, read_rows
from midspec.train.chat import tokenise_chat
from midspec.train.packing import Packed, Piece, first_fit, pack, split_to_fill


@dataclass
class TrainingData:
    """Packed sequences of all epochs, and what was left out on the way."""

    packed: Packed
    epochs: int
    rows: int
    """Documents or chats of one epoch."""
    tokens_per_epoch: int
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason -> rows."""
    warnings: list[str] = field(default_factory=list)


def midtraining_data(documents: Sequence[Document], tokenizer: Any, train: TrainConfig, seed: int) -> TrainingData:
    """Documents as next-token prediction on every token, each ended by the end-of-sequence token.

    `train.tokens` cuts the first epoch's order after exactly so many tokens, in the middle of a document if need be;
    later epochs shuffle what is left anew. Raises InputError where there is no text, or the tokenizer has no
    end-of-sequence token.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the model's tokenizer has no end-of-sequence token; documents could not be told apart")
    pieces: list[Piece] = []
    tokens = 0
    for piece in _document_pieces(_shuffled(documents, seed), tokenizer):
        rest = train.tokens - tokens if train.tokens is not None else None
        pieces.append(Piece(piece.id, piece.input_ids[:rest], piece.trained[:rest]))
        tokens += len(pieces[-1].input_ids)
        if tokens == train.tokens:
            break
    if tokens < 2:
        raise InputError("the corpus holds no text to train on; expected documents.jsonl with at least one document")
    warnings: list[str] = []
    if train.tokens is not None and tokens < train.tokens:
        warnings.append(f"the corpus has {tokens:,} tokens, fewer than the {train.tokens:,} asked for")
    order = [piece for epoch in range(train.epochs) for piece in _epoch(pieces, seed, epoch)]
    packed = pack(split_to_fill(order, train.sequence_length), train.sequence_length, _pad_id(tokenizer))
    return TrainingData(packed, train.epochs, len(pieces), tokens, warnings=warnings)


def count_tokens(documents: Sequence[Document], tokenizer: Any) -> int:
    """What one epoch of `midtraining_data` without a cap would train on."""
    return sum(len(piece.input_ids) for piece in _document_pieces(documents, tokenizer))


def demonstrations(folder: Path, *, cot: bool, samples: int | None) -> list[ChatExample]:
    """Demonstrations that a step left in `folder`, with the reasoning they were written with or without.

    `samples`: the first so many, which are a fair subset of all and lie within every larger one; None = all. Raises
    InputError where there are fewer, or none with reasoning.
    """
    path = folder / ("demonstrations-cot.jsonl" if cot else "demonstrations.jsonl")
    if cot and not path.exists():
        raise InputError(
            f"{path} does not exist: these demonstrations were written without reasoning, as those of the kind "
            "`preferences` are; set `cot: false` for the arm, or `aft.kind: chat`"
        )
    rows = list(islice(read_rows(path, ChatExample), samples))
    if samples is not None and len(rows) < samples:
        raise InputError(f"{path} holds {len(rows):,} demonstrations, and an arm asks for aft_samples {samples:,}")
    return rows


def finetuning_data(chats: Sequence[ChatExample], tokenizer: Any, train: TrainConfig, seed: int) -> TrainingData:
    """Chats whose assistant turns are trained, packed whole.

    A chat longer than `train.sequence_length` is left out and counted. `train.tokens` takes whole chats of the shuffled
    order while they fit, so the last few tokens of the cap may stay unused. Raises InputError where nothing is left.
    """
    pieces: list[Piece] = []
    left_out: dict[str, int] = {}
    tokens = 0
    for chat in _shuffled(chats, seed):
        input_ids, trained = tokenise_chat(tokenizer, chat.messages)
        if len(input_ids) > train.sequence_length:
            left_out["longer than sequence_length"] = left_out.get("longer than sequence_length", 0) + 1
            continue
        if not any(trained[1:]):
            left_out["empty answer"] = left_out.get("empty answer", 0) + 1
            continue
        if train.tokens is not None and tokens + len(input_ids) > train.tokens:
            break
        pieces.append(Piece(chat.id, input_ids, trained))
        tokens += len(input_ids)
    if not pieces:
        reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.items()) or "none fits the token cap"
        raise InputError(
            f"none of {len(chats):,} demonstrations can be trained on ({reasons}); sequence_length is "
            f"{train.sequence_length} and tokens {train.tokens}, raise them or bring more data"
        )
    warnings = [f"{count:,} of {len(chats):,} demonstrations left out: {why}" for why, count in left_out.items()]
    order = [piece for epoch in range(train.epochs) for piece in _epoch(pieces, seed, epoch)]
    packed = pack(first_fit(order, train.sequence_length), train.sequence_length, _pad_id(tokenizer))
    return TrainingData(packed, train.epochs, len(pieces), tokens, left_out, warnings)


def _shuffled(rows: Sequence[Any], seed: int) -> list[Any]:
    """Sorted by id first, so that the order of a file decides nothing."""
    ordered = sorted(rows, key=lambda row: row.id)
    random.Random(f"shuffle/{seed}").shuffle(ordered)
    return ordered


def _epoch(pieces: list[Piece], seed: int, epoch: int) -> Iterable[Piece]:
    """The first epoch keeps the shuffled order that the cap was applied to; later ones are shuffled anew."""
    if epoch == 0:
        return pieces
    ordered = list(pieces)
    random.Random(f"shuffle/{seed}/{epoch}").shuffle(ordered)
    return ordered


def _document_pieces(documents: Sequence[Document], tokenizer: Any) -> Iterator[Piece]:
    for some in _batches(documents, 64):
        encoded: list[list[int]] = tokenizer([document.text for document in some])["input_ids"]
        for document, ids in zip(some, encoded, strict=True):
            # Tokenizers that close a text with their own end token must not end it twice.
            ended = ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]
            yield Piece(document.id, np.array(ended, dtype=np.int32), np.broadcast_to(np.True_, len(ended)))


def _batches(rows: Sequence[Document], size: int) -> Iterator[tuple[Document, ...]]:
    iterator = iter(rows)
    while some := tuple(islice(iterator, size)):
        yield some


def _pad_id(tokenizer: Any) -> int:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
