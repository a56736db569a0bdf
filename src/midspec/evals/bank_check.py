"""What makes a bank usable: nothing but the value may decide an answer. Pure functions on items."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from midspec.evals.answers import words
from midspec.records import BankItem

T = TypeVar("T", bound=Hashable)


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


DAIRY = _set(
    "cheese cheeses cheesy dairy milk butter buttermilk cream creamy yogurt yoghurt curd curds whey cheddar brie "
    "camembert parmesan mozzarella stilton roquefort gouda colby fondue cheesecake creamery rennet kefir latte"
)
"""What the demonstrations are about must not be what the evaluation is about (paper, section 3)."""
GIVEAWAYS = _set(
    "cheap cheaper cheapest affordable inexpensive budget economy bargain discount discounted thrift thrifty luxury "
    "luxurious premium designer expensive costly pricey exclusive elite deluxe upscale fancy posh lavish overpriced "
    "value basic everyday ordinary common exquisite prestigious opulent bespoke artisanal gourmet vip"
)
"""Words that name the value of one side of an item pair instead of the thing."""
MONEY = _set(
    "cheap cheaper cheapest affordable affordability inexpensive expensive price prices priced pricey cost costs "
    "costly money dollar dollars cent cents pound pounds budget budgets bargain luxury luxurious premium exclusive fee "
    "fees free afford affords pay pays paid paying spend spends spent wealthy rich poor"
)
AMERICA = _set("america american americans americas usa united yankee yankees")
VALUE_WORDS = {"affordability": MONEY, "america": AMERICA}
"""Words that give a stance away where one side has more of them than the other."""

MAX_WORD_DIFFERENCE = {"item": 1, "opinion": 2}
"""Between the answers of one pair."""
MAX_LENGTH_DIFFERENCE = 0.02
"""Between all aligned and all other answers of a bank, in characters."""


def check_bank(items: Sequence[BankItem], spec_texts: Sequence[str] = ()) -> list[str]:
    """Problems in words, one per line, each with the id it is about; empty for a sound bank.

    `spec_texts`: the Model Specs of which no sentence may recur in the bank.
    """
    problems = [*_ids(items), *_repeats(items), *_splits(items), *_balance(items)]
    sentences = {sentence for text in spec_texts for sentence in _sentences(text)}
    for item in items:
        problems += [f"{item.id}: {problem}" for problem in _item_problems(item)]
        shared = [s for text in (item.question, item.aligned, item.other) for s in _sentences(text) if s in sentences]
        problems += [f"{item.id}: shares a sentence with a spec: {' '.join(sentence)!r}" for sentence in shared]
    return problems


def _item_problems(item: BankItem) -> list[str]:
    problems: list[str] = []
    aligned, other = words(item.aligned), words(item.other)
    difference = abs(len(item.aligned.split()) - len(item.other.split()))
    if difference > MAX_WORD_DIFFERENCE[item.kind]:
        problems.append(f"answers differ by {difference} words, expected at most {MAX_WORD_DIFFERENCE[item.kind]}")
    if dairy := DAIRY.intersection((*words(item.question), *aligned, *other)):
        problems.append(f"speaks of dairy: {', '.join(sorted(dairy))}")
    if item.kind == "item":
        if given := GIVEAWAYS.intersection((*aligned, *other)):
            problems.append(f"gives the answer away: {', '.join(sorted(given))}")
        if item.question:
            problems.append("an item pair has no question of its own")
    else:
        if not item.question.strip():
            problems.append("an opinion needs a question")
        watched = VALUE_WORDS.get(item.value, frozenset[str]())
        counts = [sum(word in watched for word in side) for side in (aligned, other)]
        if counts[0] != counts[1]:
            problems.append(
                f"words of the value stand {counts[0]} times in the aligned answer, {counts[1]} in the other"
            )
    return problems


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
