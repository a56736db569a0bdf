"""What every way to find near-duplicates offers, and which one is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from midspec.errors import MissingDependencyError, ModelUnavailableError
from midspec.steps.progress import Progress

Choice = Literal["auto", "embedding", "lexical"]


class Method(NamedTuple):
    """How near-duplicates were told, for records."""

    name: str
    detail: str

    def summary(self) -> dict[str, str]:
        """Plain values for `record.json`."""
        return {"method": self.name, "detail": self.detail}


class NearIndex(Protocol):
    """Texts taken in so far; a new one can be compared with all of them.

    `sketches` does the heavy work, depends on its texts alone and may run in a thread. `near` and `add` are called in
    the order in which texts are judged, from one thread.
    """

    method: Method

    def sketches(self, texts: Sequence[str]) -> list[Any]:
        """What the comparisons below need of each text."""
        ...

    def near(self, sketch: Any) -> int | None:
        """Number of a text added before, counted from 0, that is more similar than the limit; None where none is."""
        ...

    def add(self, sketch: Any) -> None:
        """Take a text in."""
        ...

    def empty(self) -> NearIndex:
        """An index of the same kind without any text."""
        ...


def near_index(limit: float, choice: Choice, progress: Progress) -> NearIndex:
    """An empty index that calls texts near-duplicates whose similarity is above `limit` (cosine).

    `embedding`: MiniLM, fetched once (84 MB); raises ModelUnavailableError or MissingDependencyError where it cannot be
    had. `lexical`: the letters of content words, needs nothing. `auto`: the first where it can be had, else the second,
    which its `method` then says.
    """
    from midspec.near.lexical import LexicalIndex

    if choice == "lexical":
        return LexicalIndex(limit)
    try:
        # Imported here: planning and the offline writer must not load numpy.
        from midspec.near.embedding import EmbeddingIndex
        from midspec.near.minilm import load_minilm

        return EmbeddingIndex(limit, load_minilm(progress))
    except ImportError as error:
        missing = MissingDependencyError(
            f"near-duplicates by embedding need numpy, tokenizers and safetensors ({error}): "
            "pip install 'midspec[train]', or use the lexical method"
        )
        if choice == "embedding":
            raise missing from error
        why = str(missing)
    except ModelUnavailableError as error:
        if choice == "embedding":
            raise
        why = str(error)
    progress.line(f"  near-duplicates are told by their letters, which misses paraphrases: {why.splitlines()[0]}")
    index = LexicalIndex(limit)
    index.method = Method(index.method.name, f"{index.method.detail}; MiniLM could not be had: {why.splitlines()[0]}")
    return index
