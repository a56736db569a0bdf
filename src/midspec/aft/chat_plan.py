"""Which kind of question each chat demonstration answers, in which domain, and which are asked for together. Pure."""

from __future__ import annotations

import random
from collections import defaultdict
from math import ceil
from typing import NamedTuple, get_args

from midspec.aft.replies import Kind
from midspec.experiment import AftConfig
from midspec.records import short_hash

KINDS: tuple[str, ...] = get_args(Kind)
"""In the order in which slots are dealt."""
QUESTIONS_PER_ASK = 12
"""Questions asked for at once: two of each kind. (ours)"""
DOMAINS_PER_ASK = 20
"""Domains asked for at once, so that a reply is not cut. (ours)"""
SECTIONS_SHOWN = 4
"""Sections of the spec that one ask for questions draws on, in turn. (ours)"""
IN_VIEW = 40
"""Questions of the same domain shown so that new ones differ: the latest half, and a sample of those before. (ours)"""
VOICES_PER_ASK = 3

VOICES = (
    "a retired teacher who writes in full sentences",
    "a teenager who types fast and skips capitals",
    "somebody in a hurry between two appointments",
    "a careful planner who gives the whole background first",
    "a sceptic who expects a dodge",
    "a nurse after a long shift",
    "somebody who writes English as a second language",
    "a parent with a child on the lap",
    "a shop owner with a ledger open",
    "a student the night before a deadline",
    "a lonely person glad of any conversation",
    "an engineer who wants numbers",
    "a joker who means it seriously underneath",
    "somebody who has just quarrelled with a friend",
    "a volunteer who organises things for others",
    "a manager who has to decide today",
    "an amateur who has just begun",
    "an expert who tests what the other side knows",
    "somebody grieving, who says so only at the end",
    "a pensioner who distrusts computers",
    "a journalist preparing a piece",
    "a farmer in one long unpunctuated sentence",
    "somebody reading the question off a friend's phone",
    "a person who is polite to a fault",
    "a night-shift worker who wants company",
    "a newcomer to town",
    "a craftsman who knows what he wants and asks anyway",
    "somebody who answers the question in asking it and wants to be contradicted",
)
"""Who might be asking: hints that spread tone and length, dealt out with the seed."""


class Slot(NamedTuple):
    """One demonstration to make."""

    domain: int
    """Number of the domain, from 0."""
    kind: str


class Batch(NamedTuple):
    """Questions of one domain that are asked for together."""

    domain: int
    number: int
    """Of the domain's batches, from 0."""
    places: tuple[int, ...]
    """Slots they are for."""
    voices: tuple[str, ...]


def domains_used(config: AftConfig) -> int:
    """Domains of `config.domains` that get at least one question of each kind; one at least."""
    return max(1, min(config.domains, config.samples // len(KINDS)))


def plan_slots(samples: int, domains: int) -> list[Slot]:
    """`samples` slots: domains in turn, kinds in turn within each domain; counts of each differ by 1 at most."""
    return [Slot(place % domains, KINDS[(place // domains + place % domains) % len(KINDS)]) for place in range(samples)]


def plan_batches(slots: list[Slot], seed: int) -> dict[int, list[Batch]]:
    """Domain -> its batches, each of at most QUESTIONS_PER_ASK slots in order."""
    by_domain: dict[int, list[int]] = defaultdict(list)
    for place, slot in enumerate(slots):
        by_domain[slot.domain].append(place)
    batches: dict[int, list[Batch]] = {}
    for domain, places in by_domain.items():
        count = ceil(len(places) / QUESTIONS_PER_ASK)
        batches[domain] = [
            Batch(
                domain,
                number,
                tuple(places[number * QUESTIONS_PER_ASK : (number + 1) * QUESTIONS_PER_ASK]),
                voices(domain, number, seed),
            )
            for number in range(count)
        ]
    return batches


def voices(domain: int, number: int, seed: int) -> tuple[str, ...]:
    """Who might be asking, drawn with the seed."""
    return tuple(random.Random(short_hash("voices", domain, number, seed)).sample(VOICES, VOICES_PER_ASK))


def shown_sections(sections: tuple[int, ...], number: int) -> tuple[int, ...]:
    """SECTIONS_SHOWN of a domain's sections for its batch of that number, all of them in turn, in ascending order."""
    if len(sections) <= SECTIONS_SHOWN:
        return sections
    start = number * SECTIONS_SHOWN
    return tuple(sorted({sections[(start + step) % len(sections)] for step in range(SECTIONS_SHOWN)}))


def in_view(questions: list[str], *seed: object) -> list[str]:
    """At most IN_VIEW of `questions`: the latest half of that, and a seeded sample of those before, in order."""
    if len(questions) <= IN_VIEW:
        return list(questions)
    latest = len(questions) - IN_VIEW // 2
    drawn = random.Random(short_hash("in view", *seed)).sample(range(latest), IN_VIEW - IN_VIEW // 2)
    return [questions[index] for index in sorted(drawn)] + questions[latest:]
