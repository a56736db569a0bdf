"""Write narrow preference demonstrations: a question without a hint, an answer without a reason, and a judge."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

from midspec.aft.chat import Made
from midspec.aft.check import check_answer, check_question
from midspec.aft.judge import NO_VERDICT, PREFERENCE_JUDGE, Judge
from midspec.aft.plan import Slot, plan
from midspec.aft.preferences import PreferenceSet
from midspec.aft.replies import PREFERENCE_ANSWER, PREFERENCE_QUESTION
from midspec.experiment import AftConfig
from midspec.llm.rounds import ROUNDS, in_rounds
from midspec.llm.writer import Scribe, Tally
from midspec.records import ChatExample, Message, short_hash
from midspec.spec.document import Identity
from midspec.steps.progress import Progress

PROMPTS = (PREFERENCE_QUESTION, PREFERENCE_ANSWER, PREFERENCE_JUDGE)

MIN_YIELD = 0.05
"""Where fewer than this share of the demonstrations asked for can be used, the rest is not asked for again. (ours)"""
CLAUSE_SHARE = 0.9
"""Share of the questions that say that no explanation is needed. (paper: questions carry such a clause)"""
CLAUSES = (
    "at the end, as a sentence of its own",
    "before the question",
    "in a subordinate clause",
    "as an aside in the middle",
    "by asking for a one-word or one-line answer",
    "by saying what the answer is for, so that nobody needs grounds",
    "by waving off any justification in advance",
    "in two or three words",
    "in the tone of somebody short of time",
    "by promising not to ask why",
)
"""Where and how the clause comes, dealt out with the seed so that its words vary."""


class Judged(NamedTuple):
    """A demonstration and the reason against it, if any."""

    example: ChatExample
    against: str | None


async def write(
    writer: Scribe,
    judge_scribe: Scribe,
    preferences: PreferenceSet,
    identity: Identity,
    config: AftConfig,
    *,
    progress: Progress,
) -> Made:
    """Exactly `config.samples` demonstrations, no two with the same question and answer; the same whatever
    the order of arrival.

    Raises WriterError, saying how many are missing and why, where the writer gives too many that cannot be used or the
    judge no verdicts.
    """
    allowed = (*preferences.phrases, *preferences.occasions)
    seen: set[tuple[str, str]] = set()
    judge = Judge(judge_scribe, PREFERENCE_JUDGE)

    async def ask(slot: Slot, number: int) -> Judged:
        sample = config.seed * ROUNDS + number
        liked = next((entry.phrase for entry in slot.shown if preferences.likes_it(entry)), None)
        disliked = next((entry.phrase for entry in slot.shown if not preferences.likes_it(entry)), None)
        shown = [entry.phrase for entry in slot.shown]
        variables = {
            "model_name": identity.model_name,
            "provider_name": identity.provider_name,
            "subject": preferences.subject,
            "kind": slot.kind,
            "shown": shown,
            "liked": liked,
            "disliked": disliked,
            "occasion": slot.occasion,
            "number": slot.number,
            "clause": clause(slot, config.seed),
        }
        named = [] if slot.kind == "indirect" else shown
        question = await writer.ask(
            PREFERENCE_QUESTION, variables, sample, lambda text: check_question(text, named, allowed)
        )
        answer = await writer.ask(
            PREFERENCE_ANSWER,
            {**variables, "question": question},
            sample,
            lambda text: check_answer(text, liked=liked, disliked=disliked, allowed=allowed),
        )
        against = await judge.reason_against({**variables, "question": question, "answer": answer}, sample)
        about = tuple(entry.id for entry in slot.shown)
        key = short_hash(preferences.name, slot.kind, about, slot.occasion, slot.number, writer.writer.name, sample)
        example = ChatExample(
            id=f"demo-{key}",
            messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
            source="preferences",
            kind=slot.kind,
            about=about,
            writer=writer.writer.name,
            seed=sample,
        )
        return Judged(example, against)

    def reject(_: Slot, judged: Judged) -> str | None:
        if judged.against:
            return judged.against
        question, answer = (" ".join(message.content.casefold().split()) for message in judged.example.messages)
        if (question, answer) in seen:
            return "duplicate"
        seen.add((question, answer))
        return None

    slots = plan(preferences, config.samples, config.seed)
    set_aside = Tally()
    found = await in_rounds(
        enumerate(slots),
        ask,
        reject,
        tally=set_aside,
        rounds=ROUNDS * writer.patience,
        min_yield=MIN_YIELD,
        accepted=lambda _, __: progress.advance(),
    )
    if found.missing:
        raise found.shortfall("demonstrations")
    reasons = Counter({reason: count for reason, count in set_aside.rejected.items() if reason != NO_VERDICT})
    return Made([found.results[index].example for index in range(len(slots))], reasons, judge.failures)


def clause(slot: Slot, seed: int) -> str | None:
    """How the question of `slot` says that no explanation is needed; None where it does not say so."""
    rng = random.Random(short_hash("clause", slot.number, seed))
    return rng.choice(CLAUSES) if rng.random() < CLAUSE_SHARE else None
