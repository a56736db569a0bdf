"""Plan the documents of one subdomain: its assertions and document types, then ideas, as many as are asked for."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping

from midspec.corpus.allocate import spread_over_types
from midspec.corpus.asking import Asking
from midspec.corpus.outline import TOP_UPS
from midspec.corpus.planned import PlannedDocument, Subdomain
from midspec.corpus.repair import by_type, distinct
from midspec.errors import WriterError
from midspec.llm.fan_out import task_group
from midspec.records import Assertion, short_hash

IDEAS_PER_ASK = 25
"""Ideas asked for at once. (paper: 25 per document type; where a type needs fewer, several share a request)"""
IDEAS_SHOWN = 40
"""Existing ideas that a request for more shows, the latest ones (ours)."""
SHOWN_CHARACTERS = 160
"""Of each of them (ours)."""
MOST_ASSERTIONS = 12
"""Assertions kept of a reply (ours; the prompt asks for 4 to 8, or 10 facts)."""


class Topic:
    """One subdomain while a corpus is written. What it gives depends on the replies, not on when they came."""

    def __init__(self, asking: Asking, subdomain: Subdomain) -> None:
        self._asking = asking
        self.subdomain = subdomain
        """With assertions and document types, once planned."""
        self.planned = 0
        """Documents asked for so far."""
        self.given_up = ""
        """Why nothing more is to be asked of it; empty while it is in use."""
        self._ideas: dict[str, list[str]] = defaultdict(list)
        self._used: Counter[str] = Counter()
        self._rng = random.Random(short_hash("topic", asking.spec.sha256, asking.config.seed, subdomain.id))

    @property
    def room(self) -> int:
        """Documents it can still be asked for."""
        config = self._asking.config
        return 0 if self.given_up else max(0, config.document_types * config.ideas - self.planned)

    async def plan(self, count: int) -> AsyncIterator[PlannedDocument]:
        """`count` further documents as soon as the idea of each exists; fewer where the writer gives no more.

        Sets `given_up`, and ends, where a request for it cannot be fulfilled.
        """
        self.planned += count
        try:
            if not self.subdomain.doc_types:
                await self._detail()
            shares = spread_over_types(
                count, self.subdomain.doc_types, self._asking.config.ideas, self._used, self._rng
            )
            for request in requests(shares):
                async for doc_type, idea in self._fulfil(request):
                    yield PlannedDocument(subdomain=self.subdomain.id, doc_type=doc_type, idea=idea)
        except WriterError as error:
            self.given_up = str(error)

    async def _detail(self) -> None:
        """Ask for assertions and document types at the same time."""
        async with task_group() as group:
            types = group.create_task(self._doc_types())
            assertions = None if self.subdomain.assertions else group.create_task(self._assertions())
        found = {"doc_types": types.result(), **({"assertions": assertions.result()} if assertions else {})}
        self.subdomain = self.subdomain.model_copy(update=found)

    async def _assertions(self) -> tuple[Assertion, ...]:
        prompts = self._asking.prompts.hierarchy
        assert prompts is not None, "rules come with their assertions"
        reply = await self._asking.ask(prompts.assertions, self._about())
        texts = distinct(reply.assertions, (), MOST_ASSERTIONS)
        self._mended("unreadable assertion", reply.unreadable)
        self._mended("more assertions than asked for", len(reply.assertions) - len(texts))
        subdomain = self.subdomain
        return tuple(
            Assertion(
                id=f"as-{short_hash(subdomain.section_id, subdomain.span, text)}",
                section_id=subdomain.section_id,
                span=subdomain.span,
                text=text,
            )
            for text in texts
        )

    async def _doc_types(self) -> tuple[str, ...]:
        """As many as the recipe says; too many are cut, for too few the writer is asked again, shown what exists."""
        wanted = self._asking.config.document_types
        found: list[str] = []
        for _ in range(1 + TOP_UPS):
            variables = {**self._about(), "count": wanted - len(found), "existing": list(found)}
            try:
                reply = await self._asking.ask(self._asking.prompts.doc_types, variables)
            except WriterError:
                if not found:
                    raise
                break
            new = distinct(reply.types, found, wanted - len(found))
            self._mended("unreadable document type", reply.unreadable)
            self._mended("more document types than asked for", len(reply.types) - len(new))
            found += new
            if len(found) == wanted or not new:
                break
        self._mended("fewer document types than asked for", len(found) < wanted)
        return tuple(found)

    async def _fulfil(self, wanted: Mapping[str, int]) -> AsyncIterator[tuple[str, str]]:
        """(type, idea) for a request, as they come; what a reply lacks is asked for again, shown what exists.

        Raises WriterError where nothing comes at all.
        """
        lacking = dict(wanted)
        for attempt in range(1 + TOP_UPS):
            asked = {name: count for name, count in lacking.items() if count}
            if not asked:
                return
            try:
                found = await self._new_ideas(asked)
            except WriterError:
                if attempt:
                    break
                raise
            for name, idea in found:
                self._ideas[name].append(idea)
                lacking[name] -= 1
                yield name, idea
        self._mended("fewer ideas than asked for", sum(lacking.values()))

    async def _new_ideas(self, asked: Mapping[str, int]) -> list[tuple[str, str]]:
        """(type, idea), none of which exists already; some of those asked for. Raises WriterError where none comes."""
        known = [idea for ideas in self._ideas.values() for idea in ideas]
        numbered = enumerate(asked.items(), start=1)
        variables = {
            **self._about(),
            "types": [{"number": number, "name": name, "count": count} for number, (name, count) in numbered],
            "count": sum(asked.values()),
            "existing": [_cut(idea) for idea in self._shown(asked)],
        }
        prompt = self._asking.prompts.ideas
        reply = await self._asking.ask(prompt, variables, lambda reply: by_type(reply, asked, known))
        found, repairs = by_type(reply, asked, known)
        self._asking.repaired += repairs
        return found

    def _shown(self, asked: Mapping[str, int]) -> list[str]:
        """Existing ideas that a request shows: the latest, those of the same types last, where they are kept first."""
        others = [idea for name, ideas in self._ideas.items() if name not in asked for idea in ideas]
        same = [idea for name in asked for idea in self._ideas.get(name, ())]
        return [*others, *same][-IDEAS_SHOWN:]

    def _about(self) -> dict[str, object]:
        return self._asking.about(self.subdomain)

    def _mended(self, what: str, count: int) -> None:
        if count > 0:
            self._asking.repaired[what] += count


def requests(shares: Mapping[str, int], size: int = IDEAS_PER_ASK) -> Iterator[dict[str, int]]:
    """`shares` of ideas per document type in requests of at most `size` ideas, types one after the other."""
    request: dict[str, int] = {}
    for name, share in shares.items():
        left = share
        while left:
            taken = min(left, size - sum(request.values()))
            request[name] = taken
            left -= taken
            if sum(request.values()) == size:
                yield request
                request = {}
    if request:
        yield request


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS].rsplit(" ", 1)[0] + " ..."
