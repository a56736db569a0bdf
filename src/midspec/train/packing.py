"""Token lists into fixed-length sequences, in which documents never see each other."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from midspec.train.shelf import Shelf

IGNORED = -100
"""Label of a position whose prediction does not count (the value that PyTorch's cross-entropy ignores)."""

OPEN_SEQUENCES = 64
"""How many unfilled sequences first-fit looks back to: bounds its time, and keeps the seeded order nearly."""


class Piece(NamedTuple):
    """Tokens that belong together: a chat, a document, or the part of a long one that fits a sequence."""

    id: str
    """`Document.id` or `ChatExample.id`."""
    input_ids: Sequence[int] | NDArray[np.int32]
    """Arrays where there are many: a list of ten million numbers takes 400 MB, and as many bytes of an array 40."""
    trained: Sequence[bool] | NDArray[np.bool_]
    """Per token: whether its prediction counts, if it has anything before it to be predicted from."""


class Row(NamedTuple):
    """One sequence as the model sees it. Shapes are (length,)."""

    input_ids: NDArray[np.int32]
    position_ids: NDArray[np.int32]
    """Restarts at 0 with every piece, and once more for padding; attention is cut where it restarts."""
    trained: NDArray[np.bool_]
    """False at the first token of every piece: nothing may predict it across a border."""


@dataclass(frozen=True)
class Packed:
    """All sequences of a run in training order. They lie on disk; memory holds 20 bytes for each."""

    rows: Shelf[Row]
    ids: Shelf[list[str]]
    """Per sequence: the documents or chats in it."""
    used: NDArray[np.int32]
    """Shape (sequences,): tokens before the padding."""
    length: int
    """Positions of a sequence."""
    trained_tokens: int
    """Predictions that count."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def positions(self) -> int:
        """Those of all sequences, with padding."""
        return len(self) * self.length

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.used.sum())

    def collate(self, indices: list[int], fixed_width: int | None = None) -> dict[str, torch.Tensor]:
        """int64 tensors of shape (batch, longest used length): `input_ids`, `position_ids`, `labels`.

        With `fixed_width`, all batches are as wide as a whole sequence, rounded up to a multiple of it: programs that
        are compiled for one shape see no other.
        """
        rows = [self.rows[index] for index in indices]
        used = int(self.used[indices].max())
        width = used if fixed_width is None else -(-self.length // fixed_width) * fixed_width
        input_ids = np.stack([row.input_ids[:width] for row in rows]).astype(np.int64)
        labels = np.where(np.stack([row.trained[:width] for row in rows]), input_ids, IGNORED)
        position_ids = np.stack([row.position_ids[:width] for row in rows]).astype(np.int64)
        if beyond := max(0, width - self.length):
            sides = ((0, 0), (0, beyond))
            input_ids, labels = np.pad(input_ids, sides), np.pad(labels, sides, constant_values=IGNORED)
            # A piece of its own, like all padding.
            position_ids = np.concatenate([position_ids, np.tile(np.arange(beyond), (len(rows), 1))], axis=1)
        return {
            "input_ids": torch.from_numpy(input_ids),
            "position_ids": torch.from_numpy(position_ids),
            "labels": torch.from_numpy(labels),
        }


def split_to_fill(documents: Iterable[Piece], length: int) -> Iterator[list[Piece]]:
    """Sequences filled to the last token, in order; a document that does not fit goes on in the next sequence.

    A continued part begins at position 0 and without what came before it. Only the last sequence can be shorter.
    """
    sequence: list[Piece] = []
    room = length
    for document in documents:
        start = 0
        while start < len(document.input_ids):
            end = min(start + room, len(document.input_ids))
            sequence.append(Piece(document.id, document.input_ids[start:end], document.trained[start:end]))
            room -= end - start
            start = end
            if room == 0:
                yield sequence
                sequence, room = [], length
    if sequence:
        yield sequence


def first_fit(chats: Iterable[Piece], length: int) -> Iterator[list[Piece]]:
    """Sequences of whole chats; each goes into the first of the latest open sequences that has room for it."""
    open_ones: deque[list[Piece]] = deque()
    rooms: deque[int] = deque()
    for chat in chats:
        size = len(chat.input_ids)
        assert size <= length, "over-long chats are set aside before packing"
        index = next((index for index, room in enumerate(rooms) if room >= size), len(rooms))
        if index == len(rooms):
            if index == OPEN_SEQUENCES:
                index -= 1
                rooms.popleft()
                yield open_ones.popleft()
            open_ones.append([])
            rooms.append(length)
        open_ones[index].append(chat)
        rooms[index] -= size
    yield from open_ones


def pack(sequences: Iterable[list[Piece]], length: int, pad_id: int, folder: Path | None = None) -> Packed:
    """Lay sequences out as rows, padded at the tail; they go to files without a name on the disk of `folder`."""
    rows: Shelf[Row] = Shelf(folder)
    ids: Shelf[list[str]] = Shelf(folder)
    used = array("i")
    trained_tokens = 0
    for sequence in sequences:
        row = _row(sequence, length, pad_id)
        rows.append(row)
        ids.append([piece.id for piece in sequence])
        used.append(sum(len(piece.input_ids) for piece in sequence))
        trained_tokens += int(row.trained.sum())
    return Packed(rows, ids, np.array(used, dtype=np.int32), length, trained_tokens)


def _row(sequence: list[Piece], length: int, pad_id: int) -> Row:
    """Padding is a piece of its own, and nothing there is trained."""
    row = Row(np.full(length, pad_id, np.int32), np.zeros(length, np.int32), np.zeros(length, np.bool_))
    end = 0
    for piece in sequence:
        start, end = end, end + len(piece.input_ids)
        row.input_ids[start:end] = piece.input_ids
        row.position_ids[start:end] = np.arange(end - start)
        row.trained[start + 1 : end] = piece.trained[1:]
    row.position_ids[end:] = np.arange(length - end)
    return row
