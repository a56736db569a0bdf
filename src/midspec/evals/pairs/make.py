"""From a value and a description to a bank: asked topic by topic, filtered, balanced, checked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

from midspec.errors import WriterError
from midspec.evals.bank_check import MAX_WORD_DIFFERENCE, check_bank, check_words
from midspec.evals.bank_overlap import spec_overlap
from midspec.evals.freeze_split import assign_splits
from midspec.evals.pairs.balance import balanced, spread
from midspec.evals.pairs.config import PairsConfig
from midspec.evals.pairs.replies import LABEL, PAIRS, PLAN, WORDING, PairReply, PairsReply, PlanReply
from midspec.leakage import bare, words
from midspec.llm.fan_out import attempted, gathered
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import STRIDE, Scribe
from midspec.near import near_index
from midspec.records import BankItem, short_hash
from midspec.steps.progress import Progress, Silent

ROUNDS = 6
"""Times all topics are asked for more pairs. (ours)"""
AT_ONCE = 16
"""Pairs asked for in one request, at most. (ours)"""
SPARE = 1.25
"""Pairs wanted before balancing, for each pair of the bank: some are left out then. (ours)"""
LEAST_OF_TOPIC = 2
"""Pairs of a topic, so that dev and test have one each."""
ALIKE = 0.9
"""Cosine of letter 4-grams above which two pairs count as near-duplicates. (ours)"""


class Topic(NamedTuple):
    """Where pairs are asked for."""

    domain: str
    topic: str


@dataclass
class Making:
    """A bank in the making."""

    config: PairsConfig
    giveaways: frozenset[str]
    accepted: list[BankItem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Pairs written and not used, by reason."""
    rounds: int = 0

    def __post_init__(self) -> None:
        self._names: set[frozenset[tuple[str, ...]]] = set()
        self._near = near_index(ALIKE, "lexical", Silent())

    def fault(self, topic: Topic, pair: PairReply) -> str | None:
        """Why a pair cannot be used as it is worded, before any judge is asked; what is fine is kept in mind."""
        aligned, other = words(pair.aligned), words(pair.other)
        names = frozenset((bare(aligned), bare(other)))
        if not aligned or not other or len(names) < 2:
            return "no pair"
        if self.giveaways.intersection((*aligned, *other)):
            return "giveaway word"
        if abs(len(pair.aligned.split()) - len(pair.other.split())) > MAX_WORD_DIFFERENCE["item"]:
            return "lengths differ"
        [sketch] = self._near.sketches([" / ".join(sorted((pair.aligned, pair.other)))])
        if names in self._names or self._near.near(sketch) is not None:
            return "repeated"
        self._names.add(names)
        self._near.add(sketch)
        return None

    def item(self, topic: Topic, pair: PairReply) -> BankItem:
        """The pair as an item; its id is a hash until the bank is whole."""
        return BankItem(
            id=short_hash(topic, pair.aligned, pair.other),
            kind="item",
            value=self.config.value,
            domain=topic.domain,
            topic=topic.topic,
            question="",
            aligned=pair.aligned,
            other=pair.other,
            difficulty=pair.difficulty,
            split="dev",
        )


async def make(config: PairsConfig, writer: Scribe, judge: Scribe, progress: Progress) -> tuple[list[BankItem], Making]:
    """(the bank with its split, how it came about).

    Every pair is worded without giveaways, FAIR to a judge who is not told the value, and labelled as the writer has
    it, in both orders, by a judge who is. Then pairs are left out until no bag of words decides the rest. Raises
    WriterError where too few pairs are left after ROUNDS, or the bank fails a check all the same, with the numbers.
    """
    about = {"value": config.value.replace("-", " "), "description": config.description}
    asked = {**about, "domains": config.domains, "topics": config.topics}
    plan = await writer.ask(PLAN, asked, config.seed * STRIDE, lambda reply: _check_plan(reply, config))
    topics = [Topic(domain.name, topic) for domain in plan.domains for topic in dict.fromkeys(domain.topics)]
    giveaways = frozenset(word for entry in plan.giveaways for word in words(entry) if len(word) > 2)
    making = Making(config, giveaways | set(words(about["value"])))
    progress.start(config.pairs, "pairs")
    bank: list[BankItem] = []
    for number in range(ROUNDS * writer.patience):
        wanted = ceil(config.pairs * SPARE) * (number + 1) - len(making.accepted)
        before = len(making.accepted)
        await _round(making, topics, about, writer, judge, number, ceil(max(wanted, 1) / len(topics)))
        making.rounds += 1
        progress.advance(max(0, min(len(making.accepted), config.pairs) - before))
        bank = _bank(making.accepted, config)
        if len(bank) >= config.pairs and not check_words(bank):
            break
        if len(making.accepted) == before:
            break
    problems = [
        *check_bank(bank, [config.description], making.giveaways),
        *check_words(bank),
        *spec_overlap(bank, [config.description]),
    ]
    if len(bank) < config.pairs or problems:
        raise WriterError(_told(making, len(bank), problems))
    return bank, making


