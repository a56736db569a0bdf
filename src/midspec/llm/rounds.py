"""Ask for many things that must also be good together: judged in a fixed order, asked again where one is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from midspec.errors import WriterError
from midspec.llm.writer import Tally, fan_out

A = TypeVar("A")
B = TypeVar("B")

ROUNDS = 12
"""Times one item is asked for before the whole is given up (ours)."""
CHUNK = 64
"""Items asked for between two looks at what came back; no effect on the result."""


async def in_rounds(
    items: Sequence[A],
    ask: Callable[[A, int], Awaitable[B]],
    reject: Callable[[A, B], str | None],
    *,
    tally: Tally,
    concurrency: int,
    what: str,
    accepted: Callable[[], None] | None = None,
) -> list[B]:
    """One accepted result per item, in the order of `items`.

    `ask(item, round)` gives a result or raises WriterError; `reject` names the reason why it cannot stand beside those
    already accepted, or returns None and keeps it in mind. All items are judged once, in order, before any is asked
    again, so the result does not depend on `concurrency`. Raises WriterError, saying how many are missing and why,
    after ROUNDS rounds, and sooner for a writer that is hopeless: when the first round brings nothing, or two rounds
    together bring nothing while more than a tenth is missing.
    """
    results: dict[int, B] = {}
    pending = list(range(len(items)))
    reasons: Counter[str] = Counter()
    last = ""
    barren = 0
    for number in range(ROUNDS):
        failed: list[int] = []
        reasons.clear()
        for start in range(0, len(pending), CHUNK):

            async def one(index: int, number: int = number) -> B:
                return await ask(items[index], number)

            for outcome in await fan_out(pending[start : start + CHUNK], one, concurrency=concurrency):
                if outcome.error is not None or outcome.result is None:
                    reason, last = "no usable reply", str(outcome.error)
                else:
                    reason = reject(items[outcome.item], outcome.result)
                    if reason is None:
                        results[outcome.item] = outcome.result
                        if accepted:
                            accepted()
                        continue
                    tally.rejected[reason] += 1
                reasons[reason] += 1
                failed.append(outcome.item)
        barren = barren + 1 if len(failed) == len(pending) and len(failed) > max(2, len(items) // 10) else 0
        pending = failed
        if not pending:
            return [results[index] for index in range(len(items))]
        if barren > min(number, 1):
            break
    causes = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    raise WriterError(
        f"{len(pending)} of {len(items)} {what} could not be written: {causes}."
        + (f" Last reply: {last}." if last else "")
        + f" Ask for fewer {what}, loosen the check that rejects them, or use another writer."
    )
