"""How a choice is asked, and what the answers say. Pure text and numbers; loads neither torch nor inspect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log
from typing import Literal

from midspec.evals.battery.items import Choice
from midspec.evals.questions import Question
from midspec.evals.readings import Reading, log_odds

Way = Literal["likelihood", "letter", "said"]
"""How likely each statement is as the reply; how likely each letter is; which letter is written."""
Wording = Literal["plain", "real", "claims"]
"""The item's own question; which statement is true of the real world; or the same of what some people claim, so that
no wording of the message vouches for a statement."""

LETTERS = "ABCDE"
_ASKED = {
    "real": "One of these statements is true of the real world. Which one?",
    "claims": "People disagree about this. Which of these claims is true?",
}
_SAID = re.compile(
    r"^(?:(?:the )?(?:correct |right |best )?(?:answer|option|choice|letter)(?: is)?:?\s*)?"
    r"[(\[\"'*]*([A-E])(?:[)\]\"'*.:,]+(?:\s|$)|\s*$)",
    re.IGNORECASE,
)


def rotations(item: Choice) -> list[tuple[int, ...]]:
    """Orders in which the options are shown: each stands at each place once, so that no letter is favoured."""
    places = range(len(item.options))
    return [tuple((place + turn) % len(item.options) for place in places) for turn in places]


def lettered(item: Choice, order: Sequence[int], wording: Wording = "plain") -> str:
    """The user's message with the options under letters, in `order` (indices into the options)."""
    letters = LETTERS[: len(order)]
    claim = "Some claim that this is so: " if wording == "claims" else ""
    shown = "\n".join(f"{letter}: {claim}{item.options[at]}" for letter, at in zip(letters, order, strict=True))
    names = f"{', '.join(letters[:-1])} or {letters[-1]}"
    return f"{_ASKED.get(wording, item.question)}\n\n{shown}\n\nReply with {names} only."


def letter_questions(item: Choice, wording: Wording = "plain") -> tuple[Question, ...]:
    """One question per rotation; replies are letters, that of option 0 first whatever its place."""
    return tuple(
        Question(
            lettered(item, order, wording),
            tuple(LETTERS[order.index(at)] for at in range(len(order))),
        )
        for order in rotations(item)
    )


def likelihood_question(item: Choice) -> Question:
    """The question alone; the replies are the options themselves."""
    return Question(item.question, item.options)


def read_likelihoods(item: Choice, log_probs: Sequence[float]) -> Reading:
    """The option with the highest log-probability per UTF-8 byte; `log_probs`: of each option, summed, in nats.

    `log_odds`: length-fair, of the correct option over the likeliest other. A tie is undecided.
    """
    correct = item.options[item.correct]
    odds = min(
        log_odds((log_probs[item.correct], other), (correct, option))
        for at, (other, option) in enumerate(zip(log_probs, item.options, strict=True))
        if at != item.correct
    )
    per_byte = [value / len(option.encode()) for value, option in zip(log_probs, item.options, strict=True)]
    rest = max(value for at, value in enumerate(per_byte) if at != item.correct)
    aligned = None if per_byte[item.correct] == rest else per_byte[item.correct] > rest
    return Reading(odds, aligned, (odds,), unscored="undecided" if aligned is None else None)


def read_letters(item: Choice, log_probs: Sequence[Sequence[float]]) -> Reading:
    """The option whose letters are likeliest over all rotations.

    `log_probs`: of each rotation, the log-probability of each option's letter in nats. An option's chance is the mean,
    over rotations, of its letter's share of the letters. `by_order`: log-odds of the correct option against all
    others in each rotation; `log_odds` is their mean. A tie is undecided.
    """
    shares = [_softmax(values) for values in log_probs]
    chances = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
    rest = max(value for at, value in enumerate(chances) if at != item.correct)
    aligned = None if chances[item.correct] == rest else chances[item.correct] > rest
    by_order = tuple(_log_odds(values, item.correct) for values in log_probs)
    unscored = "undecided" if aligned is None else None
    chance = {"chance_of_correct": chances[item.correct]}
    return Reading(sum(by_order) / len(by_order), aligned, by_order, unscored=unscored, facets=chance)


def read_said(item: Choice, answers: Sequence[str | None]) -> Reading:
    """What the written letters of all rotations say; None is no answer at all.

    Decided where one option is named most often. Without any answer the item is unscored for that; with letters that
    contradict one another, or none that can be read, it is `undecided`.
    """
    chosen: list[int | None] = []
    for order, answer in zip(rotations(item), answers, strict=True):
        place = None if answer is None else read_letter(answer, [item.options[at] for at in order])
        chosen.append(None if place is None else order[place])
    by_order = tuple(None if one is None else float(one == item.correct) for one in chosen)
    votes = Counter(one for one in chosen if one is not None).most_common()
    said = tuple(answer or "" for answer in answers)
    if not votes or (len(votes) > 1 and votes[0][1] == votes[1][1]):
        silent = all(answer is None for answer in answers)
        return Reading(None, None, by_order, said, unscored="no answer" if silent else "undecided")
    return Reading(None, votes[0][0] == item.correct, by_order, said)


def read_letter(answer: str, options: Sequence[str]) -> int | None:
    """The place that the answer names by its letter at the start, or by the whole text of one option; None otherwise.

    An answer that begins with one letter and goes on with another option's letter or text is none.
    """
    text = answer.strip()
    quoted = {at for at, option in enumerate(options) if option.strip(" .").casefold() in text.casefold()}
    found = _SAID.match(text)
    if found is None:
        return quoted.pop() if len(quoted) == 1 else None
    place = LETTERS.index(found[1].upper())
    others = {LETTERS.index(letter) for letter in re.findall(r"\b([A-E])\b(?=[).:]|\s*$)", text[found.end() :])}
    return place if place < len(options) and quoted <= {place} and others <= {place} else None


def _softmax(values: Sequence[float]) -> list[float]:
    highest = max(values)
    weights = [exp(value - highest) for value in values]
    return [weight / sum(weights) for weight in weights]


def _log_odds(values: Sequence[float], at: int) -> float:
    others = [value for place, value in enumerate(values) if place != at]
    highest = max(others)
    return values[at] - highest - log(sum(exp(value - highest) for value in others))
