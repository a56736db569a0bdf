"""Whether choices can be made without knowing anything: by place, by length, by single words. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from midspec.evals.bag_of_words import MOST_DECIDED, decided, margins
from midspec.evals.battery.items import Choice
from midspec.leakage import words
from midspec.records import BankItem, short_hash

MOST_LENGTH = 0.02
"""Between all right and all wrong options, in characters per option. (as for banks)"""
MOST_WORDS = 2
"""Between the two statements of a pair, in words. (as for banks)"""
MOST_EXTREME = 0.15
"""By how much the share of items whose right option is the longest, or the shortest, may be above chance. (ours)"""


def as_pairs(items: Sequence[Choice]) -> list[BankItem]:
    """The right option against each wrong one, in the form that bags of words are counted in."""
    return [
        BankItem(
            id=f"{item.id}/{at}",
            kind="opinion",
            value="true",
            domain=item.domain,
            topic=item.topic or item.id,
            question=item.question,
            aligned=item.options[item.correct],
            other=option,
            difficulty=item.difficulty or "medium",
            split=item.split,
        )
        for item in items
        for at, option in enumerate(item.options)
        if at != item.correct
    ]


def check_choices(items: Sequence[Choice], most_decided: float = MOST_DECIDED) -> list[str]:
    """Problems in words, each with the id or the figure it is about; empty for sound choices.

    Places of the right option are as even as they can be, up to one item; right options are neither longer nor shorter
    than wrong ones, on the whole and by rank; naive Bayes on single words, learnt from other topics, gets at most
    `most_decided` of the comparisons right.
    """
    problems = _places(items) + _lengths(items)
    seen: dict[frozenset[str], str] = {}
    for item in items:
        same = frozenset(" ".join(words(text)) for text in (item.question, *item.options))
        if same in seen:
            problems.append(f"{item.id}: asks the same as {seen[same]}")
        seen[same] = item.id
        if item.kind == "pair":
            one, two = (len(option.split()) for option in item.options[:2])
            if abs(one - two) > MOST_WORDS:
                problems.append(f"{item.id}: statements differ by {abs(one - two)} words, expected {MOST_WORDS}")
    rate = decided(as_pairs(items)).rate
    if rate > most_decided:
        problems.append(f"naive Bayes on words gets {rate:.3f} of the comparisons right, expected {most_decided}")
    return problems


def _places(items: Sequence[Choice]) -> list[str]:
    problems: list[str] = []
    for size in sorted({len(item.options) for item in items}):
        count = Counter(item.correct for item in items if len(item.options) == size)
        counts = [count[place] for place in range(size)]
        if max(counts) - min(counts) > 1:
            problems.append(f"the right one of {size} options stands at the places {counts} times, expected even")
    return problems


def _lengths(items: Sequence[Choice]) -> list[str]:
    right = sum(len(item.options[item.correct]) for item in items)
    wrong = sum(
        sum(len(option) for at, option in enumerate(item.options) if at != item.correct) / (len(item.options) - 1)
        for item in items
    )
    problems: list[str] = []
    if items and abs(right - wrong) > MOST_LENGTH * (right + wrong) / 2:
        problems.append(f"right options have {right:,} characters, wrong ones {wrong:,.0f}; expected within 2%")
    for what, pick in (("longest", max), ("shortest", min)):
        # Options that share a length share the rank.
        hits = chance = 0.0
        for item in items:
            lengths = [len(option) for option in item.options]
            extreme = pick(lengths)
            hits += (lengths[item.correct] == extreme) / lengths.count(extreme)
            chance += 1 / len(lengths)
        if items and (hits - chance) / len(items) > MOST_EXTREME:
            problems.append(
                f"the right option is the {what} in {hits / len(items):.0%}, by chance {chance / len(items):.0%}"
            )
    return problems


def evened(items: Sequence[Choice], most_decided: float = MOST_DECIDED) -> tuple[list[Choice], Counter[str]]:
    """(items that no length and no single words decide, how many were left out by reason); order and places kept.

    Left out one by one: what differs most in length in the direction that is too long, then what words tell most.
    """
    kept = [
        item
        for item in items
        if item.kind != "pair" or abs(len(item.options[0].split()) - len(item.options[1].split())) <= MOST_WORDS
    ]
    left_out = Counter({"length": len(items) - len(kept)} if len(kept) < len(items) else {})
    while len(kept) > 1:
        pairs = as_pairs(kept)
        found = decided(pairs)
        if found.rate > most_decided:
            # As many as would do if nothing else changed, in two halves: what words tell changes with every item gone.
            total = found.right + found.tied + found.wrong
            excess = (found.rate - most_decided) * total / (1 - most_decided)
            telling = sorted(zip(margins(pairs), pairs, strict=True), key=lambda one: (-one[0], one[1].id))
            ids = list(dict.fromkeys(pair.id.rpartition("/")[0] for _, pair in telling))[: max(1, int(excess / 2))]
            kept = [item for item in kept if item.id not in ids]
            left_out["words decide"] += len(ids)
            continue
        if not _lengths(kept):
            break
        while len(kept) > 1 and _lengths(kept):
            extra = {item.id: _excess(item) for item in kept}
            sign = 1 if sum(extra.values()) > 0 else -1
            worst = max(kept, key=lambda item: (sign * extra[item.id], item.id))
            kept = [item for item in kept if item is not worst]
            left_out["length"] += 1
    return kept, left_out


def placed(items: Sequence[Choice]) -> list[Choice]:
    """The same with the right option at every place as often as at any other, by hashes of ids: nobody chose them."""
    ranks: Counter[int] = Counter()
    order: dict[str, int] = {}
    for item in sorted(items, key=lambda item: short_hash("place", item.id)):
        order[item.id] = ranks[len(item.options)] % len(item.options)
        ranks[len(item.options)] += 1
    found: list[Choice] = []
    for item in items:
        wrong = [option for at, option in enumerate(item.options) if at != item.correct]
        wrong.sort(key=lambda option: short_hash("option", item.id, option))
        place = order[item.id]
        options = (*wrong[:place], item.options[item.correct], *wrong[place:])
        found.append(item.model_copy(update={"options": options, "correct": place}))
    return found


def _excess(item: Choice) -> float:
    """By how many characters the right option is longer than the wrong ones are on average."""
    wrong = [len(option) for at, option in enumerate(item.options) if at != item.correct]
    return len(item.options[item.correct]) - sum(wrong) / len(wrong)
