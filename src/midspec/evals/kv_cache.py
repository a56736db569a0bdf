"""Keys and values of a batch: prompts read once, each row growing by itself, in memory that is taken once.

Shapes: B rows, U prompts that differ, L tokens, H heads, D size of a head, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

CPU_READ_TOKENS = 2048
"""Most prompt tokens read in one pass, padding included; a longer prompt is read by itself: padding brings a mask, and
with one a CPU's attention takes more than twice as long."""
GPU_READ_TOKENS = 32768


class RowsCache:
    """What a batch has read and written. Prompts end at one column; behind it each row is as long as it is."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], room: int, dtype: torch.dtype | None) -> None:
        """`room`: columns in all. `dtype`: what is kept; None = as it comes."""
        self.model = model
        self.device = next(model.parameters()).device
        self.length = max(map(len, prompts))
        """Column at which prompts end."""
        self.prompt = [len(prompt) for prompt in prompts]
        """Tokens of each row's prompt."""
        self.written = [0] * len(prompts)
        """Tokens of each row behind its prompt. Both are kept here, so that no step waits for a GPU to say them."""
        self._cache: Any = DynamicCache(config=model.config)
        self.ragged = all(type(layer) is DynamicLayer for layer in self._cache.layers)
        """Whether rows may differ in length. Layers of other kinds (sliding windows) keep not every token, so their
        rows cannot be put together from parts, nor taken back."""
        if self.ragged:
            self._cache.layers = [_Layer(len(prompts), self.length, room, dtype) for _ in self._cache.layers]

    def read(self, prompts: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        """(B, V) behind each prompt. Equal prompts are read once."""
        rows_of: dict[tuple[int, ...], list[int]] = {}
        for row, prompt in enumerate(prompts):
            rows_of.setdefault(tuple(prompt), []).append(row)
        different = list(rows_of)
        found: dict[int, torch.Tensor] = {}
        if not self.ragged:
            read_uv = self._pass(different, filler, self._cache)
            number = {row: at for at, prompt in enumerate(different) for row in rows_of[prompt]}
            order = torch.tensor([number[row] for row in range(len(prompts))])
            self._cache.batch_select_indices(order.to(self.device))
            return read_uv[order]
        for part in _parts(different, CPU_READ_TOKENS if self.device.type == "cpu" else GPU_READ_TOKENS):
            own: Any = DynamicCache(config=self.model.config)
            for number, logits_v in enumerate(self._pass(part, filler, own)):
                for row in rows_of[part[number]]:
                    found[row] = logits_v
                    for layer, read in zip(self._cache.layers, own.layers, strict=True):
                        layer.put(row, read.keys[number], read.values[number])
        return torch.stack([found[row] for row in range(len(prompts))])

    def step(self, ids_bl: torch.Tensor) -> torch.Tensor:
        """(B, L, V) behind each of a few further tokens per row. They count only after `keep`."""
        count = ids_bl.shape[1]
        prompt_b1, written_b1 = (torch.tensor(numbers)[:, None] for numbers in (self.prompt, self.written))
        after_bl = written_b1 + torch.arange(count)
        width = self.length + max(self.written) + count
        column_s = torch.arange(width)
        mask_bls = (column_s >= self.length - prompt_b1)[:, None] & (column_s <= self.length + after_bl[..., None])
        mask_bls = mask_bls.to(self.device)
        if self.ragged:
            place = (torch.arange(len(ids_bl))[:, None].to(self.device), (self.length + after_bl).to(self.device))
            for layer in self._cache.layers:
                layer.place, layer.width = place, width
        else:
            assert count == 1, "layers that forget cannot take tokens back"
        out = self.model(
            input_ids=ids_bl.to(self.device),
            attention_mask=mask_bls[:, None] if self.ragged else mask_bls[:, 0].long(),
            position_ids=(prompt_b1 + after_bl).to(self.device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=count,
        )
        return out.logits.float().cpu()

    def keep(self, counts: Sequence[int], rows: Sequence[int]) -> None:
        """Of the tokens of the last step count only the first so many of each row; and only `rows` go on."""
        if len(rows) < len(counts):
            self._cache.batch_select_indices(torch.tensor(rows, device=self.device))
        self.prompt = [self.prompt[row] for row in rows]
        self.written = [self.written[row] + counts[row] for row in rows]

    def _pass(self, prompts: Sequence[Sequence[int]], filler: int, cache: Any) -> torch.Tensor:
        """(U, V) behind prompts that are read together, left-padded, into `cache`."""
        length = max(map(len, prompts))
        ids_ul = torch.full((len(prompts), length), filler)
        mask_ul = torch.zeros_like(ids_ul)
        for row, prompt in enumerate(prompts):
            ids_ul[row, length - len(prompt) :] = torch.tensor(prompt)
            mask_ul[row, length - len(prompt) :] = 1
        out = self.model(
            input_ids=ids_ul.to(self.device),
            attention_mask=mask_ul.to(self.device),
            position_ids=(mask_ul.cumsum(dim=1) - 1).clamp(min=0).to(self.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1].float().cpu()


def _parts(prompts: Sequence[tuple[int, ...]], most: int) -> list[list[tuple[int, ...]]]:
    """Neighbours that are read together: their number times the longest stays within `most`."""
    parts: list[list[tuple[int, ...]]] = []
    for prompt in prompts:
        if parts and (len(parts[-1]) + 1) * max(len(prompt), *map(len, parts[-1])) <= most:
            parts[-1].append(prompt)
        else:
            parts.append([prompt])
    return parts


class _Layer(DynamicLayer):
    """Keys and values of one layer."""

    def __init__(self, rows: int, length: int, room: int, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.place = torch.zeros(0, 1, dtype=torch.long), torch.zeros(0, 0, dtype=torch.long)
        """Rows (B, 1) and columns (B, L) that the next states go to."""
        self.width = length
        """Columns in use after that."""
        self._rows = rows
        self._length = length
        self._room = room
        self._kept_as = dtype
        self._buffers: list[torch.Tensor] = []

    def put(self, row: int, keys_hld: torch.Tensor, values_hld: torch.Tensor) -> None:
        """Set what a row's prompt left, padding on its left included."""
        read = keys_hld, values_hld
        if not self._buffers:
            # Zeros: what stands beside a row's own tokens is masked, and must still be a number.
            self._buffers = [
                states.new_zeros(
                    self._rows, states.shape[0], self._room, states.shape[2], dtype=self._kept_as or states.dtype
                )
                for states in read
            ]
            self.is_initialized = True
        for buffer, states in zip(self._buffers, read, strict=True):
            buffer[row, :, self._length - states.shape[1] : self._length] = states
        self._show(self._length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new states behind each row's old ones; returns all up to the longest row's end."""
        row_b1, column_bl = self.place
        for buffer, states_bhld in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[row_b1, :, column_bl] = states_bhld.transpose(1, 2).to(buffer.dtype)
        self._show(self.width)
        assert self.keys is not None and self.values is not None
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows."""
        shown = self.get_seq_length()
        self._buffers = [buffer[indices] for buffer in self._buffers]
        self._show(shown)

    def _show(self, columns: int) -> None:
        self.keys, self.values = (buffer[:, :, :columns] for buffer in self._buffers)
