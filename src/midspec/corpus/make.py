"""Make a corpus: outline -> shares -> per subdomain details and ideas -> documents, each as soon as its idea exists.

The only barrier is that shares need all subdomains. What is given up on the way (a subdomain that cannot be planned,
one of which too little can be used, a document that fails again and again) is written on other subdomains in a further
pass, until the target is met or nothing is left to write on.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, NoReturn

from midspec.corpus.allocate import even_shares
from midspec.corpus.asking import Asking
from midspec.corpus.control import PARAPHRASE, ControlTopic, Forms, sections_of, subjects
from midspec.corpus.outline import Outline, outline
from midspec.corpus.planned import CorpusPlan, PlannedDocument
from midspec.corpus.spool import Spool
from midspec.corpus.topic import Topic
from midspec.corpus.write import DocumentWriter, Written
from midspec.errors import InputError, WriterError
from midspec.llm.fan_out import task_group
from midspec.llm.rounds import ROUNDS, Rounds, in_rounds
from midspec.records import Document, short_hash
from midspec.steps.progress import Progress

TOKENS_PER_DOCUMENT = 1000
"""Assumed until some are written: the prompts ask for 300 to 1,200 words (ours)."""
FIRST_PASS = 0.25
"""Part of a target in tokens that the first pass goes for, since nobody knows how long documents will be (ours)."""
MARGIN = 1.02
"""Later passes ask for so many times what is missing, so that they seldom fall a little short (ours)."""

FRUITLESS_PASSES = 3
"""Passes in a row that bring no document, after which there is no more to be had (ours)."""
NOTHING_LEFT = "nothing left to write on"
"""Reason of what is missing because all subdomains are given up or used up."""
_REMEDY = "ask for less, raise corpus.document_types or corpus.ideas, or write a longer spec"


class _Unplanned(NamedTuple):
    """A document whose idea never came."""

    topic: str
    reason: str


@dataclass
class Corpus:
    """What was written."""

    plan: CorpusPlan
    written: list[Written]
    missing: dict[str, int]
    """Reason -> documents given up on the way and written on other subdomains."""
    hopeless: dict[str, str]
    """Name of a subdomain given up -> why."""
    _row: Callable[[Written], Document]

    def rows(self) -> Iterator[Document]:
        """The documents, read from the spool one by one."""
        return map(self._row, self.written)


async def make(asking: Asking, spool: Spool, progress: Progress, window: int | None = None) -> Corpus:
    """A corpus that meets the target of `asking.config`; the same whatever the order of arrival.

    `window`: documents begun at once, some more than the writer has slots; None = as `fan_out` has it.

    Raises InputError for a spec that cannot carry it (no text, no rules, too few subdomains x types x ideas) and
    WriterError, saying how much is missing and why, where the writer gives too little that can be used.
    """
    config = asking.config
    if config.tokens is None:
        progress.start(config.documents, "documents")
    else:
        progress.start(config.tokens, "tokens")
    progress.note("planning")
    expected = config.documents if config.tokens is None else ceil(config.tokens / TOKENS_PER_DOCUMENT)
    if asking.prompts.planning is None:
        parts = sections_of(asking.spec, asking.identity) if config.kind == PARAPHRASE else subjects()
        made = Outline((), tuple(parts))
    else:
        made = await outline(asking, expected)
    return await _Maker(asking, made, DocumentWriter(asking, spool), progress, window).make()


def _topics(asking: Asking, made: Outline) -> dict[str, Topic | ControlTopic]:
    config = asking.config
    if asking.prompts.planning is not None:
        return {subdomain.id: Topic(asking, subdomain) for subdomain in made.subdomains}
    forms = Forms(asking.control, config.seed)
    return {part.id: ControlTopic(part, forms, config.kind, config.seed) for part in made.subdomains}


class _Maker:
    """Writes one corpus in passes."""

    def __init__(
        self, asking: Asking, made: Outline, writer: DocumentWriter, progress: Progress, window: int | None
    ) -> None:
        self.asking = asking
        self.window = window
        self.config = asking.config
        self.outline = made
        self.writer = writer
        self.progress = progress
        self.topics = _topics(asking, made)
        # Rules stand for themselves; passages stand for their section.
        rules = asking.prompts.hierarchy is None
        self.stratum = {subdomain.id: subdomain.id if rules else subdomain.section_id for subdomain in made.subdomains}
        self.written: list[Written] = []
        self.has: Counter[str] = Counter()
        """Documents written, by subdomain."""
        self.tokens = 0
        self.missing: Counter[str] = Counter()

    async def make(self) -> Corpus:
        passes, fruitless = 0, 0
        found: Rounds[Written] = Rounds()
        while (wanted := self._wanted()) > 0:
            room = {name: topic.room(again=passes > 0) for name, topic in self.topics.items()}
            room = {name: space for name, space in room.items() if space}
            space = sum(room.values())
            if passes == 0:
                self._fits(wanted, space)
            if space < (wanted if self.config.tokens is None else 1):
                self._fall_short(found, wanted, space)
            rng = random.Random(short_hash("corpus pass", self.asking.spec.sha256, self.config.seed, passes))
            found = await self._pass(self._shares(min(wanted, space), room, rng), rng)
            self.missing.update(found.missing.values())
            fruitless = 0 if found.results else fruitless + 1
            if fruitless == FRUITLESS_PASSES:
                self._fall_short(found, wanted, 0)
            passes += 1
        hopeless = {name: topic for name, topic in self.topics.items() if topic.given_up}
        return Corpus(
            plan=CorpusPlan(
                spec=self.asking.spec.sha256,
                domains=self.outline.domains,
                subdomains=tuple(topic.subdomain for topic in self.topics.values()),
                documents=tuple(written.planned for written in self.written),
                hopeless=tuple(hopeless),
            ),
            written=self.written,
            missing=dict(self.missing),
            hopeless={topic.subdomain.name: topic.given_up for topic in hopeless.values()},
            _row=lambda written: self.writer.row(written, self.topics[written.planned.subdomain].subdomain),
        )

    def _wanted(self) -> int:
        """Documents that the next pass goes for."""
        target = self.config.tokens
        if target is None:
            return self.config.documents - len(self.written)
        if not self.written:
            return ceil(FIRST_PASS * target / TOKENS_PER_DOCUMENT)
        return ceil(MARGIN * (target - self.tokens) * len(self.written) / self.tokens) if self.tokens < target else 0

    def _fits(self, wanted: int, space: int) -> None:
        if wanted > space:
            raise InputError(f"{self._target()}, but {self._capacity()} give at most {space:,}; {_REMEDY}")

    def _target(self) -> str:
        if self.config.tokens is None:
            return f"corpus.documents is {self.config.documents:,}"
        return f"corpus.tokens is {self.config.tokens:,} (a document has about {TOKENS_PER_DOCUMENT:,})"

    def _capacity(self) -> str:
        parts = "rule(s)" if self.asking.prompts.hierarchy is None else "subdomain(s)"
        config = self.config
        return f"{len(self.topics)} {parts} x {config.document_types} document types x {config.ideas} ideas"

    def _shares(self, count: int, room: Mapping[str, int], rng: random.Random) -> dict[str, int]:
        """Documents per subdomain: even over sections, then even over the subdomains of each, what is written and what
        a subdomain has room for taken into account."""
        by_stratum: dict[str, dict[str, int]] = defaultdict(dict)
        for name, space in room.items():
            by_stratum[self.stratum[name]][name] = space
        has: Counter[str] = Counter()
        for name, number in self.has.items():
            has[self.stratum[name]] += number
        strata = even_shares(count, {key: sum(spaces.values()) for key, spaces in by_stratum.items()}, rng, has)
        shares: dict[str, int] = {}
        for key, spaces in by_stratum.items():
            shares |= even_shares(strata[key], spaces, rng, self.has)
        return {name: share for name, share in shares.items() if share}

    async def _pass(self, shares: Mapping[str, int], rng: random.Random) -> Rounds[Written]:
        """Plan and write so many documents per subdomain.

        Every document has its number before its idea exists, so that what is kept does not depend on when ideas come.
        """
        order = [name for name, share in shares.items() for _ in range(share)]
        rng.shuffle(order)
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(order):
            numbers[name].append(number)
        queue: asyncio.PriorityQueue[tuple[int, PlannedDocument | _Unplanned | None]] = asyncio.PriorityQueue()

        async def produce(name: str) -> None:
            topic, own = self.topics[name], numbers[name]
            left = set(own)

            def emit(place: int, planned: PlannedDocument) -> None:
                left.remove(own[place])
                queue.put_nowait((own[place], planned))

            await topic.plan(len(own), emit)
            for number in left:
                queue.put_nowait((number, _Unplanned(name, topic.given_up or "the writer has no more ideas for it")))
            queue.put_nowait((len(order) + own[0], None))  # after everything that is to be written

        async def source() -> AsyncIterator[tuple[int, PlannedDocument | _Unplanned]]:
            # The lowest number first: judging goes by number, and what it rejects is to be asked for again early.
            busy = len(numbers)
            while busy:
                number, item = await queue.get()
                if item is None:
                    busy -= 1
                else:
                    yield number, item

        async with task_group() as group:
            for name in numbers:
                group.create_task(produce(name))
            found = await in_rounds(
                source(),
                self._write,
                lambda _, written: self.writer.fault(written),
                tally=self.asking.scribe.tally,
                rounds=ROUNDS * self.asking.scribe.patience,
                topic=lambda item: item.subdomain if isinstance(item, PlannedDocument) else f"unplanned {item.topic}",
                min_yield=self.config.min_yield,
                accepted=self._accepted,
                window=self.window,
            )
        for number in sorted(found.results):
            self.written.append(found.results[number])
        for name in found.hopeless & set(self.topics):
            self.topics[name].given_up = f"less than {self.config.min_yield:.0%} of its documents could be used"
        return found

    async def _write(self, item: PlannedDocument | _Unplanned, number: int) -> Written:
        if isinstance(item, _Unplanned):
            raise WriterError(f"subdomain {self.topics[item.topic].subdomain.name!r} is not planned: {item.reason}")
        return await self.writer.write(item, self.topics[item.subdomain].subdomain, number)

    def _accepted(self, _: int, written: Written) -> None:
        self.has[written.planned.subdomain] += 1
        self.tokens += written.tokens
        if self.config.tokens is None:
            self.progress.advance()
        else:
            self.progress.advance(written.tokens)
        self.progress.note(f"{sum(self.has.values()):,} documents, ~{self.tokens:,} tokens")

    def _fall_short(self, last: Rounds[Written], lacking: int, space: int) -> NoReturn:
        """Raise the error for a target that cannot be met: `lacking` documents, and room for `space` more."""
        hopeless = [topic.subdomain.name for topic in self.topics.values() if topic.given_up]
        if not hopeless and not space and self.config.tokens is not None and last.results:
            raise InputError(
                f"corpus.tokens is {self.config.tokens:,}, but {self._capacity()} gave {len(self.written):,} documents "
                f"of ~{self.tokens:,} tokens together; {_REMEDY}"
            )
        reasons = list(last.missing.values())[:lacking]
        reasons += [NOTHING_LEFT] * (lacking - len(reasons))
        told = Rounds(dict(enumerate(self.written)), dict(enumerate(reasons)), last=self.writer.last or last.last)
        error = str(told.shortfall("documents"))
        if hopeless:
            names = ", ".join(map(repr, hopeless[:5])) + (" ..." if len(hopeless) > 5 else "")
            if space:
                error += f" There is room for {space:,} more on the other subdomains."
            error += f" Given up: {len(hopeless)} of {len(self.topics)} subdomains ({names})."
        raise WriterError(error)
