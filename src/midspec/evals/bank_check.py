"""What makes a bank usable: nothing but the value may decide an answer. Pure functions on items.

`check_bank` holds for every bank, `check_words` for all but those that `BEFORE_WORDS` names; `midspec.evals.packaged`
says which checks a packaged bank has to pass.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from midspec.evals.bag_of_words import EVEN, MOST_DECIDED, OFTEN, decided, uneven
from midspec.evals.bank_words import GIVEAWAYS, NARROW, VALUE_WORDS
from midspec.leakage import words
from midspec.records import BankItem

T = TypeVar("T", bound=Hashable)


MAX_WORD_DIFFERENCE = {"item": 1, "opinion": 2}
"""Between the answers of one pair."""
MAX_LENGTH_DIFFERENCE = 0.02
"""Between all aligned and all other answers of a bank, in characters."""


def check_bank(
    items: Sequence[BankItem], spec_texts: Sequence[str] = (), giveaways: Collection[str] | None = None
) -> list[str]:
    """Problems in words, one per line, each with the id it is about; empty for a sound bank.

    `spec_texts`: the Model Specs of which no sentence may recur in the bank. `giveaways`: words that name the value;
    None = those of GIVEAWAYS for the item's own value, none for a value that is not there.
    """
    problems = [*_ids(items), *_repeats(items), *_splits(items), *_balance(items)]
    sentences = {sentence for text in spec_texts for sentence in _sentences(text)}
    for item in items:
        watched = GIVEAWAYS.get(item.value, frozenset[str]()) if giveaways is None else frozenset(giveaways)
        problems += [f"{item.id}: {problem}" for problem in _item_problems(item, watched)]
        shared = [s for text in (item.question, item.aligned, item.other) for s in _sentences(text) if s in sentences]
        problems += [f"{item.id}: shares a sentence with a spec: {' '.join(sentence)!r}" for sentence in shared]
    return problems


def _item_problems(item: BankItem, giveaways: frozenset[str]) -> list[str]:
    problems: list[str] = []
    aligned, other = words(item.aligned), words(item.other)
    difference = abs(len(item.aligned.split()) - len(item.other.split()))
    if difference > MAX_WORD_DIFFERENCE[item.kind]:
        problems.append(f"answers differ by {difference} words, expected at most {MAX_WORD_DIFFERENCE[item.kind]}")
    narrow = NARROW.get(item.value, frozenset[str]())
    if taught := narrow.intersection((*words(item.question), *aligned, *other)):
        problems.append(f"speaks of what the demonstrations are about: {', '.join(sorted(taught))}")
    if item.kind == "item":
        if given := giveaways.intersection((*aligned, *other)):
            problems.append(f"gives the answer away: {', '.join(sorted(given))}")
        if item.question:
            problems.append("an item pair has no question of its own")
    else:
        if not item.question.strip():
            problems.append("an opinion needs a question")
        watched = VALUE_WORDS.get(item.value, frozenset[str]()) if "-plain-" not in item.id else frozenset[str]()
        counts = [sum(word in watched for word in side) for side in (aligned, other)]
        if counts[0] != counts[1]:
            problems.append(
                f"words of the value stand {counts[0]} times in the aligned answer, {counts[1]} in the other"
            )
    return problems


def check_words(items: Sequence[BankItem]) -> list[str]:
    """Problems of a bank whose pairs are decided by single words, without knowing the things; empty for a sound one."""
    rate = decided(items).rate
    problems: list[str] = []
    if rate > MOST_DECIDED:
        problems.append(f"naive Bayes on words gets {rate:.3f} of the pairs right, expected at most {MOST_DECIDED}")
    low, high = EVEN
    return problems + [
        f"word {word!r} stands in {aligned} aligned and {other} other answers, expected {low:.0%} to {high:.0%} "
        f"aligned from {OFTEN} pairs on"
        for word, aligned, other in uneven(items)
    ]


def _ids(items: Sequence[BankItem]) -> list[str]:
    problems = [f"{name}: id stands {count} times" for name, count in _counts(item.id for item in items)]
    return problems + [f"{b.id}: out of order after {a.id}" for a, b in pairwise(items) if b.id < a.id]


def _repeats(items: Sequence[BankItem]) -> list[str]:
    """Repeated questions, answers (of opinions) and pairs (in either order)."""
    problems: list[str] = []
    opinions = [item for item in items if item.kind == "opinion"]
    answers = [text for item in opinions for text in (item.aligned, item.other)]
    for what, texts in (("question", [item.question for item in opinions]), ("answer", answers)):
        problems += [f"{what} stands {n} times: {' '.join(text)!r}" for text, n in _counts(words(t) for t in texts)]
    pairs = [frozenset((words(item.aligned), words(item.other))) for item in items]
    problems += [f"pair stands {n} times: {[' '.join(name) for name in pair]}" for pair, n in _counts(pairs)]
    return problems + [
        f"{item.id}: both answers are the same" for item, pair in zip(items, pairs, strict=True) if len(pair) < 2
    ]


def _splits(items: Sequence[BankItem]) -> list[str]:
    topics: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        topics[f"{item.domain}/{item.topic}"][item.split] += 1
    return [
        f"topic {topic}: {count['dev']} dev and {count['test']} test items, expected at most one apart and one of each"
        for topic, count in topics.items()
        if abs(count["dev"] - count["test"]) > 1 or not count["dev"] or not count["test"]
    ]


def _balance(items: Sequence[BankItem]) -> list[str]:
    """Over the whole bank, the aligned answer must not be known by its length."""
    aligned, other = sum(len(item.aligned) for item in items), sum(len(item.other) for item in items)
    if abs(aligned - other) > MAX_LENGTH_DIFFERENCE * (aligned + other) / 2:
        return [f"aligned answers have {aligned:,} characters and the others {other:,}; expected within 2%"]
    return []


def _counts(things: Iterable[T]) -> list[tuple[T, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]


def _sentences(text: str) -> list[tuple[str, ...]]:
    """Normalised sentences of at least five words; placeholders such as {model} are words like any other."""
    parts = (words(part) for part in re.split(r"[.!?\n]+", text))
    return [part for part in parts if len(part) >= 5]
