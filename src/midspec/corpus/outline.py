"""Divide a spec: into domains and these into subdomains (paper, section 2), or into its rules (section 5).

No reply is waited for that is not needed: the subdomains of a domain are asked for as soon as the domain is there.
Every passage is covered by at least one subdomain, whatever the writer makes of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from midspec.corpus.asking import Asking
from midspec.corpus.filled import filled
from midspec.corpus.overlap import words_of
from midspec.corpus.planned import Subdomain
from midspec.corpus.repair import every_passage
from midspec.corpus.replies import DomainReply, Hierarchy, SubdomainReply, SubdomainsReply
from midspec.errors import InputError, WriterError
from midspec.llm.fan_out import gathered
from midspec.llm.prompt import BadReplyError
from midspec.records import Assertion, Section, Span, short_hash
from midspec.spec.document import Passage
from midspec.spec.rules import find_rules

PASSAGES_PER_DIVISION = 60
"""Passages divided into domains at once; domains of the same name are then one (ours)."""
PASSAGES_PER_ASK = 8
"""Passages whose subdomains are asked for at once, so that a reply is not cut (ours)."""
SUBDOMAINS_PER_ASK = 24
"""Subdomains asked for at once (ours)."""
FEWEST_SUBDOMAINS = 6
"""A short spec is divided into at least so many, where there are ten documents for each (ours)."""
SHORTEST_QUOTE = 5
"""Words below which a quote says too little to be the passage of a document (ours)."""
OPENING_WORDS = 14
"""Words of a passage by which a list of passages tells it (ours)."""
TOP_UPS = 2
"""Times that what is missing from a reply is asked for again (ours)."""


@dataclass(frozen=True)
class Outline:
    """What a corpus is about."""

    domains: tuple[DomainReply, ...]
    subdomains: tuple[Subdomain, ...]
    """In the order of the spec."""


async def outline(asking: Asking, documents: int) -> Outline:
    """The outline of a spec for about so many documents.

    Raises InputError for a spec without text or, in the style of rules, without rules, and WriterError where not one
    reply of the writer can be used.
    """
    if not asking.spec.passages:
        raise InputError(
            f"spec {asking.spec.name!r} has headings but no text under them; write what the assistant should be"
        )
    if asking.prompts.hierarchy is None:
        return Outline((), tuple(rule_subdomains(asking)))
    return await _Divider(asking, asking.prompts.hierarchy, documents).outline()


def rule_subdomains(asking: Asking) -> list[Subdomain]:
    """The rules of the spec, each in place of a subdomain and its assertions. Raises InputError where it has none."""
    subdomains: list[Subdomain] = []
    for rule in find_rules(asking.spec):
        text = " ".join(asking.identity.fill(rule.text).split())
        opening = " ".join(text.split()[:OPENING_WORDS])
        assertion = Assertion(
            id=f"as-{short_hash(rule.section.id, rule.span, text)}",
            section_id=rule.section.id,
            span=rule.span,
            text=text,
        )
        subdomains.append(
            Subdomain(
                id=f"sub-{short_hash(rule.section.id, rule.span, 'rule', rule.label)}",
                domain=asking.identity.fill(rule.section.path[0] if rule.section.path else "Rules"),
                name=opening,
                summary=text,
                section=rule.section.title,
                section_id=rule.section.id,
                span=rule.span,
                rule=rule.name,
                assertions=(assertion,),
            )
        )
    return subdomains


class _Divider:
    """Divides one spec."""

    def __init__(self, asking: Asking, prompts: Hierarchy, documents: int) -> None:
        self.asking = asking
        self.prompts = prompts
        self.spec = asking.spec
        passages = len(self.spec.passages)
        config = asking.config
        wanted = max(
            ceil(1.1 * documents / (config.document_types * config.ideas)),  # some will be given up
            min(FEWEST_SUBDOMAINS, documents // 10),
        )
        self.least = max(1, ceil(wanted / passages))
        """Subdomains that each passage is to be divided into."""
        self.understood = 0
        """Subdomains that came from the writer."""
        self.last = ""
        """What was wrong with the last reply that could not be used."""

    async def outline(self) -> Outline:
        numbers = range(1, len(self.spec.passages) + 1)
        parts = [
            numbers[start : start + PASSAGES_PER_DIVISION] for start in range(0, len(numbers), PASSAGES_PER_DIVISION)
        ]
        found = await gathered(parts, self._part)
        if not self.understood:
            raise WriterError(
                f"{self.asking.scribe.writer.name}: no reply about the parts of spec {self.spec.name!r} could be used; "
                f"last: {self.last}"
            )
        domains: dict[str, DomainReply] = {}
        for domain in (domain for division, _ in found for domain in division):
            key = domain.name.casefold()
            had = domains.get(key)
            passages = (*had.passages, *domain.passages) if had else domain.passages
            domains[key] = (had or domain).model_copy(update={"passages": tuple(sorted(passages))})
        subdomains = {subdomain.id: subdomain for _, entries in found for subdomain in entries}
        ordered = sorted(subdomains.values(), key=lambda subdomain: (subdomain.span, subdomain.id))
        return Outline(tuple(domains.values()), tuple(ordered))

    async def _part(self, numbers: Sequence[int]) -> tuple[list[DomainReply], list[Subdomain]]:
        """The domains of some passages and their subdomains."""
        domains = await self._domains(numbers)
        size = max(1, min(PASSAGES_PER_ASK, SUBDOMAINS_PER_ASK // self.least))
        asks = [
            (domain, domain.passages[start : start + size])
            for domain in domains
            for start in range(0, len(domain.passages), size)
        ]
        return domains, [subdomain for found in await gathered(asks, self._subdomains) for subdomain in found]

    async def _domains(self, numbers: Sequence[int]) -> list[DomainReply]:
        """Domains that hold each passage once; the headings of the spec where no reply can be used."""
        variables = {"passages": [self._opening(number) for number in numbers]}
        try:
            reply = await self.asking.ask(self.prompts.domains, variables, lambda reply: every_passage(reply, numbers))
        except WriterError as error:
            self.last = str(error)
            self.asking.repaired["domains taken from headings"] += 1
            return self._by_heading(numbers)
        domains, repairs = every_passage(reply, numbers)
        self.asking.repaired += repairs
        return domains

    def _by_heading(self, numbers: Sequence[int]) -> list[DomainReply]:
        groups: dict[str, list[int]] = defaultdict(list)
        for number in numbers:
            path = self._passage(number).section.path
            groups[self.asking.identity.fill(path[min(1, len(path) - 1)] if path else self.spec.name)].append(number)
        return [
            DomainReply(name=name or "Spec", description=f"What stands under {name!r}.", passages=tuple(held))
            for name, held in groups.items()
        ]

    async def _subdomains(self, ask: tuple[DomainReply, Sequence[int]]) -> list[Subdomain]:
        """At least one subdomain per passage; a passage that no reply says anything about is one as a whole.

        A reply about many passages that cannot be used is followed by requests about one at a time, since a weaker
        writer may manage these; the first of them that fails as well ends it.
        """
        domain, numbers = ask
        found: dict[int, dict[str, Subdomain]] = {number: {} for number in numbers}
        size = -1
        for _ in range(ceil(self.least / SUBDOMAINS_PER_ASK) + TOP_UPS):
            lacking = [number for number in numbers if len(found[number]) < self.least]
            if not lacking or size == (size := sum(map(len, found.values()))):
                break  # enough, or the last reply brought nothing new
            try:
                await self._find(domain, lacking, found)
            except WriterError as error:
                self.last = str(error)
                if not size and len(numbers) > 1:
                    await self._one_by_one(domain, numbers, found)
                break
        for number in numbers:
            if not found[number]:
                self.asking.repaired["passage taken whole as a subdomain"] += 1
                whole = self._whole(domain, number)
                found[number][whole.id] = whole
        return [subdomain for number in numbers for subdomain in found[number].values()]

    async def _one_by_one(
        self, domain: DomainReply, numbers: Sequence[int], found: dict[int, dict[str, Subdomain]]
    ) -> None:
        for number in numbers:
            try:
                await self._find(domain, [number], found)
            except WriterError as error:
                self.last = str(error)
                return

    async def _find(self, domain: DomainReply, numbers: Sequence[int], found: dict[int, dict[str, Subdomain]]) -> None:
        """Ask once about `numbers` and add what comes to `found`. Raises WriterError where no reply can be used."""
        existing = [entry.name for number in numbers for entry in found[number].values()]
        missing = max(1, *(self.least - len(found[number]) for number in numbers))
        variables = {
            "domain": domain.name,
            "description": domain.description,
            "passages": [self._shown(number) for number in numbers],
            "least": min(missing, max(1, SUBDOMAINS_PER_ASK // len(numbers))),
            "existing": existing[-SUBDOMAINS_PER_ASK:],
        }

        def usable(reply: SubdomainsReply) -> list[SubdomainReply]:
            items = [item for item in reply.subdomains if item.passage_number in numbers]
            if not items:
                raise BadReplyError("off-spec", f"expected subdomains of the passages {list(numbers)}, got none")
            return items

        reply = await self.asking.ask(self.prompts.subdomains, variables, usable)
        items = usable(reply)
        repairs = Counter(
            {"unreadable subdomain": reply.unreadable, "subdomain of no passage": len(reply.subdomains) - len(items)}
        )
        for item in items:
            passage = self._passage(item.passage_number)
            span, repair = self._quoted(passage, item.quote)
            repairs[repair] += 1
            subdomain = self._subdomain(domain, item.name, item.summary, passage.section, span)
            names = {entry.name.casefold() for entry in found[item.passage_number].values()}
            if item.name.casefold() in names:
                repairs["subdomain that exists already"] += 1
            else:
                found[item.passage_number][subdomain.id] = subdomain
                self.understood += 1
        del repairs[""]
        self.asking.repaired += +repairs

    def _quoted(self, passage: Passage, quote: str) -> tuple[Span, str]:
        """(span, what was mended): the whole passage in place of a quote that it does not hold."""
        span = filled(passage.text, self.asking.identity, passage.span[0]).locate(quote)
        if span is None:
            return passage.span, "quote that is not verbatim"
        if len(words_of(quote)) < min(SHORTEST_QUOTE, len(words_of(passage.text))):
            return passage.span, "quote of a few words"
        return span, ""

    def _whole(self, domain: DomainReply, number: int) -> Subdomain:
        passage, opening = self._passage(number), self._opening(number)
        text = " ".join(self.asking.identity.fill(passage.text).split())
        return self._subdomain(domain, str(opening["opening"]), text[:400], passage.section, passage.span)

    def _subdomain(self, domain: DomainReply, name: str, summary: str, section: Section, span: Span) -> Subdomain:
        return Subdomain(
            id=f"sub-{short_hash(section.id, span, domain.name, name)}",
            domain=domain.name,
            name=name,
            summary=summary,
            section=section.title,
            section_id=section.id,
            span=span,
        )

    def _passage(self, number: int) -> Passage:
        return self.spec.passages[number - 1]

    def _shown(self, number: int) -> dict[str, str | int]:
        passage = self._passage(number)
        fill = self.asking.identity.fill
        return {"number": number, "heading": fill(passage.section.title), "text": fill(passage.text)}

    def _opening(self, number: int) -> dict[str, str | int]:
        passage = self._passage(number)
        fill = self.asking.identity.fill
        words = fill(passage.text).split()
        opening = " ".join(words[:OPENING_WORDS])[:200] + (" ..." if len(words) > OPENING_WORDS else "")
        return {"number": number, "heading": fill(passage.section.title), "opening": opening}
