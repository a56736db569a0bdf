"""A corpus held against its spec: how much of it is recited word for word, and what of the spec is covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midspec.corpus.gate_texts import Text, Texts, among, run_hashes
from midspec.corpus.tokens import estimated_tokens
from midspec.spec.document import ModelSpec

RUN = 8
"""Consecutive words shared with the spec that count as recited (ours)."""


class Recitation(NamedTuple):
    """What one text has from the spec word for word."""

    longest: int
    """Words of the longest run."""
    share: float
    """Of the text's words, those in runs of RUN words or more."""
    start: int
    """First word of the longest run."""


def recitations(texts: Texts, spec_words: NDArray[np.int32]) -> list[Recitation]:
    """One per text. `spec_words`: the spec with the identity filled in, in the numbers of `texts`."""
    known = np.unique(run_hashes(spec_words, RUN))
    found: list[Recitation] = []
    for words, run in zip(texts.words, texts.runs(RUN), strict=True):
        covered = np.zeros(len(words), dtype=bool)
        for place in np.nonzero(among(run, known))[0]:
            covered[place : place + RUN] = True
        longest, start = _longest(covered)
        found.append(Recitation(longest, float(covered.mean()) if len(words) else 0.0, start))
    return found


def _longest(covered: NDArray[np.bool_]) -> tuple[int, int]:
    """(length, start) of the longest stretch of True."""
    edges = np.diff(np.concatenate([[0], covered.astype(np.int8), [0]]))
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(ends[best] - starts[best]), int(starts[best])


class Share(NamedTuple):
    """Documents and tokens that teach one section or assertion."""

    name: str
    documents: int
    tokens: int
    """About; see `midspec.corpus.tokens`."""


def section_shares(rows: Sequence[Text], spec: ModelSpec) -> list[Share] | None:
    """Every section of the spec that has text under its heading, in its order; None where no row names a section.

    A row names its section by id, by title, or by the last heading of the title.
    """
    sections = [
        section for section in spec.sections if any(passage.section.id == section.id for passage in spec.passages)
    ]
    by_id = {section.id: section.id for section in sections}
    by_title = {section.title: section.id for section in sections}
    by_heading = {section.path[-1]: section.id for section in sections if section.path}
    documents: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for row in rows:
        home = by_id.get(row.section_id) or by_title.get(row.section) or by_heading.get(row.section)
        if home:
            documents[home] += 1
            tokens[home] += estimated_tokens(row.text)
    if not documents:
        return None
    return [Share(section.title, documents[section.id], tokens[section.id]) for section in sections]


def assertion_shares(rows: Sequence[Text], planned: Mapping[str, str]) -> list[Share]:
    """Every assertion of the plan (id -> text) and every other that a row names, the rarest first."""
    documents: Counter[str] = Counter(dict.fromkeys(planned, 0))
    tokens: Counter[str] = Counter()
    for row in rows:
        size = estimated_tokens(row.text) if row.assertions else 0
        for assertion in set(row.assertions):
            documents[assertion] += 1
            tokens[assertion] += size
    return [
        Share(planned.get(name, name), count, tokens[name])
        for name, count in sorted(documents.items(), key=lambda entry: (entry[1], entry[0]))
    ]
