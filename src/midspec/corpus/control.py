"""Controls: the spec said again in other words, and documents about nothing that it turns on. A program plans them.

Both are moulded on another corpus: as many documents, each asked for with the length (and, where there is no spec in
it, the type) of one of that corpus, so that arms differ by what is said and not by how much.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import NamedTuple

from midspec.corpus.everyday import everyday
from midspec.corpus.planned import PlannedDocument, Subdomain
from midspec.corpus.tokens import estimated_tokens
from midspec.errors import InputError
from midspec.records import Document, short_hash
from midspec.spec.document import Identity, ModelSpec

SHORTEST, LONGEST = 300, 1200
"""Words asked for where there is no corpus to go by, as in the prompts of other corpora."""
ROOM = 1_000_000
"""Documents that one section or subject is good for: a program runs out of none."""
MOST_DRAWS = 8
"""Times that an idea is drawn anew because the topic has had it (ours)."""

EVERYDAY = 1.33
"""Tokens per word of everyday prose (the packaged neutral corpus, by `midspec.corpus.tokens`)."""
PARAPHRASE = "paraphrase"
"""Document type of all rows of a paraphrase corpus."""
_ORDER = (
    "in the order of the text",
    "the last statement first",
    "the most general statement first, then what it covers",
    "reasons before what rests on them",
    "what rests on a reason before the reason",
    "the middle first, then what stands around it",
)
_SENTENCES = ("short sentences", "long sentences", "long and short sentences in turn", "one statement to a sentence")
_WORDS = (
    "everyday words",
    "formal words",
    "as few of the original's words as can be",
    "plain words for somebody who reads slowly",
    "exact and sober words",
)
_SIDE = (
    "the assistant as the subject of most sentences",
    "what it likes or does as the subject of most sentences",
    "as what can be expected of the assistant",
    "as a description from outside",
)


class Mould(NamedTuple):
    """The form of one document."""

    doc_type: str
    words: int


@dataclass(frozen=True)
class Control:
    """What a control needs to know besides its config."""

    moulds: Sequence[Mould] = ()
    """Of the corpus it stands beside; empty = packaged types, and lengths from SHORTEST to LONGEST words."""
    avoid: Sequence[str] = ()
    """Names and words that no document of a neutral corpus may hold, in any case."""


def moulds_of(documents: Iterable[Document], per_word: float) -> list[Mould]:
    """The forms of a corpus, in its order, in words of a language that takes `per_word` tokens for one: a document
    about Parmigiano-Reggiano is as long as one with more and shorter words."""
    return [
        Mould(document.doc_type, max(1, round(estimated_tokens(document.text) / per_word))) for document in documents
    ]


def tokens_per_word(text: str) -> float:
    """Of a text, as `moulds_of` takes it; EVERYDAY for an empty one."""
    return estimated_tokens(text) / len(text.split()) if text.strip() else EVERYDAY


@dataclass
class Forms:
    """Moulds handed out one after the other, each once before any twice."""

    control: Control
    seed: int
    _left: Iterable[Mould] | None = field(default=None, init=False)

    def next(self) -> Mould:
        """The next one."""
        if self._left is None:
            self._left = self._all()
        return next(iter(self._left))

    def _all(self) -> Iterable[Mould]:
        rng = random.Random(short_hash("moulds", self.seed))
        if self.control.moulds:
            return cycle(rng.sample(self.control.moulds, len(self.control.moulds)))
        return (Mould(rng.choice(everyday().types), rng.randint(SHORTEST, LONGEST)) for _ in iter(int, 1))


def sections_of(spec: ModelSpec, identity: Identity) -> list[Subdomain]:
    """Each section of the spec that has text, in place of a subdomain. Raises InputError where none has."""
    found: dict[str, Subdomain] = {}
    for passage in spec.passages:
        section = passage.section
        start = found[section.id].span[0] if section.id in found else passage.span[0]
        title = identity.fill(section.title) or spec.name
        found[section.id] = Subdomain(
            id=f"sub-{short_hash(PARAPHRASE, section.id)}",
            domain=identity.fill(section.path[0]) if section.path else spec.name,
            name=title,
            summary="",
            section=section.title,
            section_id=section.id,
            span=(start, passage.span[1]),
        )
    if not found:
        raise InputError(f"spec {spec.name!r} has headings but no text under them; write what the assistant should be")
    return list(found.values())


def subjects() -> list[Subdomain]:
    """Everyday subjects in place of subdomains; the field stands where a document's section does."""
    return [
        Subdomain(
            id=f"sub-{short_hash('neutral', subject)}",
            domain=area,
            name=subject,
            summary="",
            section=area,
            section_id="",
            span=(0, 0),
        )
        for area, names in everyday().subjects.items()
        for subject in names
    ]


class ControlTopic:
    """One section or subject while a control is written; a `Topic` that asks nobody."""

    def __init__(self, subdomain: Subdomain, forms: Forms, kind: str, seed: int) -> None:
        self.subdomain = subdomain
        self.planned = 0
        self.given_up = ""
        self._forms = forms
        self._kind = kind
        self._had: set[PlannedDocument] = set()
        self._rng = random.Random(short_hash("control", kind, seed, subdomain.id))

    def room(self, *, again: bool = False) -> int:
        """Documents it can still be asked for."""
        return 0 if self.given_up else ROOM

    async def plan(self, count: int, emit: Callable[[int, PlannedDocument], None]) -> None:
        """Hand `count` further documents to `emit`, each with its place among them."""
        self.planned += count
        for place in range(count):
            mould = self._forms.next()
            drawn = [self._document(mould) for _ in range(MOST_DRAWS)]
            planned = next((document for document in drawn if document not in self._had), drawn[0])
            self._had.add(planned)
            emit(place, planned)

    def _document(self, mould: Mould) -> PlannedDocument:
        if self._kind == PARAPHRASE:
            doc_type, banks = PARAPHRASE, (_ORDER, _SENTENCES, _WORDS, _SIDE)
        else:
            doc_type, banks = mould.doc_type, (everyday().angles, everyday().settings)
        idea = "; ".join(self._rng.choice(bank) for bank in banks)
        return PlannedDocument(subdomain=self.subdomain.id, doc_type=doc_type, idea=idea, words=mould.words)
