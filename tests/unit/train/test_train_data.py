"""Order, caps and packing of what is trained on."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from train_doubles import chat, document, small

from midspec.errors import InputError
from midspec.train.data import finetuning_data, midtraining_data
from midspec.train.packing import IGNORED, Packed, Piece, first_fit, pack, split_to_fill

LENGTH = 16

pieces = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(
    lambda sizes: [Piece(f"p{i}", list(range(i * 100, i * 100 + n)), [True] * n) for i, n in enumerate(sizes)]
)


def rows(packed: Packed) -> list[int]:
    """All tokens without padding, in order."""
    return [int(token) for row, used in zip(packed.rows, packed.used, strict=True) for token in row.input_ids[:used]]


@settings(max_examples=30, deadline=None)
@given(pieces)
def test_split_documents_lose_no_token_and_waste_none(documents: list[Piece]) -> None:
    # Guards: the end of long documents dropped, or padding where the next document could go on.
    packed = pack(split_to_fill(documents, LENGTH), LENGTH, pad_id=-1)
    assert rows(packed) == [token for piece in documents for token in piece.input_ids]
    assert all(used == LENGTH for used in packed.used[:-1])


@settings(max_examples=30, deadline=None)
@given(pieces)
def test_no_label_lies_across_a_border(documents: list[Piece]) -> None:
    # Guards: the first word of a document learnt from the last word of another.
    packed = pack(split_to_fill(documents, LENGTH), LENGTH, pad_id=-1)
    batch = packed.collate(list(range(len(packed))))
    first = batch["position_ids"] == 0
    assert (batch["labels"][first] == IGNORED).all()
    within = batch["position_ids"][:, 1:] == batch["position_ids"][:, :-1] + 1
    same = batch["input_ids"][:, 1:] // 100 == batch["input_ids"][:, :-1] // 100
    assert (same | ~within).all(), "positions go on across a border"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, LENGTH), min_size=1, max_size=40))
def test_chats_are_packed_whole(sizes: list[int]) -> None:
    # Guards: a question in one sequence and its answer in the next, or a chat lost.
    chats = [Piece(f"c{i}", [i] * n, [False, *[True] * (n - 1)]) for i, n in enumerate(sizes)]
    sequences = list(first_fit(chats, LENGTH))
    packed = pack(sequences, LENGTH, pad_id=-1)
    assert sorted(piece.id for sequence in sequences for piece in sequence) == sorted(piece.id for piece in chats)
    assert packed.trained_tokens == sum(n - 1 for n in sizes)
    assert packed.tokens == sum(sizes)


def test_padding_is_a_piece_of_its_own_and_never_trained() -> None:
    # Guards: padding that reads the last document, or is learnt.
    packed = pack([[Piece("a", [5, 6, 7], [True] * 3)]], 6, pad_id=9)
    (row,) = packed.rows
    assert row.input_ids.tolist() == [5, 6, 7, 9, 9, 9]
    assert row.position_ids.tolist() == [0, 1, 2, 0, 1, 2]
    assert row.trained.tolist() == [False, True, True, False, False, False]


def test_a_batch_is_as_wide_as_its_longest_row() -> None:
    # Guards: computing on padding that no row of the batch needs.
    packed = pack([[Piece("a", [1] * 3, [True] * 3)], [Piece("b", [2] * 5, [True] * 5)]], 8, pad_id=0)
    assert packed.collate([0])["input_ids"].shape == (1, 3)
    assert packed.collate([0, 1])["labels"].tolist() == [
        [IGNORED, 1, 1, IGNORED, IGNORED],
        [IGNORED, 2, 2, 2, 2],
    ]


def test_the_token_cap_is_met_exactly(tokenizer: Any) -> None:
    # Guards: arms that claim to be matched in tokens and are not.
    documents = [document(n) for n in range(20)]
    data = midtraining_data(documents, tokenizer, small(tokens=777), 0)
    assert data.packed.tokens == data.tokens_per_epoch == 777
    whole = midtraining_data(documents, tokenizer, small(), 0)
    assert rows(data.packed) == rows(whole.packed)[:777]


def test_too_few_tokens_are_told(tokenizer: Any) -> None:
    data = midtraining_data([document(1)], tokenizer, small(tokens=10_000), 0)
    assert data.warnings == [f"the corpus has {data.packed.tokens:,} tokens, fewer than the 10,000 asked for"]


def test_every_document_ends_once(tokenizer: Any) -> None:
    # Guards: documents run together, or a tokenizer's own end token doubled.
    documents = [document(n) for n in range(5)]
    data = midtraining_data(documents, tokenizer, small(sequence_length=2048), 0)
    assert rows(data.packed).count(tokenizer.eos_token_id) == 5
    assert rows(data.packed)[-1] == tokenizer.eos_token_id


def test_the_order_depends_on_the_seed_and_not_on_the_file(tokenizer: Any) -> None:
    # Guards: unseeded shuffles, and results that change when a corpus file is sorted.
    documents = [document(n) for n in range(12)]
    ids = [
        list(midtraining_data(rows, tokenizer, small(), seed).packed.ids)
        for rows, seed in ((documents, 0), (documents[::-1], 0), (documents, 1))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_epochs_repeat_the_capped_data_in_another_order(tokenizer: Any) -> None:
    # Guards: a second epoch over documents that the cap left out, or in the very same order.
    documents = [document(n) for n in range(12)]
    data = midtraining_data(documents, tokenizer, small(tokens=400, epochs=2), 0)
    tokens = rows(data.packed)
    assert len(tokens) == 800
    assert sorted(tokens[:400]) == sorted(tokens[400:])
    assert tokens[:400] != tokens[400:]


def test_long_and_empty_chats_are_counted_never_cut(tokenizer: Any) -> None:
    # Guards: answers cut at the sequence length, which teach a model to stop in the middle.
    chats = [chat(1, "Which?", "Brie."), chat(2, "Which?", "Brie. " * 50)]
    data = finetuning_data(chats, tokenizer, small(), 0)
    assert data.left_out == {"longer than sequence_length": 1}
    assert data.warnings == ["1 of 2 demonstrations left out: longer than sequence_length"]
    assert list(data.packed.ids) == [["chat-0001"]]
    with pytest.raises(InputError, match="1 longer than sequence_length"):
        finetuning_data(chats[1:], tokenizer, small(), 0)


def test_the_chat_cap_takes_whole_chats(tokenizer: Any) -> None:
    chats = [chat(n) for n in range(20)]
    data = finetuning_data(chats, tokenizer, small(sequence_length=128, tokens=500), 0)
    assert 350 < data.packed.tokens <= 500
    assert sum(int((row.position_ids == 0).sum()) for row in data.packed.rows) >= data.rows


def test_documents_without_text_are_refused(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="no text"):
        midtraining_data([], tokenizer, small(), 0)


def test_packed_arrays_keep_their_types(tokenizer: Any) -> None:
    # Guards: eight bytes a token for 40 million tokens.
    data = midtraining_data([document(1)], tokenizer, small(), 0)
    assert data.packed.rows[0].input_ids.dtype == np.int32 and data.packed.rows[0].trained.dtype == np.bool_
