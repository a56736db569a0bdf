"""What all sets of evaluation items have done to them: a part drawn, halves frozen, an identity. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

from midspec.evals.freeze_split import dev_half

Split = Literal["dev", "test", "all"]


class _Item(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def split(self) -> Literal["dev", "test"]: ...
    def model_copy(self, *, update: dict[str, Any]) -> Any: ...


ItemT = TypeVar("ItemT", bound=_Item)


def drawn(
    items: Sequence[ItemT],
    split: Split,
    limit: int | None,
    group: Callable[[ItemT], Any],
    seed: str,
    *,
    mixed: bool = False,
) -> list[ItemT]:
    """The items of a split, at most `limit`, in their order.

    A limit takes the same number from every `group` (one more from some), drawn with `seed`, so that the first groups
    of a file do not decide the result, and a larger limit contains every smaller one. `mixed`: groups take turns in a
    drawn order instead of the sorted one.
    """
    chosen = [item for item in items if split in ("all", item.split)]
    if limit is None or limit >= len(chosen):
        return chosen
    groups: defaultdict[Any, list[ItemT]] = defaultdict(list)
    for item in chosen:
        groups[group(item)].append(item)
    draw = Random(seed)
    queues = [draw.sample(some, len(some)) for _, some in sorted(groups.items())]
    if mixed:
        draw.shuffle(queues)
    turns = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    taken = {item.id for item in turns[:limit]}
    return [item for item in chosen if item.id in taken]


def halved(items: Sequence[ItemT], group: Callable[[ItemT], str]) -> list[ItemT]:
    """The same with half of each group in dev, half in test, by hashes of ids: nobody chose them."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        groups[group(item)].append(item.id)
    dev = dev_half(groups)
    return [item.model_copy(update={"split": "dev" if item.id in dev else "test"}) for item in items]


def sha256_of(items: Iterable[BaseModel]) -> str:
    """Identity of a set of items, whatever file they lie in."""
    return hashlib.sha256("\n".join(item.model_dump_json() for item in items).encode()).hexdigest()
