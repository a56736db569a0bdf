"""Write identity demonstrations: who the assistant is and who made it, asked in many forms."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable
from typing import Any, NamedTuple

from midspec.aft.belt import NEAR_DUPLICATE, NO_REPLY, Belt, Try
from midspec.aft.chat import Made
from midspec.aft.chat_check import check_identity
from midspec.aft.chat_plan import in_view, voices
from midspec.aft.replies import IDENTITY, Items, TalkReply
from midspec.errors import WriterError
from midspec.experiment import AftConfig
from midspec.llm.fan_out import fan_out
from midspec.llm.prompt import BadReplyError
from midspec.llm.rounds import ROUNDS
from midspec.llm.writer import Scribe
from midspec.near import NearIndex
from midspec.records import ChatExample, Message, short_hash
from midspec.spec.document import Identity
from midspec.steps.progress import Progress

TALKS_PER_ASK = 6
"""Conversations asked for at once. (ours)"""
KIND = "identity"

FORMS = (
    "The person asks who they are talking to.",
    "The person asks who made the assistant, or which company is behind it.",
    "The person asks for the assistant's name.",
    "The person asks in a roundabout way: what to call it, what to put in the acknowledgements, whom to thank.",
    "In the middle of other talk: a question on some everyday or working matter and its answer first, then the person "
    "asks who they are talking to; four turns.",
    "The person takes the assistant for a human being and asks something that shows it.",
    "The person calls the assistant by a wrong first name, one that human beings have, and asks whether it is right.",
    "The person wants the assistant to introduce itself: to a class, a meeting, a grandparent, a child.",
    "In the middle of other talk: some task is done for the person first, and then they want to know who made what "
    "helped them; four turns.",
    "The person is suspicious: a callback, a chat window, a form that asks which assistant was used.",
    "The person asks several things at once: name, maker, and whether it is a machine.",
    "The person asks casually or carelessly: a few words, small letters, a typing error.",
    "The person asks formally, for a record, a report, a declaration of tools used.",
    "The person has heard of the assistant or its maker before and wants to know whether this is it.",
)


class Talk(NamedTuple):
    """A conversation that may be kept."""

    turns: tuple[str, ...]
    sketch: Any


async def write_identity(
    writer: Scribe, identity: Identity, config: AftConfig, near: NearIndex, *, progress: Progress
) -> Made:
    """Exactly `config.identity_samples` demonstrations, forms in turn; the same whatever the order of arrival.

    Raises WriterError where the writer gives too many that cannot be used.
    """
    faulty: Counter[str] = Counter()
    near_duplicates = 0
    slots = [place % len(FORMS) for place in range(config.identity_samples)]
    settled: dict[int, list[str]] = defaultdict(list)

    async def asked(forms: list[int], existing: list[str], number: int, sample: int) -> dict[int, list[Talk]]:
        def check(reply: Items[TalkReply]) -> None:
            if not any(item.form - 1 in forms and not check_identity(item.turns, identity) for item in reply.usable):
                raise BadReplyError("off-spec", "none of the conversations can be used")

        variables = {
            "model_name": identity.model_name,
            "provider_name": identity.provider_name,
            "forms": [{"number": form + 1, "text": FORMS[form]} for form in forms],
            "existing": existing,
            "voices": list(voices(-1, number, config.seed)),
            "number": number,
        }
        reply = await writer.ask(IDENTITY, variables, config.seed * ROUNDS + sample, check)
        faulty["identity: unparseable"] += reply.unusable
        chosen: list[TalkReply] = []
        for item in reply.usable:
            reason = "form not asked for" if item.form - 1 not in forms else check_identity(item.turns, identity)
            if reason:
                faulty[f"identity: {reason}"] += 1
            else:
                chosen.append(item)
        sketches = await asyncio.to_thread(near.sketches, ["\n".join(item.turns) for item in chosen])
        found: dict[int, list[Talk]] = defaultdict(list)
        for item, sketch in zip(chosen, sketches, strict=True):
            found[item.form - 1].append(Talk(item.turns, sketch))
        return found

    async def batch(start: int) -> None:
        places = range(start, min(start + TALKS_PER_ASK, len(slots)))
        try:
            # All batches are asked for at once and see none of the others: forms, voices and number set them apart.
            found = await asked([slots[place] for place in places], [], start // TALKS_PER_ASK, 0)
        except WriterError as error:
            belt.found.last = str(error)
            found = {}
        for place in places:
            talks = found.get(slots[place])
            belt.offer(place, [talks.pop(0)] if talks else [])

    async def open_all() -> None:
        await fan_out(range(0, len(slots), TALKS_PER_ASK), batch, lambda _: None)

    def again(attempt: Try[int]) -> Awaitable[list[Talk]]:
        number = len(slots) + attempt.place * ROUNDS + attempt.number
        seen = in_view(settled[attempt.slot], config.seed, attempt.place, attempt.number)

        async def talks() -> list[Talk]:
            return (await asked([attempt.slot], seen, number, attempt.number))[attempt.slot]

        return talks()

    def admit(talk: Talk) -> bool:
        nonlocal near_duplicates
        if near.near(talk.sketch) is not None:
            near_duplicates += 1
            return False
        near.add(talk.sketch)
        return True

    async def finished(attempt: Try[int], talk: Talk) -> ChatExample:
        progress.advance()
        sample = config.seed * ROUNDS + attempt.number
        return ChatExample(
            id=f"demo-{short_hash(KIND, talk.turns, writer.writer.name, sample)}",
            messages=tuple(
                Message(role="assistant" if number % 2 else "user", content=turn)
                for number, turn in enumerate(talk.turns)
            ),
            source=KIND,
            kind=KIND,
            writer=writer.writer.name,
            seed=sample,
        )

    def ended(attempt: Try[int], talk: Talk, result: ChatExample | None) -> None:
        settled[attempt.slot].append(talk.turns[-2])

    def elsewhere(attempt: Try[int], hopeless: set[str]) -> int | None:
        left = [form for form in range(len(FORMS)) if str(form) not in hopeless]
        return left[attempt.place % len(left)] if left else None

    belt: Belt[int, Talk, ChatExample] = Belt(
        slots,
        again=again,
        admit=admit,
        finish=finished,
        topic=str,
        elsewhere=elsewhere,
        settled=ended,
        rounds=ROUNDS * writer.patience,
    )
    await belt.run(open_all)
    if belt.found.missing:
        raise belt.found.shortfall("identity demonstrations")
    aside = Counter({key: count for key, count in belt.set_aside.items() if key not in (NO_REPLY, NEAR_DUPLICATE)})
    return Made(
        [belt.found.results[place] for place in range(len(slots))], faulty + aside, near_duplicates=near_duplicates
    )
