"""One reply at a time from a Transformers model, held to a JSON schema where one is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import llguidance
import llguidance.hf
import llguidance.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

MOST_ITEMS = 3
LENGTHS, LENGTHS_IN_LISTS = (450, 800), (12, 80)
"""Fewest and most characters of a text of its own, and of one in a list."""
REPEATED, REPEATS_SEEN = 1.15, 128
"""Tokens among the last so many of the reply are made this much less likely, as servers of small models do."""
CANDIDATES = 256
"""Likeliest tokens that are drawn from: sorting the whole vocabulary takes longer than the model."""


class Generated(NamedTuple):
    """A reply and what it took."""

    text: str
    finish_reason: str
    """`stop` or `length`."""
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt, those whose keys and values were left from the request before."""
    completion_tokens: int


class Generator:
    """Samples token by token; keeps the last request's key-value cache, so a shared beginning costs nothing."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
        self._guide = llguidance.hf.from_tokenizer(self.tokenizer)
        self._seen: list[int] = []
        self._cache = DynamicCache()

    @torch.inference_mode()
    def reply(
        self,
        messages: list[dict[str, str]],
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        schema: dict[str, Any] | None,
    ) -> Generated:
        """Greedy at temperature 0; the same seed gives the same reply."""
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        prompt: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        known = self._reuse(prompt)
        chance = torch.Generator().manual_seed(seed)
        matcher = self._matcher(schema)
        made: list[int] = []
        pending = prompt[known:]
        finish = "length"
        for _ in range(max_tokens):
            output = self.model(torch.tensor([pending]), past_key_values=self._cache, use_cache=True, logits_to_keep=1)
            self._seen += pending
            logits = output.logits[:, -1].float()
            recent = torch.tensor(sorted(set(made[-REPEATS_SEEN:])), dtype=torch.long)
            logits[0, recent] = torch.where(
                logits[0, recent] > 0, logits[0, recent] / REPEATED, logits[0, recent] * REPEATED
            )
            token = self._pick(logits, matcher, temperature, top_p, chance)
            if token == self.tokenizer.eos_token_id:
                finish = "stop"
                break
            made.append(token)
            pending = [token]
            if matcher is not None:
                matcher.consume_token(token)
                if matcher.is_stopped():
                    finish = "stop"
                    break
        answer = self.tokenizer.decode(made, skip_special_tokens=True)
        return Generated(answer, finish, len(prompt), known, len(made))

    def _reuse(self, prompt: list[int]) -> int:
        known = 0
        while known < min(len(self._seen), len(prompt) - 1) and self._seen[known] == prompt[known]:
            known += 1
        if not known:
            self._cache = DynamicCache()
        elif known < len(self._seen):
            self._cache.crop(known - len(self._seen))  # takes a number to remove, as a negative one
        self._seen = prompt[:known]
        return known

    def _matcher(self, schema: dict[str, Any] | None) -> Any:
        if schema is None:
            return None
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            json.dumps(bounded(schema)), defaults={"whitespace_flexible": False}
        )
        return llguidance.LLMatcher(self._guide, grammar)

    def _pick(
        self, logits: torch.Tensor, matcher: Any, temperature: float, top_p: float, chance: torch.Generator
    ) -> int:
        if matcher is not None:
            mask = llguidance.torch.allocate_token_bitmask(1, logits.shape[-1])
            llguidance.torch.fill_next_token_bitmask(matcher, mask)
            llguidance.torch.apply_token_bitmask_inplace(logits, mask)
        if temperature == 0:
            return int(logits.argmax())
        ordered, ids = torch.softmax(logits / temperature, dim=-1).topk(CANDIDATES)
        ordered[ordered.cumsum(-1) - ordered > top_p] = 0
        return int(ids[0, torch.multinomial(ordered, 1, generator=chance)[0]])


def bounded(schema: Any, outermost: bool = True) -> Any:
    """`schema` with limits to lists and texts, as servers for small models set them: these never begin or never end."""
    if isinstance(schema, list):
        return [bounded(entry, outermost) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    limits: dict[str, Any] = {}
    if schema.get("type") == "array":
        limits = {"minItems": 1, "maxItems": MOST_ITEMS}
    elif schema.get("type") == "string" and "enum" not in schema:
        shortest, longest = LENGTHS if outermost else LENGTHS_IN_LISTS
        limits = {"minLength": shortest, "maxLength": longest}
    inside = outermost and schema.get("type") != "array"
    return {key: bounded(value, inside) for key, value in schema.items()} | limits
