"""A spec made shorter, sentence by sentence, until it is as long as another one. Pure functions."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from midspec.errors import InputError
from midspec.records import Span
from midspec.spec.document import ModelSpec
from midspec.spec.prose import Block, Sentence, blocks, without, word_count

TOLERANCE = 0.05
"""Largest difference in words, as a share of the longer one's, between specs that count as length-matched. (ours)"""


class _Cut(NamedTuple):
    """What may go at once."""

    sentences: tuple[Sentence, ...]
    words: int
    """With the mark of a list item."""


def matches(text: str, words: int) -> bool:
    """Whether `text` has `words` words, give or take TOLERANCE."""
    return abs(word_count(text) - words) <= TOLERANCE * words


def trimmed(spec: ModelSpec, words: int, seed: int = 0, protected: Collection[Span] = ()) -> str:
    """The spec's text with so many sentences left out that it has `words` words, as nearly as whole sentences allow.

    Cuts come from the section that has lost least. Every section keeps its heading and its first sentence, paragraphs
    lose sentences from their end and lists items from theirs, so that no number is missing in between; nothing inside
    the `protected` spans goes. Where two sections have lost as much, `seed` chooses. Raises InputError, with figures,
    where the spec is too short to begin with, or what may not be cut is too long.
    """
    length = word_count(spec.text)
    if length < words and not matches(spec.text, words):
        raise InputError(
            f"spec {spec.name!r} has {length:,} words, too few to be cut to {words:,}; only a language model can add "
            "text: name one with --writer, or cut the longer spec to the length of this one"
        )
    gone: set[Sentence] = set()
    bodies = _bodies(spec)
    chance = random.Random(f"midspec trim {seed}")
    ticket = {index: chance.random() for index in bodies}
    while length > words:
        order = sorted(bodies, key=lambda index: (-_share(bodies[index], gone), ticket[index]))
        cuts = [_cuts(bodies[index], gone, protected) for index in order]
        over = length - words
        fitting = next((fit for found in cuts if (fit := [cut for cut in found if cut.words <= over])), None)
        # The longest that fits, of the section that has lost least; at the end whatever comes nearest, if it does.
        last = min((cut for found in cuts for cut in found), key=lambda cut: abs(cut.words - over), default=None)
        cut = max(fitting, key=lambda cut: cut.words) if fitting else last
        if cut is None or abs(cut.words - over) >= over:
            break
        gone.update(cut.sentences)
        length -= cut.words
    text = without(spec, lambda sentence: sentence in gone)
    if not matches(text, words):
        raise InputError(
            f"spec {spec.name!r} cannot be cut to {words:,} words: {word_count(text):,} are left when every section "
            "keeps its first sentence and every rule its statement; match it to a longer spec"
        )
    return text


def _bodies(spec: ModelSpec) -> dict[int, list[Block]]:
    found: defaultdict[int, list[Block]] = defaultdict(list)
    for block in blocks(spec):
        found[block.section].append(block)
    return found


def _share(body: list[Block], gone: set[Sentence]) -> float:
    """Part of a section's words that is still there."""
    lengths = {sentence: word_count(sentence.text) for block in body for sentence in block.sentences}
    left = sum(words for sentence, words in lengths.items() if sentence not in gone)
    return left / max(1, sum(lengths.values()))


def _cuts(body: list[Block], gone: set[Sentence], protected: Collection[Span]) -> list[_Cut]:
    """What may go next from a section: the last sentence of a paragraph, or the last item of a list."""
    found: list[_Cut] = []
    items: list[_Cut] = []
    for number, block in enumerate(body):
        left = [sentence for sentence in block.sentences if sentence not in gone]
        if not left or block.code:
            continue
        if block.item:
            mark = block.sentences[0].span[0] > block.span[0]
            items.append(_Cut(tuple(left), sum(word_count(sentence.text) for sentence in left) + mark))
        elif (len(left) > 1 or number > 0) and not left[-1].text.endswith(":"):
            found.append(_Cut((left[-1],), word_count(left[-1].text)))
    if len(items) > 1:
        found.append(items[-1])
    return [cut for cut in found if not any(_touches(cut, span) for span in protected)]


def _touches(cut: _Cut, span: Span) -> bool:
    return any(span[0] < sentence.span[1] and sentence.span[0] < span[1] for sentence in cut.sentences)
