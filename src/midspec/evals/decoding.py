"""Token by token: a batch of prompts continued with a cache that grows in place, and rows that leave when they end.

Beside `model.generate` of Transformers: a step copies one token and not the whole past, rows that have ended cost
nothing, each row draws from a random state of its own, and nothing is applied that was not asked for (a model's own
generation config may hold a repetition penalty or a top_k that no record would show). With prompts of 3,000 tokens on a
CPU that is several times as fast.

Shapes: B rows, L tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


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
    bfloat16 autocast. On a CPU that is for the prompts only: a single token's products wait for the weights to be read,
    and casting them first takes longer than it saves.
    """
    device = next(model.parameters()).device
    length = max(map(len, prompts))
    ids_bl = torch.full((len(prompts), length), min(ends))
    mask_bl = torch.zeros_like(ids_bl)
    for row, prompt in enumerate(prompts):
        ids_bl[row, length - len(prompt) :] = torch.tensor(prompt)
        mask_bl[row, length - len(prompt) :] = 1
    ids_bl, mask_bl = ids_bl.to(device), mask_bl.to(device)
    position_b1 = mask_bl.sum(dim=1, keepdim=True)
    cast_steps = bf16 and device.type != "cpu"
    cache = _roomy_cache(model, length + limit, None if cast_steps else next(model.parameters()).dtype)
    states = [torch.Generator().manual_seed(seed) for seed in seeds]
    written: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))

    def logits_bv(step_bl: torch.Tensor, position_bl: torch.Tensor, *, cast: bool) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=cast):
            out = model(
                input_ids=step_bl,
                attention_mask=mask_bl,
                position_ids=position_bl,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return out.logits[:, -1].float().cpu()

    with torch.inference_mode():
        found_bv = logits_bv(ids_bl, (mask_bl.cumsum(dim=1) - 1).clamp(min=0), cast=bf16)
        while True:
            drawn = _drawn(found_bv, drawing, [states[row] for row in rows])
            staying = [at for at, token in enumerate(drawn) if token not in ends]
            for at in staying:
                written[rows[at]].append(drawn[at])
            staying = [at for at in staying if len(written[rows[at]]) < limit]
            if not staying:
                return written
            if len(staying) < len(rows):
                kept = torch.tensor(staying, device=device)
                cache.batch_select_indices(kept)
                mask_bl, position_b1 = mask_bl[kept], position_b1[kept]
                rows = [rows[at] for at in staying]
            mask_bl = torch.cat([mask_bl, mask_bl.new_ones(len(rows), 1)], dim=1)
            step_b1 = torch.tensor([[drawn[at]] for at in staying], device=device)
            found_bv = logits_bv(step_b1, position_b1, cast=cast_steps)
            position_b1 = position_b1 + 1


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
    return [
        int(torch.multinomial(chances_v, 1, generator=state))
        for chances_v, state in zip(chances_bv, states, strict=True)
    ]


class _RoomyLayer(DynamicLayer):
    """Keys and values of one layer in memory that is taken once."""

    def __init__(self, room: int, dtype: torch.dtype | None) -> None:
        """`dtype` None = that of the first states."""
        super().__init__()
        self._room = room
        self._kept_as = dtype
        self._length = 0
        self._buffers: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new states behind the old; returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = [
                states.new_empty(*states.shape[:2], self._room, states.shape[3], dtype=self._kept_as)
                for states in (key_states, value_states)
            ]
        end = self._length + key_states.shape[2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = states
        self._length = end
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows."""
        self._buffers = [buffer[indices] for buffer in self._buffers]
        self.keys, self.values = (buffer[:, :, : self._length] for buffer in self._buffers)


def _roomy_cache(model: Any, room: int, dtype: torch.dtype | None) -> Any:
    """The model's own kind of cache, its plain layers with room. Layers of other kinds (sliding windows) stay."""
    cache = DynamicCache(config=model.config)
    cache.layers = [_RoomyLayer(room, dtype) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
