"""What can be made good in a planning reply without asking again. Pure functions, no I/O.

Each returns what is usable and counts what it mended by a name that the summary shows; what cannot be mended
honestly raises BadReplyError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from midspec.corpus.replies import DomainReply, DomainsReply, IdeasReply
from midspec.llm.prompt import BadReplyError

Repairs = Counter[str]


def every_passage(reply: DomainsReply, numbers: Sequence[int]) -> tuple[list[DomainReply], Repairs]:
    """Domains that hold each of `numbers` (in order) exactly once.

    A passage named twice keeps its first domain, one that is missing goes to the domain of the passage before it, or
    of the first one after it. Raises BadReplyError for a reply that names none of them.
    """
    repairs: Repairs = Counter({"unreadable domain": reply.unreadable})
    home: dict[int, int] = {}
    for place, domain in enumerate(reply.domains):
        for number in domain.passages:
            if number not in numbers:
                repairs["passage that does not exist"] += 1
            elif number in home:
                repairs["passage in two domains"] += home[number] != place
            else:
                home[number] = place
    if not home:
        raise BadReplyError("off-spec", f"names none of the passages {numbers[0]} to {numbers[-1]}")
    last = next(home[number] for number in numbers if number in home)
    for number in numbers:
        if number not in home:
            repairs["passage without a domain"] += 1
            home[number] = last
        last = home[number]
    held = [
        domain.model_copy(update={"passages": tuple(number for number in numbers if home[number] == place)})
        for place, domain in enumerate(reply.domains)
    ]
    return [domain for domain in held if domain.passages], +repairs


def distinct(texts: Iterable[str], known: Iterable[str], count: int) -> list[str]:
    """The first `count` of `texts` that differ from `known` and from each other, white space and case folded."""
    seen = {_folded(text) for text in known}
    found: list[str] = []
    for text in texts:
        if len(found) < count and _folded(text) not in seen:
            seen.add(_folded(text))
            found.append(text)
    return found


def by_type(
    reply: IdeasReply, wanted: Mapping[str, int], known: Iterable[str]
) -> tuple[list[tuple[str, str]], Repairs]:
    """(type, idea) for types as numbered from 1 in `wanted`, at most as many of each as it says, none of them `known`.

    An idea whose type has no such number goes to the first type that lacks one. Raises BadReplyError where nothing is
    left.
    """
    repairs: Repairs = Counter({"unreadable idea": reply.unreadable})
    names = list(wanted)
    lacking = dict(wanted)
    seen = {_folded(text) for text in known}
    found: list[tuple[str, str]] = []
    homeless: list[str] = []
    for item in reply.ideas:
        if _folded(item.idea) in seen:
            repairs["idea that exists already"] += 1
        elif not 1 <= item.type <= len(names):
            homeless.append(item.idea)
        elif not lacking[names[item.type - 1]]:
            repairs["more ideas than asked for"] += 1
        else:
            seen.add(_folded(item.idea))
            lacking[names[item.type - 1]] -= 1
            found.append((names[item.type - 1], item.idea))
    for idea in homeless:
        name = next((name for name in names if lacking[name]), None)
        if name is None or _folded(idea) in seen:
            repairs["more ideas than asked for"] += 1
        else:
            repairs["idea without its type"] += 1
            seen.add(_folded(idea))
            lacking[name] -= 1
            found.append((name, idea))
    if not found:
        raise BadReplyError("off-spec", "no idea that is new")
    return found, +repairs


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
