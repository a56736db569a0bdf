"""What language models will take for one step: requests, tokens by price, dollars, hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from midspec.llm.measured import Measured
from midspec.llm.prices import PriceTable, Tokens, Work, expected

SECONDS_PER_TOKEN = 1 / 60
"""Of output, where nothing was measured: about what the large hosted models give (ours)."""
FIRST_TOKEN_SECONDS = 1.5
"""Where nothing was measured (ours)."""
LEAST_MEASURED = 5
"""Replies to a prompt before its means are believed (ours)."""
MOST_REJECTED = 0.9
"""Share of unusable replies beyond which a bill counts no further: such a step gives up (ours)."""


@dataclass(frozen=True)
class Expense:
    """What one model is asked for in one step, or in many."""

    requests: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    dollars: float | None = 0.0
    """None where the model's price is not known."""
    seconds: float = 0.0
    """One request after another; divided by the requests in flight it is the time it takes at least."""
    measured: int = 0
    """Requests whose size was measured in this workspace instead of assumed."""

    def __add__(self, other: Expense) -> Expense:
        unknown = self.dollars is None or other.dollars is None
        return Expense(
            self.requests + other.requests,
            self.tokens + other.tokens,
            None if unknown else (self.dollars or 0.0) + (other.dollars or 0.0),
            self.seconds + other.seconds,
            self.measured + other.measured,
        )


def expense(
    requests: Mapping[str, Work],
    model: str,
    table: PriceTable,
    known: Mapping[str, Measured],
    *,
    batch: bool = False,
    url: str | None = None,
) -> Expense:
    """What `requests` (template name -> work) of `model` will take; `known` is what they took so far."""
    total = Expense()
    if model == "offline":
        return total
    price = table.find(model, url)
    for template, work in requests.items():
        found = known.get(template)
        believed = 0
        if found is not None and found.replies >= LEAST_MEASURED:
            work = replace(
                work,
                # One that cannot be used is asked for again.
                requests=ceil(work.requests / (1 - min(found.rejected, MOST_REJECTED))),
                own_tokens=max(0, ceil(found.prompt_tokens) - work.shared_tokens),
                output_tokens=ceil(found.output_tokens),
            )
            believed = work.requests
        each = FIRST_TOKEN_SECONDS + work.output_tokens * SECONDS_PER_TOKEN
        if believed and found is not None and found.seconds is not None:
            each = found.seconds
        tokens = expected(work, price)
        total += Expense(
            work.requests,
            tokens,
            None if price is None else price.dollars(tokens, batch=batch),
            work.requests * each,
            believed,
        )
    return total