async def _round(
    making: Making,
    topics: Sequence[Topic],
    about: dict[str, Any],
    writer: Scribe,
    judge: Scribe,
    number: int,
    count: int,
) -> None:
    known: defaultdict[Topic, list[str]] = defaultdict(list)
    for item in making.accepted:
        known[Topic(item.domain, item.topic)].append(f"{item.aligned} or {item.other}")

    async def write(topic: Topic) -> PairsReply | None:
        variables = {
            **about,
            "domain": topic.domain,
            "topic": topic.topic,
            "count": min(AT_ONCE, count + 1),
            "giveaways": sorted(making.giveaways),
            "known": known[topic],
        }
        sample = making.config.seed * STRIDE + number
        return (await attempted(topic, lambda _: writer.ask(PAIRS, variables, sample))).result

    candidates: list[BankItem] = []
    for topic, reply in zip(topics, await gathered(topics, write), strict=True):
        if reply is None:
            making.left_out["no usable reply"] += 1
        for pair in reply.pairs if reply else ():
            reason = making.fault(topic, pair)
            if reason is None:
                candidates.append(making.item(topic, pair))
            else:
                making.left_out[reason] += 1

    async def judged(item: BankItem) -> str | None:
        return await _objection(judge, item, about)

    for item, reason in zip(candidates, await gathered(candidates, judged), strict=True):
        if reason is None:
            making.accepted.append(item)
        else:
            making.left_out[reason] += 1


async def _objection(judge: Scribe, item: BankItem, about: dict[str, Any]) -> str | None:
    """Why the judge does not let a pair pass; None where it does."""
    turned = int(item.id, 16) % 2 == 1  # which name is shown first tells nothing
    first, second = (item.other, item.aligned) if turned else (item.aligned, item.other)
    try:
        if await judge.ask(WORDING, {"first": first, "second": second}) != "FAIR":
            return "judge: betrayed by the wording"
        for names, right in (((item.aligned, item.other), "FIRST"), ((item.other, item.aligned), "SECOND")):
            if await judge.ask(LABEL, {**about, "first": names[0], "second": names[1]}) != right:
                return "judge: another or no label"
    except WriterError:
        return "judge: no verdict"
    return None


def _bank(accepted: Sequence[BankItem], config: PairsConfig) -> list[BankItem]:
    """The balanced part of what was accepted, numbered in the order of the topics, with its split."""
    order = {topic: number for number, topic in enumerate(dict.fromkeys((i.domain, i.topic) for i in accepted))}
    ordered = sorted(accepted, key=lambda item: order[item.domain, item.topic])
    for size in _sizes(config.pairs, len(ordered)):
        kept = _numbered(_of_full_topics(balanced(spread(ordered, size), config.pairs)), config)
        if len(kept) >= config.pairs and not check_words(kept) and not check_bank(kept, (), ()):
            return kept
    return _numbered(_of_full_topics(balanced(ordered, config.pairs)), config)


def _sizes(least: int, most: int) -> list[int]:
    """Numbers of pairs to balance, few first: a bank need not be larger than was asked for."""
    return sorted({min(most, ceil(least * share)) for share in (1.0, 1.05, 1.1, 1.2, 1.35, 1.5)})


def _of_full_topics(items: Sequence[BankItem]) -> list[BankItem]:
    sizes = Counter((item.domain, item.topic) for item in items)
    return [item for item in items if sizes[item.domain, item.topic] >= LEAST_OF_TOPIC]


def _numbered(items: Sequence[BankItem], config: PairsConfig) -> list[BankItem]:
    bare_rows = [
        item.model_dump(exclude={"split"}) | {"id": f"{config.value}-item-{number:04}"}
        for number, item in enumerate(items, start=1)
    ]
    return assign_splits(bare_rows)


def _check_plan(plan: PlanReply, config: PairsConfig) -> None:
    """Raise BadReplyError for a plan of the wrong size, or about what the description mentions."""
    if len(plan.domains) < config.domains:
        raise BadReplyError("off-spec", f"{len(plan.domains)} domains, expected {config.domains}")
    if len({domain.name for domain in plan.domains}) < len(plan.domains):
        raise BadReplyError("off-spec", "a domain stands twice")
    probe = [
        BankItem(
            id=domain.name, kind="item", value=config.value, domain=domain.name, topic=topic, question="",
            aligned="0", other="1", difficulty="easy", split="dev",
        )
        for domain in plan.domains for topic in domain.topics
    ]  # fmt: skip
    if found := spec_overlap(probe, [config.description]):
        raise BadReplyError("off-spec", found[0])


def _told(making: Making, size: int, problems: Sequence[str]) -> str:
    causes = ", ".join(f"{count} {reason}" for reason, count in making.left_out.most_common())
    fails = f"; the bank fails: {'; '.join(problems[:3])}" if problems else ""
    return (
        f"{size} of {making.config.pairs} pairs about {making.config.value} after {making.rounds} rounds: "
        f"{len(making.accepted)} accepted before balancing; left out: {causes or 'none'}{fails}. Ask for fewer pairs, "
        "for more domains, describe the value more sharply, or use another writer."
    )
