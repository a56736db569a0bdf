"""Near-duplicate removal of 100k short questions: time, memory, and agreement with exact search over MiniLM embeddings.

    OMP_NUM_THREADS=1 python -m benchmarks.near_duplicates [--texts 100000] [--candidates]

Input: `near_questions.questions(n)`, 100k questions of 20 tokens on average, made by program as told there.

Method: each line is a process of its own on one thread, so that its peak memory is its own. Times are CPU seconds of
that process (user and system), which other work on the machine lengthens little; loading the model is in them, making
the input is not. Removal is greedy in the order of the input: a text goes if an earlier one that stays is nearer than
0.91. The reference is the paper's method: MiniLM embeddings, exact inner product, all pairs in blocks. Precision is the
share of the removed texts that the reference removes as well, recall the share of what the reference removes.

- `embed`: all-MiniLM-L6-v2 in numpy (`midspec.near.minilm`), float32, sentences of equal length together.
- `exact`: inner products in blocks of 512 with float32, over the vectors of `embed`: the reference.
- `index`: `midspec.near.embedding`, one text at a time as in use, over the vectors of `embed`.
- `lexical`: `midspec.near.lexical`, one text at a time, without any model.
- `transformers`: the same embeddings by Transformers on torch, float32, sorted by length and padded, batches of 64, as
  sentence-transformers does it; on 5,000 texts, and times n / 5,000.
- `--candidates`: what was tried and not taken, on 20,000 texts: cosines of TF-IDF over words and over character
  4-grams, and static embeddings (a weighted mean of MiniLM's vectors of single tokens) as a filter before the model.

Measured on 2 shared cores of a Xeon with AVX-512, one thread, 100,000 texts, 24,312 of them removed by the reference:

| | CPU seconds | peak MB | precision | recall |
|---|---|---|---|---|
| embed, in numpy | 594 | 243 (of 20,000 texts; 100,000 vectors are 154 MB more) | | |
| the same by Transformers | 618 (30.9 for 5,000) | 793 | | |
| exact, in blocks, all at once (reference) | 35 | 669 | 1 | 1 |
| index, one text at a time | 69 | 380 | 0.9999 | 0.9999 |
| lexical, one text at a time | 85 | 250 | 0.914 | 0.546 |

One text at a time by brute force takes 8.0 ms at 75,000 texts, about 400 s for all (extrapolated). Index and reference
differ in 4 texts: three whose nearest text is within 0.00002 of the limit, where the grid rounds, and one that follows
from those. Nothing lexical comes near the model, and no filter before the model pays: at recall 0.995 between 93%
(5,000 texts) and 98% (20,000) of the texts would still have to be embedded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.near_questions import questions
from midspec.near.embedding import EmbeddingIndex
from midspec.near.index import NearIndex
from midspec.near.lexical import LexicalIndex, grams
from midspec.near.minilm import load_minilm, model_folder
from midspec.steps.progress import Silent

LIMIT = 0.91
SAMPLE = 5_000
CANDIDATES_ON = 20_000
Flags = NDArray[np.bool_]


def exact(vectors: NDArray[np.float32], limit: float = LIMIT, block: int = 512) -> Flags:
    """The reference: all inner products, in blocks."""
    removed = np.zeros(len(vectors), bool)
    for start in range(0, len(vectors), block):
        products = vectors[start : start + block] @ vectors[: start + block].T
        above = products > limit
        for row in range(len(products)):
            removed[start + row] = bool((above[row, : start + row] & ~removed[: start + row]).any())
    return removed


def greedy(index: NearIndex, sketches: Iterable[Any]) -> Flags:
    removed: list[bool] = []
    for sketch in sketches:
        removed.append(index.near(sketch) is not None)
        if not removed[-1]:
            index.add(sketch)
    return np.array(removed)


class Stored:
    """Vectors that were made before."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._next = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._next += len(texts)
        return self._vectors[self._next - len(texts) : self._next]


def by_transformers(texts: Sequence[str]) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model = AutoModel.from_pretrained(model_folder()).eval()
    ordered = sorted(texts, key=len)
    for start in range(0, len(ordered), 64):
        batch = tokenizer(
            ordered[start : start + 64], padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].float()
        torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def tfidf(texts: Sequence[str], terms: Callable[[str], Iterable[str]], limit: float) -> Flags:
    from scipy import sparse

    number: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for term, count in Counter(terms(text)).items():
            rows.append(row)
            columns.append(number.setdefault(term, len(number)))
            counts.append(count)
    matrix = sparse.csr_matrix((np.array(counts, np.float32), (rows, columns)), (len(texts), len(number)))
    frequency = np.bincount(matrix.indices, minlength=len(number))
    matrix = (matrix @ sparse.diags(1 + np.log(len(texts) / frequency).astype(np.float32))).tocsr()
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
    matrix = (sparse.diags((1 / length).astype(np.float32)) @ matrix).tocsr()
    removed = np.zeros(len(texts), bool)
    for start in range(0, len(texts), 500):
        products = (matrix[start : start + 500] @ matrix[: start + 500].T).tocsr()
        for row in range(products.shape[0]):
            span = slice(products.indptr[row], products.indptr[row + 1])
            near = products.indices[span][(products.data[span] > limit) & (products.indices[span] < start + row)]
            removed[start + row] = bool((~removed[near]).any())
    return removed


