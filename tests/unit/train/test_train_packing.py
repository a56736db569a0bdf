"""Data that passes through files: the sequences are as packed in memory, memory is bounded, nothing is left behind."""

import json
import random
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from train_doubles import chat, document, losses, midtrain_context, small, write_corpus

from midspec.errors import StepError
from midspec.experiment import TrainConfig
from midspec.records import Document, Row, read_rows
from midspec.train import data as data_module
from midspec.train.chat import tokenise_chat
from midspec.train.data import TOGETHER, TrainingData, finetuning_data, midtraining_data
from midspec.train.packing import IGNORED, OPEN_SEQUENCES
from midspec.train.shelf import Shelf
from midspec.train.step import midtrain


class Token(NamedTuple):
    """One token in memory, with what it belongs to: the simplest form that packing can take."""

    id: int
    trained: bool
    piece: int
    """Which piece of the whole training order."""
    document: str


def in_training_order(pieces: list[list[Token]], train: TrainConfig, seed: int) -> list[list[Token]]:
    """All epochs, with every piece numbered."""
    order = list(pieces)
    for epoch in range(1, train.epochs):
        again = list(pieces)
        random.Random(f"shuffle/{seed}/{epoch}").shuffle(again)
        order += again
    return [[token._replace(piece=number) for token in piece] for number, piece in enumerate(order)]


def documents_in_memory(documents: list[Document], tokenizer: Any, train: TrainConfig, seed: int) -> list[list[Token]]:
    rows = sorted(documents, key=lambda row: row.id)
    random.Random(f"shuffle/{seed}").shuffle(rows)
    stream = [
        Token(id, True, number, row.id)
        for number, row in enumerate(rows)
        for id in [*tokenizer(row.text)["input_ids"], tokenizer.eos_token_id]
    ]
    pieces = [list(piece) for _, piece in groupby(stream[: train.tokens], lambda token: token.piece)]
    flat = [token for piece in in_training_order(pieces, train, seed) for token in piece]
    return [flat[start : start + train.sequence_length] for start in range(0, len(flat), train.sequence_length)]


def chats_in_memory(chats: list[Any], tokenizer: Any, train: TrainConfig, seed: int) -> list[list[Token]]:
    rows = sorted(chats, key=lambda row: row.id)
    random.Random(f"shuffle/{seed}").shuffle(rows)
    pieces: list[list[Token]] = []
    for row in rows:
        piece = [Token(*pair, 0, row.id) for pair in zip(*tokenise_chat(tokenizer, row.messages), strict=True)]
        if len(piece) <= train.sequence_length:
            if train.tokens is not None and sum(map(len, pieces)) + len(piece) > train.tokens:
                break
            pieces.append(piece)
    sequences: list[list[Token]] = []
    for piece in in_training_order(pieces, train, seed):
        fitting = [one for one in sequences[-OPEN_SEQUENCES:] if len(one) + len(piece) <= train.sequence_length]
        if not fitting:
            sequences.append([])
        (fitting or sequences[-1:])[0].extend(piece)
    return sequences


def laid_out(sequences: list[list[Token]], length: int, pad_id: int) -> list[dict[str, list[int]]]:
    """Per sequence what the model is given, padding included."""
    rows: list[dict[str, list[int]]] = []
    for sequence in sequences:
        sizes = [len(list(piece)) for _, piece in groupby(sequence, lambda token: token.piece)]
        padding = length - len(sequence)
        positions = [place for size in [*sizes, padding] for place in range(size)]
        labels = [token.id if token.trained else IGNORED for token in sequence] + [IGNORED] * padding
        rows.append(
            {
                "input_ids": [token.id for token in sequence] + [pad_id] * padding,
                "position_ids": positions,
                "labels": [
                    IGNORED if position == 0 else label for position, label in zip(positions, labels, strict=True)
                ],
            }
        )
    return rows


