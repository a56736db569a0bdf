"""What a training stage sees, in which order: seeded shuffle, exact token cap, epochs, packing."""

from __future__ import annotations

import math
import random
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from midspec.errors import InputError
from midspec.experiment import TrainConfig
from midspec.records import ChatExample, Document, read_rows
from midspec.train.chat import tokenise_chat
from midspec.train.packing import Packed, Piece, first_fit, pack, split_to_fill
from midspec.train.shelf import Shelf

TOGETHER = 64
"""Documents that are tokenised at a time, which uses all cores."""

CHARACTERS = 200_000
"""Text that is tokenised at a time has at most so many, but for its last document: bounds the memory it takes."""

RowT = TypeVar("RowT", Document, ChatExample)


class Replayed(NamedTuple):
    """General text to be mixed into a midtraining."""

    documents: Iterable[Document]
    share: float
    """Of the tokens trained on, between 0 and 1."""


@dataclass
class TrainingData:
    """Packed sequences of all epochs, and what was left out on the way."""

    packed: Packed
    epochs: int
    rows: int
    """Documents or chats of one epoch."""
    tokens_per_epoch: int
    """Replayed ones, too."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason -> rows."""
    warnings: list[str] = field(default_factory=list)
    replayed_per_epoch: int = 0
    """Tokens of general text that was mixed in."""

    @property
    def replayed_tokens(self) -> int:
        """Those of all epochs."""
        return self.epochs * self.replayed_per_epoch