def static_filter(texts: Sequence[str], vectors: NDArray[np.float32]) -> dict[str, float]:
    """Share of the texts that must still be embedded where the filter may lose 0.5% and 2% of the near-duplicates."""
    model = load_minilm(Silent())
    vocabulary: list[str] = [
        word for word, _ in sorted(model._tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    ]
    tokens = model.embed([word.removeprefix("##") for word in vocabulary])
    tokens -= tokens.mean(0)
    ids = [encoding.ids[1:-1] for encoding in model._tokenizer.encode_batch(list(texts))]
    frequency = np.bincount([token for entry in ids for token in set(entry)], minlength=len(vocabulary))
    weights = np.log((len(texts) + 1) / (frequency + 1)).astype(np.float32)
    cheap = np.stack([(tokens[entry] * weights[entry][:, None]).sum(0) for entry in ids])
    cheap /= np.linalg.norm(cheap, axis=1, keepdims=True)
    best, of_near = np.zeros(len(texts)), np.full(len(texts), np.nan)
    for start in range(0, len(texts), 512):
        cheap_products = cheap[start : start + 512] @ cheap[: start + 512].T
        products = vectors[start : start + 512] @ vectors[: start + 512].T
        for row in range(len(products)):
            before = slice(0, start + row)
            best[start + row] = cheap_products[row, before].max(initial=0)
            near = products[row, before] > LIMIT
            if near.any():
                of_near[start + row] = cheap_products[row, before][near].max()
    found = of_near[~np.isnan(of_near)]
    return {
        f"embedded at recall {1 - lost}": float((best >= np.quantile(found, lost)).mean()) for lost in (0.005, 0.02)
    }


def measured(name: str, texts: list[str], folder: Path) -> dict[str, Any]:
    """Run one method in this process; its removals and vectors are left in `folder`."""
    vectors = np.load(folder / "vectors.npy")[: len(texts)] if (folder / "vectors.npy").exists() else None
    begun = time.process_time()
    removed: Flags | None = None
    more: dict[str, float] = {}
    match name:
        case "embed":
            np.save(folder / "vectors.npy", load_minilm(Silent()).embed(texts))
        case "exact":
            assert vectors is not None
            removed = exact(vectors)
        case "index":
            assert vectors is not None
            index = EmbeddingIndex(LIMIT, Stored(vectors))
            removed = greedy(index, (index.sketches([text])[0] for text in texts))
        case "lexical":
            lexical = LexicalIndex(LIMIT)
            removed = greedy(lexical, (lexical.sketches([text])[0] for text in texts))
        case "transformers":
            by_transformers(texts[:SAMPLE])
        case "static":
            assert vectors is not None
            more = static_filter(texts, vectors)
        case _:
            kind, limit = name.split(" > ")
            terms = (lambda text: text.lower().split()) if kind == "tfidf-words" else lambda text: list(grams(text))
            removed = tfidf(texts, terms, float(limit))
    seconds = time.process_time() - begun
    if removed is not None:
        np.save(folder / f"{name}.npy", removed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_seconds": round(seconds, 1), "peak_mb": round(peak), **more}


def in_a_process(name: str, count: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.near_duplicates", "--only", name, "--texts", str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [*command, "--folder", str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def agreement(folder: Path, name: str, count: int) -> str:
    reference, found = np.load(folder / "exact.npy")[:count], np.load(folder / f"{name}.npy")
    both = int((reference & found).sum())
    return (
        f"removed {found.sum():,} of {count:,}, reference {reference.sum():,}; "
        f"precision {both / max(1, found.sum()):.4f}, recall {both / max(1, reference.sum()):.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--candidates", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.only, questions(options.texts), options.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.folder or scratch)
        folder.mkdir(exist_ok=True)
        count = options.texts
        for name in ("embed", "exact", "index", "lexical", "transformers"):
            result = in_a_process(name, count, folder)
            if name == "transformers":
                result["cpu_seconds for all, extrapolated"] = round(result["cpu_seconds"] * count / SAMPLE)
            print(f"{name:14} {result}", flush=True)
            if (folder / f"{name}.npy").exists():
                print(f"{'':14} {agreement(folder, name, count)}", flush=True)
        if options.candidates:
            count = min(count, CANDIDATES_ON)
            for name in ("tfidf-words > 0.8", "tfidf-words > 0.9", "tfidf-grams > 0.8", "tfidf-grams > 0.9"):
                print(
                    f"{name:18} {in_a_process(name, count, folder)}\n{'':18} {agreement(folder, name, count)}",
                    flush=True,
                )
            print(f"{'static':18} {in_a_process('static', count, folder)}", flush=True)


if __name__ == "__main__":
    main()
