"""Token lists into fixed-length sequences, in which documents never see each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Packed:
    """All sequences of a run in training order. Shapes are (sequences, length)."""

    input_ids: NDArray[np.int32]
    position_ids: NDArray[np.int32]
    """Restarts at 0 with every piece, and once more for padding; attention is cut where it restarts."""
    trained: NDArray[np.bool_]
    """False at the first token of every piece: nothing may predict it across a border."""
    used: NDArray[np.int32]
    """Shape (sequences,): tokens before the padding."""
    ids: list[list[str]]
    """Per sequence: the documents or chats in it."""

    def __len__(self) -> int:
        return len(self.used)

    def __getitem__(self, index: int) -> int:
        """The index itself; `collate` takes the rows of a batch at once."""
        return index

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.used.sum())

    @property
    def trained_tokens(self) -> int:
        """Predictions that count."""
        return int(self.trained.sum())

    def collate(self, indices: list[int], fixed_width: int | None = None) -> dict[str, torch.Tensor]:
        """int64 tensors of shape (batch, longest used length): `input_ids`, `position_ids`, `labels`.

        With `fixed_width`, all batches are as wide as a whole sequence, rounded up to a multiple of it: programs that
        are compiled for one shape see no other.
        """
        rows = np.asarray(indices)
        length = self.input_ids.shape[1]
        width = int(self.used[rows].max()) if fixed_width is None else -(-length // fixed_width) * fixed_width
        input_ids = self.input_ids[rows, :width].astype(np.int64)
        labels = np.where(self.trained[rows, :width], input_ids, IGNORED)
        position_ids = self.position_ids[rows, :width].astype(np.int64)
        if beyond := max(0, width - length):
            sides = ((0, 0), (0, beyond))
            input_ids, labels = np.pad(input_ids, sides), np.pad(labels, sides, constant_values=IGNORED)
            # A piece of its own, like all padding.
            position_ids = np.concatenate([position_ids, np.tile(np.arange(beyond), (len(rows), 1))], axis=1)
        return {
            "input_ids": torch.from_numpy(input_ids),
            "position_ids": torch.from_numpy(position_ids),
            "labels": torch.from_numpy(labels),
        }


def split_to_fill(documents: Iterable[Piece], length: int) -> list[list[Piece]]:
    """Sequences filled to the last token, in order; a document that does not fit goes on in the next sequence.

    A continued part begins at position 0 and without what came before it. Only the last sequence can be shorter.
    """
    sequences: list[list[Piece]] = []
    room = 0
    for document in documents:
        start = 0
        while start < len(document.input_ids):
            if room == 0:
                sequences.append([])
                room = length
            end = min(start + room, len(document.input_ids))
            sequences[-1].append(Piece(document.id, document.input_ids[start:end], document.trained[start:end]))
            room -= end - start
            start = end
    return sequences


def first_fit(chats: Iterable[Piece], length: int) -> list[list[Piece]]:
    """Sequences of whole chats; each goes into the first of the latest open sequences that has room for it."""
    sequences: list[list[Piece]] = []
    rooms: list[int] = []
    for chat in chats:
        size = len(chat.input_ids)
        assert size <= length, "over-long chats are set aside before packing"
        for index in range(max(0, len(sequences) - OPEN_SEQUENCES), len(sequences)):
            if rooms[index] >= size:
                break
        else:
            index = len(sequences)
            sequences.append([])
            rooms.append(length)
        sequences[index].append(chat)
        rooms[index] -= size
    return sequences


def pack(sequences: list[list[Piece]], length: int, pad_id: int) -> Packed:
    """Lay sequences out as arrays, padded at the tail. Padding is a piece of its own, and nothing there is trained."""
    shape = (len(sequences), length)
    input_ids = np.full(shape, pad_id, dtype=np.int32)
    position_ids = np.zeros(shape, dtype=np.int32)
    trained = np.zeros(shape, dtype=np.bool_)
    used = np.zeros(len(sequences), dtype=np.int32)
    for row, sequence in enumerate(sequences):
        end = 0
        for piece in sequence:
            start, end = end, end + len(piece.input_ids)
            input_ids[row, start:end] = piece.input_ids
            position_ids[row, start:end] = np.arange(end - start)
            trained[row, start + 1 : end] = piece.trained[1:]
        used[row] = end
        position_ids[row, end:] = np.arange(length - end)
    return Packed(input_ids, position_ids, trained, used, [[piece.id for piece in sequence] for sequence in sequences])
