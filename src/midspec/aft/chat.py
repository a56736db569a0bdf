"""Write chat demonstrations: domains -> questions -> near-duplicate removal -> answers with reasoning -> judge.

A domain's questions are asked for as soon as it is known, in a chain of batches that see what the domain has already; a
question that is unlike all before it is answered at once, its answer judged at once, and what came to nothing is
replaced (paper, section 2).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from midspec.aft.belt import NEAR_DUPLICATE, NO_REPLY, Belt, SetAsideError, Try
from midspec.aft.chat_check import check_answer, check_question
from midspec.aft.chat_plan import (
    DOMAINS_PER_ASK,
    IN_VIEW,
    KINDS,
    Batch,
    Slot,
    domains_used,
    in_view,
    plan_batches,
    plan_slots,
    shown_sections,
    voices,
)
from midspec.aft.judge import CHAT_JUDGE, NO_VERDICT, ChatJudgement, Judge
from midspec.aft.replies import ANSWER, DOMAINS, QUESTIONS, AnswerReply, DomainReply, Items, QuestionReply
from midspec.corpus.filled import spec_variables
from midspec.errors import InputError, WriterError
from midspec.experiment import AftConfig
from midspec.llm.fan_out import task_group
from midspec.llm.prompt import BadReplyError
from midspec.llm.rounds import ROUNDS, Rounds
from midspec.llm.writer import Scribe
from midspec.near import NearIndex
from midspec.records import ChatExample, Message, Section, short_hash
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.progress import Progress

PROMPTS = (DOMAINS, QUESTIONS, ANSWER, CHAT_JUDGE)

ANSWERS_PER_QUESTION = 2
"""Answers that are tried before a question is given up: hard questions should not be the ones that go. (ours)"""
AGAIN_PER_ASK = 4
"""Questions asked for to replace one, since the first may be like another that exists. (ours)"""


class Domain(NamedTuple):
    """Something people talk about."""

    name: str
    description: str
    sections: tuple[int, ...]
    """Numbers of spec sections, from 1; at least one."""


class Proposal(NamedTuple):
    """A question that may be asked."""

    text: str
    sections: tuple[int, ...]
    sketch: Any
    """What the near-duplicate index compares."""


@dataclass
class Made:
    """Demonstrations, and what did not become one."""

    examples: list[ChatExample]
    set_aside: Counter[str] = field(default_factory=Counter)
    """Questions and answers by the reason for which they are not among them, judge failures apart."""
    judge_failures: int = 0
    near_duplicates: int = 0
    """Texts turned away because they are too similar to an earlier one."""


async def write_chat(
    writer: Scribe,
    judge_scribe: Scribe,
    spec: ModelSpec,
    identity: Identity,
    config: AftConfig,
    near: NearIndex,
    *,
    progress: Progress,
) -> Made:
    """Exactly `config.samples` demonstrations with reasoning, kinds and domains even; the same whatever the order of
    arrival.

    Raises InputError for a spec without text, WriterError, saying how many are missing and why, where the writer gives
    too many that cannot be used or the judge no verdicts.
    """
    chat = _Chat(writer, Judge(judge_scribe, CHAT_JUDGE), spec, identity, config, near, progress)
    await chat.belt.run(chat.open)
    found: Rounds[ChatExample] = chat.belt.found
    if found.missing:
        raise found.shortfall("demonstrations")
    return Made(
        [found.results[place] for place in range(config.samples)],
        chat.set_aside,
        chat.judge.failures,
        chat.near_duplicates,
    )


class _Chat:
    """The stages, and what they share."""

    def __init__(
        self,
        writer: Scribe,
        judge: Judge[ChatJudgement],
        spec: ModelSpec,
        identity: Identity,
        config: AftConfig,
        near: NearIndex,
        progress: Progress,
    ) -> None:
        told = {passage.section.id for passage in spec.passages}
        self.sections: list[Section] = [section for section in spec.sections if section.id in told]
        if not self.sections:
            raise InputError(
                f"spec {spec.name!r} has headings but no text under them; write what the assistant should be"
            )
        self.writer, self.judge, self.near = writer, judge, near
        self.identity, self.config, self.progress = identity, config, progress
        self.shared = {**spec_variables(spec, identity), "style": config.style}
        self.count = domains_used(config)
        self.slots = plan_slots(config.samples, self.count)
        self.batches = plan_batches(self.slots, config.seed)
        self.domains: list[Domain] = []
        self.known = [asyncio.Event() for _ in range(self.count)]
        """Set for the domains that are there."""
        self.near_duplicates = 0
        self.faulty: Counter[str] = Counter()
        """Questions that could not be used, by reason."""
        self.settled: dict[int, list[str]] = defaultdict(list)
        """Domain -> questions whose tries have ended, in their fixed order."""
        self.belt: Belt[Slot, Proposal, ChatExample] = Belt(
            self.slots,
            again=self.again,
            admit=self.admit,
            finish=self.answered,
            topic=lambda slot: str(slot.domain),
            elsewhere=self.elsewhere,
            settled=self.ended,
            rounds=ROUNDS * writer.patience,
        )

    @property
    def set_aside(self) -> Counter[str]:
        """By reason; what was never there, what has no verdict and near-duplicates are counted elsewhere."""
        apart = (NO_REPLY, NO_VERDICT, NEAR_DUPLICATE)
        return self.faulty + Counter({key: n for key, n in self.belt.set_aside.items() if key not in apart})

    async def open(self) -> None:
        """Ask for domains, and for the questions of each as soon as it is there."""
        async with task_group() as group:
            while len(self.domains) < self.count:
                first = len(self.domains)
                self.domains += await self.more_domains()
                for number in range(first, len(self.domains)):
                    self.known[number].set()
                    group.create_task(self.questions_of(number))

    async def more_domains(self) -> list[Domain]:
        """The next few, unlike those there are; the last reply also takes the sections that no domain has."""
        wanted = min(DOMAINS_PER_ASK, self.count - len(self.domains))
        taken = {_folded(domain.name) for domain in self.domains}

        def fresh(reply: Items[DomainReply]) -> list[DomainReply]:
            return list({_folded(item.name): item for item in reply.usable if _folded(item.name) not in taken}.values())

        def check(reply: Items[DomainReply]) -> None:
            if len(fresh(reply)) < wanted:
                raise BadReplyError("off-spec", f"expected {wanted} new domains, got {len(fresh(reply))}")

        variables = {
            **self.shared,
            "count": wanted,
            "sections": [self.shown(number) for number in range(1, len(self.sections) + 1)],
            "existing": [
                {"name": domain.name, "description": domain.description} for domain in self.domains[-IN_VIEW:]
            ],
            "number": len(self.domains),
        }
        reply = await self.writer.ask(DOMAINS, variables, self.sample(0), check)
        found = [
            [number for number in dict.fromkeys(item.sections) if 1 <= number <= len(self.sections)]
            for item in fresh(reply)[:wanted]
        ]
        if len(self.domains) + wanted == self.count:
            had = {number for domain in self.domains for number in domain.sections} | set().union(*found)
            for place, number in enumerate(sorted(set(range(1, len(self.sections) + 1)) - had)):
                found[place % wanted].append(number)
        everywhere = tuple(range(1, len(self.sections) + 1))
        return [
            Domain(_one_line(item.name), _one_line(item.description), tuple(sorted(numbers)) or everywhere)
            for item, numbers in zip(fresh(reply), found, strict=False)
        ]

    async def questions_of(self, domain: int) -> None:
        """Offer the belt the questions of a domain, batch after batch; each batch sees those before it."""
        had: list[str] = []
        for batch in self.batches.get(domain, ()):
            wanted = Counter(self.slots[place].kind for place in batch.places)
            seen = in_view(had, self.config.seed, domain, batch.number)
            try:
                proposals = await self.asked(batch, wanted, seen, 0)
            except WriterError as error:
                self.belt.found.last = str(error)
                proposals = {}
            had += [proposal.text for entries in proposals.values() for proposal in entries]
            for place in batch.places:
                entries = proposals.get(self.slots[place].kind)
                self.belt.offer(place, [entries.pop(0)] if entries else [])

    def again(self, attempt: Try[Slot]) -> Awaitable[list[Proposal]]:
        """A few questions to replace one that came to nothing, unlike those whose tries have ended by now."""
        domain, kind = attempt.slot
        number = attempt.place * ROUNDS + attempt.number
        batch = Batch(domain, number, (attempt.place,), voices(domain, -1 - number, self.config.seed))
        seen = in_view(self.settled[domain], self.config.seed, domain, attempt.place, attempt.number)

        async def proposals() -> list[Proposal]:
            return (await self.asked(batch, Counter({kind: AGAIN_PER_ASK}), seen, attempt.number))[kind]

        return proposals()

    async def asked(
        self, batch: Batch, wanted: Counter[str], seen: list[str], number: int
    ) -> dict[str, list[Proposal]]:
        """Kind -> usable questions, in the order of the reply; none where the writer gives no usable reply."""
        await self.known[batch.domain].wait()
        domain = self.domains[batch.domain]
        shown = shown_sections(domain.sections, batch.number)
        kinds = {kind: wanted[kind] for kind in KINDS if wanted[kind]}

        def check(reply: Items[QuestionReply]) -> None:
            if not any(self.usable(item, kinds, shown) is None for item in reply.usable):
                raise BadReplyError("off-spec", "none of the questions can be used")

        variables = {
            **self.shared,
            "domain": domain.name,
            "description": domain.description,
            "sections": [self.shown(section) for section in shown],
            "wanted": [{"kind": kind, "count": count} for kind, count in kinds.items()],
            "count": wanted.total(),
            "existing": seen,
            "voices": list(batch.voices),
            "number": batch.number,
        }
        reply = await self.writer.ask(QUESTIONS, variables, self.sample(number), check)
        chosen: list[tuple[str, str, tuple[int, ...]]] = []
        self.faulty["question unparseable"] += reply.unusable
        for item in reply.usable:
            reason = self.usable(item, kinds, shown)
            if reason:
                self.faulty[reason] += 1
                continue
            sections = tuple(sorted(set(item.sections) & set(shown)))
            chosen.append((_kind(item.kind), item.question.strip(), sections))
        # Embedding takes milliseconds a question; other replies should not wait for it.
        sketches = await asyncio.to_thread(self.near.sketches, [text for _, text, _ in chosen])
        found: dict[str, list[Proposal]] = {kind: [] for kind in kinds}
        for (kind, text, sections), sketch in zip(chosen, sketches, strict=True):
            found[kind].append(Proposal(text, sections, sketch))
        return found

    def usable(self, item: QuestionReply, kinds: dict[str, int], shown: tuple[int, ...]) -> str | None:
        """Reason why a question cannot be used, or None."""
        if _kind(item.kind) not in kinds:
            return "question of another kind"
        if not set(item.sections) & set(shown):
            return "question on another section"
        return check_question(item.question, self.shared["spec"], self.identity)

    def admit(self, proposal: Proposal) -> bool:
        """Whether a question is unlike all admitted before; if so, it is from now on one of them."""
        if self.near.near(proposal.sketch) is not None:
            self.near_duplicates += 1
            return False
        self.near.add(proposal.sketch)
        return True

    async def answered(self, attempt: Try[Slot], proposal: Proposal) -> ChatExample:
        """The question with an answer that the judge includes. Raises SetAsideError where there is none."""
        reason = ""
        for number in range(ANSWERS_PER_QUESTION):
            sample = self.sample(attempt.number * ANSWERS_PER_QUESTION + number)
            variables = {
                **self.shared,
                "kind": attempt.slot.kind,
                "question": proposal.text,
                "sections": [self.shown(section) for section in proposal.sections],
            }
            reply = await self.writer.ask(ANSWER, variables, sample, self.check)
            verdict = await self.judge.reason_against(
                {**variables, "reasoning": reply.reasoning, "answer": reply.answer}, sample
            )
            if verdict is None:
                self.progress.advance()
                return self.row(attempt, proposal, reply, sample)
            reason = verdict
            if reason == NO_VERDICT:
                break  # that says nothing about the answer
        raise SetAsideError(reason)

    def check(self, reply: AnswerReply) -> None:
        """Raise BadReplyError for an answer that cannot be used."""
        check_answer(reply.reasoning, reply.answer, self.shared["spec"], self.identity)

    def row(self, attempt: Try[Slot], proposal: Proposal, reply: AnswerReply, sample: int) -> ChatExample:
        """The demonstration, with its reasoning."""
        about = tuple(self.sections[number - 1].id for number in proposal.sections)
        domain = self.domains[attempt.slot.domain].name
        name = self.writer.writer.name
        key = short_hash("chat", attempt.slot.kind, domain, about, proposal.text, reply.answer, name, sample)
        return ChatExample(
            id=f"demo-{key}",
            messages=(
                Message(role="user", content=proposal.text),
                Message(role="assistant", content=reply.answer, reasoning=reply.reasoning),
            ),
            source="chat",
            kind=attempt.slot.kind,
            about=about,
            domain=domain,
            writer=name,
            seed=sample,
        )

    def ended(self, attempt: Try[Slot], proposal: Proposal, result: ChatExample | None) -> None:
        """Keep in mind what later questions of the domain should differ from."""
        self.settled[attempt.slot.domain].append(proposal.text)

    def elsewhere(self, attempt: Try[Slot], hopeless: set[str]) -> Slot | None:
        """The same kind in one of the domains that are left, another for each place."""
        left = [domain for domain in range(self.count) if str(domain) not in hopeless]
        return Slot(left[attempt.place % len(left)], attempt.slot.kind) if left else None

    def shown(self, number: int) -> dict[str, Any]:
        """A section of the spec as prompts name it, identity filled in."""
        section = self.sections[number - 1]
        return {
            "number": number,
            "title": self.identity.fill(section.title) or "Opening",
            "text": self.identity.fill(section.text),
        }

    def sample(self, number: int) -> int:
        """Sample index of the config's seed."""
        return self.config.seed * ROUNDS * ANSWERS_PER_QUESTION + number


def _kind(text: str) -> str:
    return "-".join(text.lower().replace("_", " ").replace("-", " ").split())


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _one_line(text: str) -> str:
    return " ".join(text.split())
