"""Plan the documents of one subdomain: its assertions and document types, then ideas, as many as are asked for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TypeVar

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
MOST_AT_ONCE = 8
"""Requests for ideas of one subdomain in flight. The first goes alone and so does the second; from then on as many at
once as have come before, so that each sees at least half of what exists and a long chain is soon a broad one (ours)."""
SPARE = 1.1
"""Documents of a subdomain, of types x ideas, before a corpus fails for a few that could not be used (ours)."""
MOST_ASSERTIONS = 12
"""Assertions kept of a reply (ours; the prompt asks for 4 to 8, or 10 facts)."""

T = TypeVar("T")


@dataclass
class _Found:
    """What came of one request for ideas."""

    ideas: list[tuple[str, str]] = field(default_factory=list)
    """(type, idea)."""
    error: WriterError | None = None
    """Why nothing came."""


class Topic:
    """One subdomain while a corpus is written. What it gives depends on the replies, not on when they came."""

    def __init__(self, asking: Asking, subdomain: Subdomain) -> None:
        assert asking.prompts.planning is not None, "a program plans controls"
        self._asking = asking
        self._prompts = asking.prompts.planning
        self.subdomain = subdomain
        """With assertions and document types, once planned."""
        self.planned = 0
        """Documents asked for so far."""
        self.given_up = ""
        """Why nothing more is to be asked of it; empty while it is in use."""
        self._ideas: dict[str, list[str]] = defaultdict(list)
        self._used: Counter[str] = Counter()
        self._requests = 0
        self._fruitless = 0
        """Requests for ideas, and those that brought none."""
        self._rng = random.Random(short_hash("topic", asking.spec.sha256, asking.config.seed, subdomain.id))

    def room(self, *, again: bool = False) -> int:
        """Documents it can still be asked for; a tenth more `again`, in place of some that were given up."""
        config = self._asking.config
        most = ceil(config.document_types * config.ideas * (SPARE if again else 1))
        return 0 if self.given_up else max(0, most - self.planned)

    async def plan(self, count: int, emit: Callable[[int, PlannedDocument], None]) -> None:
        """Plan `count` further documents and hand each to `emit`, with its place among them, as soon as its idea
        exists. Places that are not emitted are documents that the writer gave no idea for.

        Sets `given_up`, and ends, where it cannot be planned, or most requests for its ideas brought none.
        """
        self.planned += count
        try:
            if not self.subdomain.doc_types:
                await self._detail()
            types, most = self.subdomain.doc_types, self._asking.config.ideas
            shares = spread_over_types(count, types, most, self._used, self._rng)
            place = 0
            for wave in waves(list(requests(shares))):
                async with task_group() as group:
                    tasks: list[asyncio.Task[_Found]] = []
                    for request in wave:
                        tasks.append(group.create_task(self._fulfil(request, place, emit)))
                        place += sum(request.values())
                for found in (task.result() for task in tasks):
                    for name, idea in found.ideas:
                        self._ideas[name].append(idea)
                    self._requests += 1
                    self._fruitless += found.error is not None
                    if found.error and 2 * self._fruitless > self._requests:
                        raise found.error
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
                reply = await self._asking.ask(self._prompts.doc_types, variables)
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

    async def _fulfil(
        self, wanted: Mapping[str, int], first: int, emit: Callable[[int, PlannedDocument], None]
    ) -> _Found:
        """Ask for ideas; what a reply lacks is asked for again, shown what exists."""
        found = _Found()
        lacking = dict(wanted)
        for _ in range(1 + TOP_UPS):
            asked = {name: count for name, count in lacking.items() if count}
            if not asked:
                return found
            try:
                new = await self._new_ideas(asked, found.ideas)
            except WriterError as error:
                found.error = None if found.ideas else error
                break
            for name, idea in new:
                emit(
                    first + len(found.ideas),
                    PlannedDocument(subdomain=self.subdomain.id, doc_type=name, idea=idea),
                )
                found.ideas.append((name, idea))
                lacking[name] -= 1
        self._mended("fewer ideas than asked for", sum(lacking.values()))
        return found

    async def _new_ideas(self, asked: Mapping[str, int], own: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """(type, idea), some of those asked for, none of which exists already or is among this request's `own`.

        Raises WriterError where none comes.
        """
        known = [idea for ideas in self._ideas.values() for idea in ideas] + [idea for _, idea in own]
        numbered = enumerate(asked.items(), start=1)
        variables = {
            **self._about(),
            "types": [{"number": number, "name": name, "count": count} for number, (name, count) in numbered],
            "count": sum(asked.values()),
            "existing": [_cut(idea) for idea in self._shown(asked, own)],
        }
        reply = await self._asking.ask(self._prompts.ideas, variables, lambda reply: by_type(reply, asked, known))
        found, repairs = by_type(reply, asked, known)
        self._asking.repaired += repairs
        return found

    def _shown(self, asked: Mapping[str, int], own: Sequence[tuple[str, str]]) -> list[str]:
        """Existing ideas that a request shows: the latest, those of the same types and its `own` kept first."""
        others = [idea for name, ideas in self._ideas.items() if name not in asked for idea in ideas]
        same = [idea for name in asked for idea in self._ideas.get(name, ())]
        return [*others, *same, *(idea for _, idea in own)][-IDEAS_SHOWN:]

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


def waves(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """`items` in order, 1, 1, 2, 4 and then MOST_AT_ONCE of them at a time."""
    start = 0
    while start < len(items):
        size = min(max(1, start), MOST_AT_ONCE)
        yield items[start : start + size]
        start += size


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS].rsplit(" ", 1)[0] + " ..."
