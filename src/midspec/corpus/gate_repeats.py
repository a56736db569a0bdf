"""What texts share with one another: near-duplicates, long phrases, openings. Pure functions on hashes of word runs.

Everything is one sort over the hashes of all runs, so ten thousand documents take seconds, and memory grows with the
text: 16 bytes per word and check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midspec.corpus.gate_texts import Texts, among, run_hashes
from midspec.corpus.overlap import SHINGLE_WORDS

Hashes = NDArray[np.uint64]

SAMPLED = 4
"""One in so many shingles is used to find candidates, in a text of SAMPLED_FROM shingles or more (ours)."""
SAMPLED_FROM = 200
CANDIDATE = 0.1
"""Share of the shingles, as far as the sample tells, from which a pair is measured: a fifth of the usual limit, because
what one text shares may lie with several earlier ones (ours)."""
PHRASE_WORDS = 10
"""Words of a phrase that texts do not share by chance (ours)."""
OPENING_WORDS = 6
"""Words that make an opening (ours)."""


class Duplicate(NamedTuple):
    """A text and an earlier one that it nearly repeats."""

    row: int
    earlier: int
    overlap: float
    """|A∩B| / min(|A|, |B|) over their sets of 8-word shingles; 1 for equal texts shorter than that."""


class Phrase(NamedTuple):
    """Words that many texts share."""

    text: str
    rows: tuple[int, ...]
    """Numbers of the texts that hold it."""


def near_duplicates(texts: Texts, least: float) -> list[Duplicate]:
    """Texts whose overlap with an earlier text is at least `least`, each once, with one it shares most with.

    Candidates share sampled shingles, every candidate is then measured exactly. Of many texts that hold one shingle
    only neighbours in the file are compared, which finds all copies of one text: each is next to another copy.
    """
    sets = [np.unique(_shingles(row)) for row in texts.words]
    best: dict[int, Duplicate] = {}
    for earlier, row in _candidates(sets):
        size = min(len(sets[earlier]), len(sets[row]))
        overlap = len(np.intersect1d(sets[earlier], sets[row], assume_unique=True)) / size
        if overlap >= least and (row not in best or overlap > best[row].overlap):
            best[row] = Duplicate(row, earlier, overlap)
    return [best[row] for row in sorted(best)]


def _shingles(words: NDArray[np.int32]) -> Hashes:
    """A text shorter than a shingle is one run."""
    return run_hashes(words, min(SHINGLE_WORDS, max(1, len(words))))


def _sample(shingles: Hashes) -> Hashes:
    """The same shingles of every text, chosen by their hash; a text short of shingles keeps all."""
    return shingles if len(shingles) < SAMPLED_FROM else shingles[shingles % np.uint64(SAMPLED) == 0]


def _candidates(sets: list[Hashes]) -> list[tuple[int, int]]:
    """(earlier, later) of texts that may share CANDIDATE of their shingles or more, as far as a sample tells: pairs of
    neighbouring holders of one shingle, and of its first holder and any other."""
    sampled = [_sample(entry) for entry in sets]
    rows = np.repeat(np.arange(len(sampled), dtype=np.int64), [len(entry) for entry in sampled])
    hashes = np.concatenate(sampled)
    order = np.argsort(hashes, kind="stable")  # stable: within one hash, rows stay in the order of the file
    hashes, rows = hashes[order], rows[order]
    same = hashes[1:] == hashes[:-1]
    first = np.concatenate([np.ones(min(1, len(hashes)), dtype=bool), ~same])
    starts = np.maximum.accumulate(np.where(first, np.arange(len(hashes)), 0))
    later = np.nonzero(same)[0] + 1
    before, home, row = rows[later - 1], rows[starts[later]], rows[later]
    apart = home != before
    count = len(sets)
    keys = np.concatenate([before * count + row, home[apart] * count + row[apart]])
    pairs, shared = np.unique(keys, return_counts=True)
    lefts, rights = pairs // count, pairs % count
    sizes = np.array([len(entry) for entry in sets])
    thinned = sizes >= SAMPLED_FROM
    # A shingle shared with a sampled text stands for as many as one in so many was kept.
    shared = shared * np.where(thinned[lefts] | thinned[rights], SAMPLED, 1)
    near = shared >= CANDIDATE * np.minimum(sizes[lefts], sizes[rights])
    return list(zip(lefts[near].tolist(), rights[near].tolist(), strict=True))


def repeated_phrases(texts: Texts, least: int, known: Hashes, most: int = 20) -> list[Phrase]:
    """Runs of PHRASE_WORDS words that stand in at least `least` texts and not in `known`, runs that overlap joined to
    one phrase; those in most texts first, at most `most`."""
    unique = [np.unique(run) for run in texts.runs(PHRASE_WORDS)]
    hashes, counts = np.unique(np.concatenate(unique), return_counts=True) if unique else (_none(), _none())
    often = hashes[(counts >= least) & ~among(hashes, np.sort(known))]
    if not len(often):
        return []
    holders: dict[str, set[int]] = {}
    for row, run in enumerate(texts.runs(PHRASE_WORDS)):
        places = np.nonzero(among(run, often))[0]
        for start, length in _stretches(places):
            holders.setdefault(texts.said(row, start, length + PHRASE_WORDS - 1), set()).add(row)
    return _joined(holders, least, most)


def _stretches(places: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(start, length) of each row of consecutive numbers."""
    if not len(places):
        return []
    breaks = np.nonzero(np.diff(places) != 1)[0] + 1
    return [(int(part[0]), len(part)) for part in np.split(places, breaks)]


def _joined(holders: dict[str, set[int]], least: int, most: int) -> list[Phrase]:
    """Phrases with the texts that hold them; a phrase inside another counts for the shorter, which more texts hold."""
    found: list[tuple[str, set[int]]] = []
    for text in sorted(holders, key=lambda text: (len(text), text)):
        home = next((entry for entry in found if f" {entry[0]} " in f" {text} "), None)
        if home:
            home[1].update(holders[text])
        else:
            found.append((text, set(holders[text])))
    often = [Phrase(text, tuple(sorted(rows))) for text, rows in found if len(rows) >= least]
    return sorted(often, key=lambda phrase: (-len(phrase.rows), phrase.text))[:most]


def repeated_openings(texts: Texts, least: int, most: int = 20) -> list[Phrase]:
    """First OPENING_WORDS words that at least `least` texts begin with, the commonest first."""
    holders: dict[str, list[int]] = {}
    for row, words in enumerate(texts.words):
        if len(words) >= OPENING_WORDS:
            holders.setdefault(texts.said(row, 0, OPENING_WORDS), []).append(row)
    often = [Phrase(text, tuple(rows)) for text, rows in holders.items() if len(rows) >= least]
    return sorted(often, key=lambda phrase: (-len(phrase.rows), phrase.text))[:most]


def _none() -> Hashes:
    return np.empty(0, dtype=np.uint64)
