"""How a corpus is spread over the sections of its spec. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from midspec.spec.document import ModelSpec


def coverage(spec: ModelSpec, documents: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Section title -> [documents, words] of `documents`, each given as its section's title and its words.

    Sections with text come first, in the order of the spec, those that no document teaches too.
    """
    with_text = {passage.section.id for passage in spec.passages}
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for section in spec.sections:
        if section.id in with_text:
            found[section.title] = [0, 0]
    for title, words in documents:
        found[title][0] += 1
        found[title][1] += words
    return dict(found)