def midtraining_data(
    documents: Iterable[Document],
    tokenizer: Any,
    train: TrainConfig,
    seed: int,
    folder: Path | None = None,
    replay: Replayed | None = None,
) -> TrainingData:
    """Documents as next-token prediction on every token, each ended by the end-of-sequence token.

    `train.tokens` cuts the first epoch's order after exactly so many tokens, in the middle of a document if need be;
    later epochs shuffle what is left anew. With `replay`, tokens of it come on top until they are its share of all: it
    is shuffled by itself and cut in the same way, then both are shuffled together. Texts and tokens pass through files
    without a name on the disk of `folder` (None = that of the system's temporary files); memory holds a few numbers per
    document and per sequence. Raises InputError where there is no text, too little of it to replay, or the tokenizer
    has no end-of-sequence token.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the model's tokenizer has no end-of-sequence token; documents could not be told apart")
    pieces: Shelf[Piece] = Shelf(folder)
    tokens = _cut(_shuffled(documents, f"shuffle/{seed}", folder), tokenizer, train.tokens, pieces)
    if tokens < 2:
        raise InputError("the corpus holds no text to train on; expected documents.jsonl with at least one document")
    warnings: list[str] = []
    if train.tokens is not None and tokens < train.tokens:
        warnings.append(f"the corpus has {tokens:,} tokens, fewer than the {train.tokens:,} asked for")
    replayed = 0
    if replay is not None:
        replayed = _replay(replay, tokens, tokenizer, seed, folder, pieces)
        pieces = _reordered(pieces, f"together/{seed}")
    sequences = split_to_fill(_all_epochs(pieces, train.epochs, seed), train.sequence_length)
    packed = pack(sequences, train.sequence_length, _pad_id(tokenizer), folder)
    return TrainingData(
        packed, train.epochs, len(pieces), tokens + replayed, warnings=warnings, replayed_per_epoch=replayed
    )


def count_tokens(documents: Iterable[Document], tokenizer: Any) -> int:
    """What one epoch of `midtraining_data` without a cap would train on."""
    return sum(len(piece.input_ids) for piece in _document_pieces(documents, tokenizer))


def demonstrations(folder: Path, *, cot: bool, samples: int | None) -> Iterator[ChatExample]:
    """Yield demonstrations that a step left in `folder`, with the reasoning they were written with or without.

    `samples`: the first so many, which are a fair subset of all and lie within every larger one; None = all. Raises
    InputError where there are fewer, or none with reasoning.
    """
    path = folder / ("demonstrations-cot.jsonl" if cot else "demonstrations.jsonl")
    if cot and not path.exists():
        raise InputError(
            f"{path} does not exist: these demonstrations were written without reasoning, as those of the kind "
            "`preferences` are; set `cot: false` for the arm, or `aft.kind: chat`"
        )
    count = 0
    for row in islice(read_rows(path, ChatExample), samples):
        count += 1
        yield row
    if samples is not None and count < samples:
        raise InputError(f"{path} holds {count:,} demonstrations, and an arm asks for aft_samples {samples:,}")


def finetuning_data(
    chats: Iterable[ChatExample], tokenizer: Any, train: TrainConfig, seed: int, folder: Path | None = None
) -> TrainingData:
    """Chats whose assistant turns are trained, packed whole.

    A chat longer than `train.sequence_length` is left out and counted. `train.tokens` takes whole chats of the shuffled
    order while they fit, so the last few tokens of the cap may stay unused. `folder`: as in `midtraining_data`. Raises
    InputError where nothing is left.
    """
    pieces: Shelf[Piece] = Shelf(folder)
    left_out: dict[str, int] = {}
    tokens = 0
    shuffled = _shuffled(chats, f"shuffle/{seed}", folder)
    for chat in shuffled:
        input_ids, trained = tokenise_chat(tokenizer, chat.messages)
        if len(input_ids) > train.sequence_length:
            left_out["longer than sequence_length"] = left_out.get("longer than sequence_length", 0) + 1
            continue
        if not any(trained[1:]):
            left_out["empty answer"] = left_out.get("empty answer", 0) + 1
            continue
        if train.tokens is not None and tokens + len(input_ids) > train.tokens:
            break
        pieces.append(Piece(chat.id, np.array(input_ids, dtype=np.int32), np.array(trained, dtype=np.bool_)))
        tokens += len(input_ids)
    if not pieces:
        reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.items()) or "none fits the token cap"
        raise InputError(
            f"none of {len(shuffled):,} demonstrations can be trained on ({reasons}); sequence_length is "
            f"{train.sequence_length} and tokens {train.tokens}, raise them or bring more data"
        )
    warnings = [f"{count:,} of {len(shuffled):,} demonstrations left out: {why}" for why, count in left_out.items()]
    sequences = first_fit(_all_epochs(pieces, train.epochs, seed), train.sequence_length)
    packed = pack(sequences, train.sequence_length, _pad_id(tokenizer), folder)
    return TrainingData(packed, train.epochs, len(pieces), tokens, left_out, warnings)


def _cut(documents: Iterable[Document], tokenizer: Any, most: int | None, pieces: Shelf[Piece]) -> int:
    """Put the first `most` tokens (None = all) of `documents` on the shelf; returns how many there are."""
    tokens = 0
    for piece in _document_pieces(documents, tokenizer):
        rest = most - tokens if most is not None else None
        taken = Piece(piece.id, piece.input_ids[:rest], piece.trained[:rest])
        pieces.append(taken)
        tokens += len(taken.input_ids)
        if tokens == most:
            break
    return tokens


def _replay(replay: Replayed, own: int, tokenizer: Any, seed: int, folder: Path | None, pieces: Shelf[Piece]) -> int:
    """Put what is replayed beside `own` tokens on the shelf; returns how many tokens that is."""
    wanted = round(own * replay.share / (1 - replay.share))
    if wanted == 0:
        raise InputError(
            f"replay of share {replay.share:g} beside {own:,} tokens of the corpus is not one token; raise the share, "
            "or leave replay out"
        )
    there = _cut(_shuffled(replay.documents, f"replay/{seed}", folder), tokenizer, wanted, pieces)
    if there < wanted:
        # Rounded down, so that what is said does work.
        most = math.floor(1000 * there / (there + own)) / 1000
        raise InputError(
            f"the file to replay holds {there:,} tokens, and {wanted:,} are needed for share {replay.share:g} beside "
            f"{own:,} tokens of the corpus; take a larger file"
            + (f", or a share of at most {most:g}" if most else ", or leave replay out")
        )
    return there


def _shuffled(rows: Iterable[RowT], key: str, folder: Path | None) -> Shelf[RowT]:
    """Sorted by id first, so that the order of a file decides nothing. `key` names purpose and seed."""
    shelf: Shelf[RowT] = Shelf(folder)
    # A database without a name sorts in bounded memory, and as Python would: UTF-8 has the order of its characters.
    with closing(sqlite3.connect("")) as table:
        table.execute("CREATE TABLE rows (id TEXT, number INTEGER)")
        table.executemany("INSERT INTO rows VALUES (?, ?)", ((row.id, shelf.append(row)) for row in rows))
        order = array("q", (number for (number,) in table.execute("SELECT number FROM rows ORDER BY id, number")))
    random.Random(key).shuffle(order)
    return shelf.arranged(order)


def _all_epochs(pieces: Shelf[Piece], epochs: int, seed: int) -> Iterator[Piece]:
    """The first epoch keeps the shuffled order that the cap was applied to; later ones are shuffled anew."""
    yield from pieces
    for epoch in range(1, epochs):
        yield from _reordered(pieces, f"shuffle/{seed}/{epoch}")


def _reordered(pieces: Shelf[Piece], key: str) -> Shelf[Piece]:
    order = array("q", range(len(pieces)))
    random.Random(key).shuffle(order)
    return pieces.arranged(order)


def _document_pieces(documents: Iterable[Document], tokenizer: Any) -> Iterator[Piece]:
    for some in _batches(documents):
        yield from _tokenised(some, tokenizer)


def _tokenised(some: list[Document], tokenizer: Any) -> Iterator[Piece]:
    encoded: list[list[int]] = tokenizer([document.text for document in some])["input_ids"]
    for document, ids in zip(some, encoded, strict=True):
        # Tokenizers that close a text with their own end token must not end it twice.
        ended = ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]
        yield Piece(document.id, np.array(ended, dtype=np.int32), np.broadcast_to(np.True_, len(ended)))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    some: list[Document] = []
    characters = 0
    for document in documents:
        some.append(document)
        characters += len(document.text)
        if len(some) == TOGETHER or characters >= CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some


def _pad_id(tokenizer: Any) -> int:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
