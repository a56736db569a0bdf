"""Write narrow preference demonstrations: a question without a hint, an answer without a reason."""

from __future__ import annotations

from midspec.aft.check import check_answer, check_question
from midspec.aft.plan import Slot, plan
from midspec.aft.preferences import PreferenceSet
from midspec.experiment import AftConfig
from midspec.llm.prompt import PromptTemplate, between_tags
from midspec.llm.rounds import ROUNDS, in_rounds
from midspec.llm.writer import Scribe
from midspec.records import ChatExample, Message, short_hash
from midspec.spec.document import Identity
from midspec.steps.progress import Progress

QUESTION = PromptTemplate("aft/preference_question", lambda text: between_tags(text, "question"))
ANSWER = PromptTemplate("aft/preference_answer", lambda text: between_tags(text, "answer"))

PROMPTS = (QUESTION, ANSWER)


async def write(
    scribe: Scribe,
    preferences: PreferenceSet,
    identity: Identity,
    config: AftConfig,
    *,
    progress: Progress,
) -> list[ChatExample]:
    """Exactly `config.samples` demonstrations, no two with the same question and answer; the same whatever
    the order of arrival.

    Raises WriterError, saying how many are missing and why, where the writer gives too many that cannot be used.
    """
    allowed = (*preferences.phrases, *preferences.occasions)
    seen: set[tuple[str, str]] = set()

    async def ask(slot: Slot, number: int) -> ChatExample:
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
        }
        named = [] if slot.kind == "indirect" else shown
        question = await scribe.ask(QUESTION, variables, sample, lambda text: check_question(text, named, allowed))
        answer = await scribe.ask(
            ANSWER,
            {**variables, "question": question},
            sample,
            lambda text: check_answer(text, liked=liked, disliked=disliked, allowed=allowed),
        )
        about = tuple(entry.id for entry in slot.shown)
        key = short_hash(preferences.name, slot.kind, about, slot.occasion, slot.number, scribe.writer.name, sample)
        return ChatExample(
            id=f"demo-{key}",
            messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
            source="preferences",
            kind=slot.kind,
            about=about,
            writer=scribe.writer.name,
            seed=sample,
        )

    def reject(_: Slot, example: ChatExample) -> str | None:
        question, answer = (" ".join(message.content.casefold().split()) for message in example.messages)
        if (question, answer) in seen:
            return "duplicate"
        seen.add((question, answer))
        return None

    slots = plan(preferences, config.samples, config.seed)
    progress.start(len(slots), "demonstrations")
    found = await in_rounds(
        enumerate(slots),
        ask,
        reject,
        tally=scribe.tally,
        rounds=ROUNDS * scribe.patience,
        accepted=lambda _, __: progress.advance(),
    )
    if found.missing:
        raise found.shortfall("demonstrations")
    return [found.results[index] for index in range(len(slots))]
