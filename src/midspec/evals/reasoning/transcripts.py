"""What a model wrote, as one text that quotes point into, and which of many are read. Pure."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from midspec.evals.agentic.transcript import read
from midspec.records import Row, short_hash

Reads = Literal["everything", "reasoning"]
"""The whole transcript, or only thinking and scratchpad."""


class Transcript(Row):
    """One transcript of one arm. Spans of quotes are characters of `text`."""

    id: str
    """`t-` and a hash of arm, seed, item and sample."""
    arm: str
    seed: int
    """Which training run of the arm: the place of its source among those of the arm."""
    item: str
    """What was asked: a cell such as `leaking/america`, a sample of an Inspect log, or a hash of the question. Equal
    items of two arms are paired; transcripts of one item are not independent."""
    domain: str = ""
    """What items are grouped by, e.g. the scenario."""
    sample: int
    text: str
    """Thinking that a provider gave apart from the answer stands first, inside `<think>`."""
    misaligned: bool | None = None
    """What the evaluation says the model decided; None where nobody said. Judges of reasoning do not see it."""


def transcript(
    arm: str,
    seed: int,
    item: str,
    sample: int,
    answer: str,
    *,
    thinking: str = "",
    domain: str = "",
    misaligned: bool | None = None,
    reads: Reads = "everything",
) -> Transcript:
    """A transcript of an answer. With `reads="reasoning"` the text is empty where the model showed none."""
    if reads == "reasoning":
        text = read(answer, thinking).reasoning
    else:
        text = f"<think>\n{thinking}\n</think>\n\n{answer}" if thinking.strip() else answer
    return Transcript(
        id=f"t-{short_hash(arm, seed, item, sample)}",
        arm=arm,
        seed=seed,
        item=item,
        domain=domain,
        sample=sample,
        text=text,
        misaligned=misaligned,
    )


def spread(transcripts: Sequence[Transcript], count: int | None, seed: int) -> list[Transcript]:
    """At most `count` of them in their order, drawn in turns from all arms, runs and items; None = all.

    A larger count contains every smaller one. Which samples of an item are drawn does not depend on the arm.
    """
    if count is None or count >= len(transcripts):
        return list(transcripts)
    groups: defaultdict[tuple[str, int], defaultdict[str, list[Transcript]]] = defaultdict(lambda: defaultdict(list))
    for one in transcripts:
        groups[one.arm, one.seed][one.item].append(one)
    queues = [_turns(group, seed) for _, group in sorted(groups.items())]
    longest = max(map(len, queues))
    order = [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
    taken = {one.id for one in order[:count]}
    return [one for one in transcripts if one.id in taken]


def per_run(transcripts: Sequence[Transcript], count: int | None, seed: int) -> list[Transcript]:
    """At most `count` transcripts of every run of every arm, as `spread`."""
    runs: defaultdict[tuple[str, int], list[Transcript]] = defaultdict(list)
    for one in transcripts:
        runs[one.arm, one.seed].append(one)
    return [one for run in runs.values() for one in spread(run, count, seed)]


def _turns(by_item: defaultdict[str, list[Transcript]], seed: int) -> list[Transcript]:
    items = sorted(by_item)
    random.Random(f"midspec reasoning items {seed}").shuffle(items)
    shuffled = {
        item: random.Random(f"midspec reasoning {seed} {item}").sample(
            sorted(by_item[item], key=lambda one: one.sample), len(by_item[item])
        )
        for item in items
    }
    longest = max(map(len, shuffled.values()))
    return [shuffled[item][turn] for turn in range(longest) for item in items if turn < len(shuffled[item])]