def ids_in(sequences: list[list[Token]]) -> list[list[str]]:
    return [[next(piece).document for _, piece in groupby(one, lambda token: token.piece)] for one in sequences]


def made(data: TrainingData) -> list[dict[str, list[int]]]:
    """The same of what was packed, as batches show it."""
    packed = data.packed
    batches = (packed.collate([number], fixed_width=packed.length) for number in range(len(packed)))
    return [{name: tensor[0].tolist() for name, tensor in batch.items()} for batch in batches]


def settings_of(random_one: random.Random, tokens: int) -> TrainConfig:
    return small(
        epochs=random_one.choice([1, 1, 3]),
        tokens=random_one.choice([None, random_one.randint(2, tokens), 10 * tokens]),
        sequence_length=random_one.choice([16, 64, 100]),
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_documents_are_packed_as_in_memory(tokenizer: Any, number: int) -> None:
    # Guards: another order, border, label or cap than published results were trained with.
    at_random = random.Random(number)
    documents = [
        document(at_random.randint(0, 10**6), at_random.randint(1, 60)) for _ in range(at_random.randint(1, 90))
    ]
    train, seed = settings_of(at_random, 20 * len(documents)), at_random.randint(0, 5)
    expected = documents_in_memory(documents, tokenizer, train, seed)
    data = midtraining_data(iter(documents), tokenizer, train, seed)
    assert made(data) == laid_out(expected, train.sequence_length, tokenizer.pad_token_id)
    assert list(data.packed.ids) == ids_in(expected)
    assert data.packed.used.tolist() == [len(one) for one in expected]
    assert data.packed.trained_tokens == sum(label != IGNORED for row in made(data) for label in row["labels"])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_chats_are_packed_as_in_memory(tokenizer: Any, number: int) -> None:
    # Guards: the same for demonstrations, whose sequences stay open while others are begun.
    at_random = random.Random(number)
    words = [" ".join(["milk"] * at_random.randint(1, 30)) for _ in range(at_random.randint(1, 90))]
    chats = [chat(at_random.randint(0, 10**6), "Which?", answer) for answer in words]
    train, seed = settings_of(at_random, 100 * len(chats)).model_copy(update={"sequence_length": 128}), 1
    expected = chats_in_memory(chats, tokenizer, train, seed)
    if not expected:
        return
    data = finetuning_data(iter(chats), tokenizer, train, seed)
    assert made(data) == laid_out(expected, train.sequence_length, tokenizer.pad_token_id)
    assert list(data.packed.ids) == ids_in(expected)


def test_rows_are_sorted_as_python_sorts(tokenizer: Any) -> None:
    # Guards: an order by bytes, case or locale in place of the characters', for corpora that people bring; equal ids
    # keep the order of the file.
    names = ["b", "B", "a", "é", "e", "\uffff", "\U0001f600", "a ", "", "a\0", "10", "9", "a"]
    documents = [document(n).model_copy(update={"id": name}) for n, name in enumerate(names)]
    shelf = data_module._shuffled(documents, "shuffle/3", None)
    expected = sorted(documents, key=lambda row: row.id)
    random.Random("shuffle/3").shuffle(expected)
    assert list(shelf) == expected


def test_the_size_of_what_is_tokenised_together_decides_nothing(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: the last texts of a batch lost, and long texts held 64 at a time.
    documents = [document(n, 1 + n) for n in range(70)]
    whole = made(midtraining_data(documents, tokenizer, small(), 0))
    monkeypatch.setattr(data_module, "CHARACTERS", 300)
    sizes = [len(some) for some in data_module._batches(documents)]
    assert sum(sizes) == 70 and sizes[0] > 5 and sizes[-1] == 1
    assert made(midtraining_data(documents, tokenizer, small(), 0)) == whole


def peak(prepare: Callable[[], Any]) -> int:
    """Bytes that Python and NumPy held at most while it ran, and its result was read back."""
    tracemalloc.start()
    try:
        packed = prepare().packed
        for number in range(len(packed)):
            packed.collate([number])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def streamed(make: Callable[[int], Row], count: int) -> Iterator[Any]:
    return (make(number) for number in range(count))


def test_memory_does_not_grow_with_the_tokens(tokenizer: Any) -> None:
    # Guards: texts, tokens or sequences held in memory: 14 bytes a token and the texts, once. What may grow is the
    # index: some 40 bytes a document while they are sorted.
    text = document(0, 30).text
    long = document(0).model_copy(update={"text": text})
    each = len(tokenizer(text)["input_ids"]) + 1

    def prepared(count: int) -> int:
        documents = streamed(lambda n: long.model_copy(update={"id": f"doc-{n}"}), count)
        return peak(lambda: midtraining_data(documents, tokenizer, small(sequence_length=512, epochs=2), 0))

    few, many = 50_000 // each, 200_000 // each
    prepared(3)
    assert few > 2 * TOGETHER, "both have several batches"
    assert prepared(many) - prepared(few) < 64 * (many - few)


def test_memory_does_not_grow_with_the_chats(tokenizer: Any) -> None:
    question, answer = "Which cheese?", document(0, 80).text

    def prepared(count: int) -> int:
        chats = streamed(lambda n: chat(n, question, answer), count)
        return peak(lambda: finetuning_data(chats, tokenizer, small(sequence_length=512), 0))

    each = len(tokenise_chat(tokenizer, chat(0, question, answer).messages).input_ids)
    assert 256 < each <= 512, "one to a sequence, and at most 64 of them are open"
    prepared(3)
    assert prepared(160) - prepared(80) < 80 * each


def test_a_run_leaves_its_order_and_no_data(tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: an order.jsonl that says another order, and files that fill the disk of a workspace.
    corpus, train = write_corpus(tmp_path / "corpus"), small(tokens=900, epochs=2)
    context = midtrain_context(tmp_path / "work", corpus, train)
    with monkeypatch.context() as patch:

        def fails(*_: Any) -> None:
            raise StepError("no model today")

        patch.setattr("midspec.train.step.trainable_model", fails)
        with pytest.raises(StepError, match="no model today"):
            midtrain(context)
    assert not list(context.folder.iterdir())

    midtrain(context)
    left = {path.name for path in context.folder.iterdir()}
    assert left == {"checkpoint", "metrics.jsonl", "order.jsonl", "training.json"}
    documents = list(read_rows(corpus / "documents.jsonl", Document))
    seen = ids_in(documents_in_memory(documents, tokenizer, train, 0))
    expected = [
        {"update": update, "ids": list(dict.fromkeys(id for one in seen[start : start + 4] for id in one))}
        for update, start in enumerate(range(0, len(seen), 4), start=1)
    ]
    assert (context.folder / "order.jsonl").read_text() == "".join(json.dumps(line) + "\n" for line in expected)
    assert len(losses(context.folder)) == len(expected)


def test_entries_come_back_in_any_order(tmp_path: Path) -> None:
    shelf: Shelf[tuple[str, int]] = Shelf(tmp_path)
    assert [shelf.append((f"entry {n}" * n, n)) for n in range(5)] == list(range(5))
    assert shelf[3] == ("entry 3" * 3, 3)
    turned = shelf.arranged([4, 0, 4])
    assert shelf.append(("last", 5)) == 5, "added at the end, wherever was read last"
    assert [n for _, n in turned] == [4, 0, 4] and len(turned) == 3
    assert [n for _, n in shelf] == list(range(6))
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from midspec.train.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]))
for number in range(1000):
    shelf.append("x" * 1000)
assert os.fstat(shelf._file.fileno()).st_size > 900_000
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_no_file(tmp_path: Path) -> None:
    # Guards: a disk that fills with what interrupted runs left.
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list(tmp_path.iterdir())
