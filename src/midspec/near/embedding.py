"""Near-duplicates by meaning: exact search over embeddings, most of it in a few dimensions.

A vector is turned so that its first HEAD coordinates hold most of its length. The inner product of two vectors is at
most that of their heads plus the product of the lengths of their tails (Cauchy-Schwarz), which is one matrix product of
HEAD + 1 columns; only what passes it is compared in full. Vectors are stored on a grid of 2^-14, so that the full inner
product is an exact integer and does not depend on the order in which texts arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from midspec.near.index import Method

Array = NDArray[np.float32]

HEAD = 64
BASIS_SAMPLE = 1024
"""Texts from whose vectors the turning is made; until then all coordinates are compared."""
GRID = 1 << 14
_SLACK = 1e-3
"""Float32 rounding of a bound, generously."""
_EMBEDDING = Lock()
"""One embedding at a time: each uses all cores."""


class Embedder(Protocol):
    """What makes vectors of texts."""

    def embed(self, texts: Sequence[str]) -> Array:
        """Unit vectors, [texts, dimensions]."""
        ...


class EmbeddingIndex:
    """Vectors of texts so far; about 1 kB each."""

    def __init__(self, limit: float, embedder: Embedder) -> None:
        self.method = Method("embedding", f"all-MiniLM-L6-v2, exact inner product > {limit}")
        self._embedder = embedder
        self._limit = limit
        self._least = limit * GRID * GRID
        self._count = 0
        self._vectors = np.empty((0, 0), np.int16)
        self._heads: Array = np.empty((0, HEAD + 1), np.float32)
        self._basis: Array | None = None

    def sketches(self, texts: Sequence[str]) -> list[NDArray[np.int16]]:
        """Vectors on the grid."""
        if not texts:
            return []
        with _EMBEDDING:
            vectors = self._embedder.embed(texts)
        return list(np.rint(vectors * GRID).astype(np.int16))

    def near(self, sketch: NDArray[np.int16]) -> int | None:
        """The most similar text above the limit, the earliest of several equal ones."""
        if not self._count:
            return None
        if self._basis is None:
            candidates = np.arange(self._count)
        else:
            bounds = self._heads[: self._count] @ self._head(sketch[None])[0]
            candidates = np.flatnonzero(bounds > self._limit - _SLACK)
        if not len(candidates):
            return None
        # Products of the grid are whole numbers far below 2^53: exact in float64, in any order.
        products = self._vectors[candidates].astype(np.float64) @ sketch.astype(np.float64)
        best = int(np.argmax(products))
        return int(candidates[best]) if products[best] > self._least else None

    def add(self, sketch: NDArray[np.int16]) -> None:
        """Take a text in."""
        if self._count == len(self._vectors):
            self._grow(max(BASIS_SAMPLE, 2 * self._count), len(sketch))
        self._vectors[self._count] = sketch
        if self._basis is not None:
            self._heads[self._count] = self._head(sketch[None])[0]
        self._count += 1
        if self._basis is None and self._count == BASIS_SAMPLE:
            self._turn()

    def empty(self) -> EmbeddingIndex:
        """One with the same limit and embedder."""
        return EmbeddingIndex(self._limit, self._embedder)

    def _grow(self, size: int, dimensions: int) -> None:
        vectors = np.zeros((size, dimensions), np.int16)
        heads = np.zeros((size, HEAD + 1), np.float32)
        vectors[: self._count] = self._vectors[: self._count].reshape(self._count, dimensions)
        heads[: self._count] = self._heads[: self._count]
        self._vectors, self._heads = vectors, heads

    def _turn(self) -> None:
        sample = self._vectors[: self._count].astype(np.float32) / GRID
        _, _, directions = np.linalg.svd(sample, full_matrices=False)
        self._basis = np.ascontiguousarray(directions[:HEAD].T)
        self._heads[: self._count] = self._head(self._vectors[: self._count])

    def _head(self, vectors: NDArray[np.int16]) -> Array:
        """First coordinates after turning, and the length of the rest, [texts, HEAD + 1]."""
        assert self._basis is not None
        full = vectors.astype(np.float32) / GRID
        heads = full @ self._basis
        rest = np.sqrt(np.maximum(0, (full * full).sum(1) - (heads * heads).sum(1)))
        return np.concatenate([heads, rest[:, None]], axis=1, dtype=np.float32)
