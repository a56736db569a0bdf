"""Token by token: a batch of prompts continued, where rows that have ended leave and repetitions are foreseen.

Beside `model.generate` of Transformers: equal prompts are read once, rows that have ended cost nothing, each row draws
from a random state of its own, and nothing is applied that was not asked for (a model's own generation config may hold
a repetition penalty or a top_k that no record would show).

Where rows write what they or their prompts said before, several tokens are guessed and computed at once. Every token is
drawn from the model's own distribution with the row's own next random number, and a guess counts only where it is what
was drawn: the answer is the one that single steps give, but for the rounding of larger products. (Guessing from the
text itself: Saxena 2023, "Prompt lookup decoding"; exact acceptance: Leviathan et al. 2023.)

Shapes: B rows, L tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch

from midspec.evals.kv_cache import RowsCache

GUESSED = 7
"""Tokens guessed at once. On a CPU, 8 tokens a row take about twice as long as one. (ours, as the three below: the best
of 20 settings in a replay of ten answers of SmolLM2-135M with measured costs, which halves the time of writing them)"""
KNOWN_BY = 3
"""Tokens that must have stood together before, for what followed them to be a guess."""
TRUSTED_AFTER = 1
"""Right guesses in a row after which a row's guesses are computed."""
WORTH = 0.5
"""Share of rows with trusted guesses from which on guessing pays."""


class Drawing(NamedTuple):
    """How tokens are chosen."""

    temperature: float
    """0 = the likeliest."""
    top_p: float | None
    top_k: int | None


def continued(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    limit: int,
    ends: Collection[int],
    drawing: Drawing,
    seeds: Sequence[int],
    bf16: bool,
) -> list[list[int]]:
    """The tokens that follow each prompt, up to `limit`, without the one of `ends` that ends them.

    `seeds`: one per row; with equal seeds a row's draws do not depend on its neighbours. `bf16`: matrix products in
    bfloat16 autocast, and keys and values kept as such.
    """
    rows = [_Row(prompt, torch.Generator().manual_seed(seed)) for prompt, seed in zip(prompts, seeds, strict=True)]
    going = list(rows)
    device = next(model.parameters()).device
    # One autocast around everything, and no inference mode: so the bfloat16 weights are made once and kept.
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        room = max(map(len, prompts)) + limit + GUESSED
        cache = RowsCache(model, prompts, room, torch.bfloat16 if bf16 else None)
        logits_blv = cache.read(prompts, min(ends))[:, None]
        guesses: list[list[int]] = [[] for _ in rows]
        counts = [0] * len(rows)  # a prompt counts already
        while True:
            taken = _taken(logits_blv, guesses, going, drawing, ends, limit)
            staying = [at for at, row in enumerate(going) if not row.ended]
            if not staying:
                return [row.written for row in rows]
            cache.keep([min(one, count) for one, count in zip(taken, counts, strict=True)], staying)
            going = [going[at] for at in staying]
            guesses = _guesses(going) if cache.ragged else [[] for _ in going]
            count = 1 + max(map(len, guesses))
            # Rows with fewer guesses are filled up with what will not be kept.
            ids = [
                (row.written[-1:] + guess + [row.written[-1]] * count)[:count]
                for row, guess in zip(going, guesses, strict=True)
            ]
            counts = [count] * len(going)
            logits_blv = cache.step(torch.tensor(ids))


class _Row:
    """One row: what it has written, and what it may write next."""

    def __init__(self, prompt: Sequence[int], state: torch.Generator) -> None:
        self.state = state
        self.written: list[int] = []
        self.ended = False
        self._text = list(prompt)
        self._after: dict[tuple[int, ...], int] = {}
        for end in range(KNOWN_BY, len(self._text)):
            self._after[tuple(self._text[end - KNOWN_BY : end])] = end
        self._right = 0

    def write(self, token: int) -> None:
        """One token more."""
        expected = self._next()
        self._right = self._right + 1 if expected is not None and self._text[expected] == token else 0
        if len(self._text) >= KNOWN_BY:
            self._after[tuple(self._text[-KNOWN_BY:])] = len(self._text)
        self._text.append(token)
        self.written.append(token)

    def guess(self) -> list[int]:
        """Up to GUESSED tokens that may follow, from what followed the last few before; none without trust."""
        start = self._next()
        if start is None or self._right < TRUSTED_AFTER:
            return []
        period = len(self._text) - start
        return [self._text[start + offset % period] for offset in range(GUESSED)]

    def _next(self) -> int | None:
        return self._after.get(tuple(self._text[-KNOWN_BY:]))


def _guesses(rows: Sequence[_Row]) -> list[list[int]]:
    found = [row.guess() for row in rows]
    return found if sum(map(bool, found)) >= WORTH * len(found) else [[] for _ in found]


def _taken(
    logits_blv: torch.Tensor,
    guesses: Sequence[list[int]],
    rows: Sequence[_Row],
    drawing: Drawing,
    ends: Collection[int],
    limit: int,
) -> list[int]:
    """Draw each row's next tokens for as long as its guesses are what was drawn; returns how many each drew."""
    taken = [0] * len(rows)
    drawing_on = list(range(len(rows)))
    for position in range(logits_blv.shape[1]):
        drawn = _drawn(logits_blv[drawing_on, position], drawing, [rows[at].state for at in drawing_on])
        right: list[int] = []
        for at, token in zip(drawing_on, drawn, strict=True):
            row = rows[at]
            if token in ends:
                row.ended = True
                continue
            taken[at] += 1
            row.write(token)
            row.ended = len(row.written) >= limit
            if not row.ended and position < len(guesses[at]) and guesses[at][position] == token:
                right.append(at)
        drawing_on = right
        if not drawing_on:
            break
    return taken


def _drawn(logits_bv: torch.Tensor, drawing: Drawing, states: Sequence[torch.Generator]) -> list[int]:
    if not drawing.temperature:
        return logits_bv.argmax(dim=1).tolist()
    logits_bv = logits_bv / drawing.temperature
    if drawing.top_k:
        least_b1 = logits_bv.topk(min(drawing.top_k, logits_bv.shape[1]), dim=1).values[:, -1:]
        logits_bv = logits_bv.masked_fill(logits_bv < least_b1, -torch.inf)
    chances_bv = logits_bv.softmax(dim=1)
    if drawing.top_p is not None and drawing.top_p < 1:
        sorted_bv, order_bv = chances_bv.sort(dim=1, descending=True)
        # A token stays where those likelier than it do not reach top_p yet; the likeliest always does.
        beyond_bv = sorted_bv.cumsum(dim=1) - sorted_bv >= drawing.top_p
        beyond_bv[:, 0] = False
        chances_bv = torch.zeros_like(chances_bv).scatter(1, order_bv, sorted_bv.masked_fill(beyond_bv, 0.0))
    # One number per row, and the token at which the shares before it add up to that number.
    number_b1 = torch.stack([torch.rand(1, generator=state, dtype=torch.float64) for state in states])
    sums_bv = chances_bv.double().cumsum(dim=1)
    return torch.searchsorted(sums_bv, number_b1 * sums_bv[:, -1:], right=True)[:, 0].tolist()
