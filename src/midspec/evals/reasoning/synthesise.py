"""Synthesise: themes proposed from the reasons of many transcripts, batch by batch, then merged into one list."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from midspec.errors import InputError, WriterError
from midspec.evals.reasoning.extract import Passage
from midspec.evals.reasoning.replies import CONSOLIDATE, PROPOSE, ConsolidatedReply, ProposalsReply
from midspec.evals.reasoning.themes import EXAMPLES, Direction, Theme, theme_id
from midspec.llm.fan_out import attempted, gathered
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe
from midspec.steps.progress import Progress

BATCH = 60
"""Reasons shown at once, and proposals merged at once. (ours)"""
ROUNDS = 8
"""Times that proposals are merged in groups before all must fit into one prompt. (ours)"""


@dataclass(frozen=True)
class Proposal:
    """A theme on its way: what it is called, and the passages it stands on."""

    name: str
    definition: str
    direction: Direction
    members: frozenset[int]
    """Indices of passages."""


class Synthesised(NamedTuple):
    """A list of themes."""

    themes: list[Theme]
    """Those that were known, in their order; then new ones, most frequent first."""
    dropped: dict[str, int]
    """Names of themes that too few transcripts show -> how many do."""
    unread: int
    """Batches of reasons without a usable reply."""


async def synthesise(
    scribe: Scribe,
    passages: Sequence[Passage],
    known: Sequence[Theme],
    *,
    min_support: int,
    seed: int,
    progress: Progress,
) -> Synthesised:
    """Themes of `passages`, starting from those that are `known`.

    A new theme needs `min_support` transcripts. Raises InputError without passages and where no theme is left,
    WriterError where no batch could be read or the proposals could not be merged.
    """
    if not passages:
        raise InputError("no reasons were found in the transcripts; expected some to make themes of")
    order = list(range(len(passages)))
    random.Random(f"midspec reasoning batches {seed}").shuffle(order)
    batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    progress.start(len(batches), "batches of reasons")
    belongs: defaultdict[str, set[int]] = defaultdict(set)

    async def propose(batch: list[int]) -> ProposalsReply | WriterError:
        variables = {"known": _plain(known), "reasons": [_reason(passages[at]) for at in batch]}
        outcome = await attempted(
            batch, lambda _: scribe.ask(PROPOSE, variables, check=lambda reply: _check(reply, len(batch), known))
        )
        progress.advance()
        return outcome.result or outcome.error or WriterError("no reply")

    replies = await gathered(batches, propose)
    failed = [reply for reply in replies if isinstance(reply, WriterError)]
    if len(failed) == len(replies):
        raise failed[0]
    proposals: list[Proposal] = []
    for batch, reply in zip(batches, replies, strict=True):
        if isinstance(reply, WriterError):
            continue
        for one in reply.known:
            belongs[one.theme] |= {batch[number - 1] for number in one.members}
        for new in reply.themes:
            members = frozenset(batch[number - 1] for number in new.members)
            proposals.append(Proposal(new.name, new.definition, new.direction, members))
    proposals = await _merged(scribe, proposals, passages, known, belongs)
    themes = [_met(theme, belongs[theme.id], passages) for theme in known]
    dropped: dict[str, int] = {}
    for one in sorted(proposals, key=lambda one: (-_support(one.members, passages), one.name)):
        support = _support(one.members, passages)
        if support < min_support:
            dropped[one.name] = support
            continue
        taken = {theme.name.lower() for theme in themes}
        name = one.name if one.name.lower() not in taken else f"{one.name} ({len(themes) + 1})"
        themes.append(
            Theme(
                id=theme_id(name, (theme.id for theme in themes)),
                name=name,
                definition=one.definition,
                direction=one.direction,
                examples=_examples(one.members, passages),
                support=support,
            )
        )
    if not themes:
        raise InputError(
            f"none of {len(dropped)} themes comes from {min_support} transcripts or more; read more transcripts "
            "(--sample), or lower --min-support"
        )
    return Synthesised(themes, dropped, len(failed))


async def _merged(
    scribe: Scribe,
    proposals: list[Proposal],
    passages: Sequence[Passage],
    known: Sequence[Theme],
    belongs: Mapping[str, set[int]],
) -> list[Proposal]:
    """Proposals merged in groups until all were in one prompt together; what is a known theme goes to `belongs`."""
    for _ in range(ROUNDS):
        if not proposals:
            return []
        proposals.sort(key=lambda one: (one.direction, one.name.lower(), sorted(one.members)))
        groups = [proposals[at : at + BATCH] for at in range(0, len(proposals), BATCH)]

        replies = await gathered(groups, lambda group: _consolidated(scribe, group, passages, known))
        proposals = []
        for group, reply in zip(groups, replies, strict=True):
            for one in reply.themes:
                members = frozenset[int]().union(*(group[number - 1].members for number in one.parts))
                if one.known is not None:
                    belongs[one.known].update(members)
                else:
                    proposals.append(Proposal(one.name, one.definition, one.direction, members))
        if len(groups) == 1:
            return proposals
    raise WriterError(
        f"{len(proposals)} proposed themes are left after {ROUNDS} rounds of merging, more than the {BATCH} that fit "
        "into one prompt; read fewer transcripts, or use another judge"
    )


async def _consolidated(
    scribe: Scribe, group: Sequence[Proposal], passages: Sequence[Passage], known: Sequence[Theme]
) -> ConsolidatedReply:
    proposals = [
        {
            "name": one.name,
            "definition": one.definition,
            "direction": one.direction,
            "support": _support(one.members, passages),
        }
        for one in group
    ]
    return await scribe.ask(
        CONSOLIDATE,
        {"known": _plain(known), "proposals": proposals},
        check=lambda reply: _check_merged(reply, len(group), known),
    )


def _check(reply: ProposalsReply, count: int, known: Sequence[Theme]) -> None:
    unknown = {one.theme for one in reply.known} - {theme.id for theme in known}
    if unknown:
        raise BadReplyError("unknown theme", f"{sorted(unknown)[0]!r} is none of the known themes")
    numbers = {number for one in (*reply.known, *reply.themes) for number in one.members}
    if numbers - set(range(1, count + 1)):
        raise BadReplyError("off-spec", f"members name a reason that is not there; there are {count}")


def _check_merged(reply: ConsolidatedReply, count: int, known: Sequence[Theme]) -> None:
    ids = {theme.id for theme in known}
    if any(one.known is not None and one.known not in ids for one in reply.themes):
        raise BadReplyError("unknown theme", "`known` is none of the known themes")
    numbers = sorted(number for one in reply.themes for number in one.parts)
    if numbers != list(range(1, count + 1)):
        raise BadReplyError("off-spec", f"each of {count} proposals must stand in exactly one theme")


def _plain(themes: Sequence[Theme]) -> list[dict[str, Any]]:
    return [theme.model_dump(mode="json", exclude={"support"}) for theme in themes]


def _reason(passage: Passage) -> dict[str, str]:
    return {"reason": passage.reason, "quote": " ".join(passage.quote.split())}


def _met(theme: Theme, members: set[int], passages: Sequence[Passage]) -> Theme:
    """A known theme with how often it was met, and with quotes where it had none."""
    return theme.model_copy(
        update={
            "support": _support(members, passages),
            "examples": theme.examples or _examples(members, passages),
        }
    )


def _support(members: set[int] | frozenset[int], passages: Sequence[Passage]) -> int:
    return len({passages[at].transcript for at in members})


def _examples(members: set[int] | frozenset[int], passages: Sequence[Passage]) -> tuple[str, ...]:
    """Short quotes of different transcripts, from as many arms as there are."""
    best = sorted(members, key=lambda at: (len(passages[at].quote), passages[at].quote))
    by_arm: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for at in best:
        one = passages[at]
        quote = " ".join(one.quote.split())
        if one.transcript not in seen and quote not in seen:
            seen |= {one.transcript, quote}
            by_arm[one.arm].append(quote)
    turns: Counter[str] = Counter()
    found: list[str] = []
    while len(found) < EXAMPLES and any(len(quotes) > turns[arm] for arm, quotes in by_arm.items()):
        for arm in sorted(by_arm):
            if turns[arm] < len(by_arm[arm]) and len(found) < EXAMPLES:
                found.append(by_arm[arm][turns[arm]])
            turns[arm] += 1
    return tuple(found)
