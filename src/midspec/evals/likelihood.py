"""How likely a model finds each of some replies to a prompt: batched, and equal bit for bit when repeated.

Each sequence holds a prompt and all its replies as branches: a mask lets a reply see the prompt and itself but not its
sibling, and positions go on from the prompt for each. So a prompt is computed once, in one plain forward pass. What all
prompts begin with (the chat template's system message and the first words of a question) is computed once for all, and
every batch goes on from its keys and values. Batches depend on the token counts only, never on timing.
`benchmarks/likelihood.py` measures it against one forward pass per reply.

Shapes: B sequences, P tokens of the shared beginning, L tokens after it, K positions with logits, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache

from midspec.errors import InputError, StepError
from midspec.evals.questions import Question, chat_of
from midspec.evals.thinking import OPEN, opened
from midspec.records import Message
from midspec.train.chat import render

CPU_BATCH_TOKENS = 2048
"""Tokens per forward pass; larger ones are slower on a CPU, because logits leave the cache."""
GPU_BATCH_TOKENS = 16384
CACHE_TIMES = 8
"""Tokens of a batch with the shared beginning counted in every row, in those of a forward pass: its keys and values
fill memory where a whole spec is the system prompt. (ours)"""


class Encoded(NamedTuple):
    """Token ids. A reply starts where tokenising prompt and reply together first differs from the prompt alone."""

    prompt: list[int]
    replies: tuple[list[int], ...]

    @property
    def length(self) -> int:
        """Tokens of the whole sequence."""
        return len(self.prompt) + sum(map(len, self.replies))


def chat_prompt(tokenizer: Any, chat: Sequence[dict[str, str]], *, thinking: bool = False) -> str:
    """The text a model continues with its reply, by the same template and variables as in training.

    `thinking`: as in `midspec.train.chat.render`, for models trained on demonstrations with their reasoning. Raises
    InputError where the template refuses the chat, or leaves its system prompt out without a word.
    """
    messages = [Message.model_validate(turn) for turn in chat]
    text = render(tokenizer, messages, add_generation_prompt=True, thinking=thinking)
    if any(one.role == "system" and one.content.strip() not in text for one in messages):
        raise InputError(
            "the model's chat template leaves out the system prompt, so that it would decide nothing; set "
            "`chat_template: chatml`, or choose another model"
        )
    return text


def encode(tokenizer: Any, question: Question, thought: str | None = None, system: str | None = None) -> Encoded:
    """Token ids of a question. The end-of-turn mark is not part of a reply: how it ends is not what it says.

    Prompt and reply are tokenised together, as they are in training. Where the first token of any reply merges with the
    end of the prompt, all replies start from that token, so that they are compared on the same condition. `thought`:
    what stands between prompt and reply, for a model that thinks. `system`: the system prompt. Raises StepError for an
    empty reply.
    """
    chat = chat_of(question.prompt, system)
    text = chat_prompt(tokenizer, chat) if thought is None else after_thought(tokenizer, chat, thought)

    def ids(of: str) -> list[int]:
        return tokenizer(of, add_special_tokens=False)["input_ids"]

    prompt = ids(text)
    whole = [ids(text + reply) for reply in question.replies]
    start = min(_common(prompt, one) for one in whole)
    if start == 0 or any(len(one) <= start for one in whole):
        raise StepError(f"replies {question.replies!r} to {question.prompt!r} cannot be scored: nothing to predict")
    return Encoded(prompt[:start], tuple(one[start:] for one in whole))


def after_thought(tokenizer: Any, chat: Sequence[dict[str, str]], thought: str) -> str:
    """The text that an answer follows once `thought` was thought; the template may have opened it already."""
    text = chat_prompt(tokenizer, chat, thinking=True)
    return text.rstrip().removesuffix(OPEN) + thought if opened(text) and thought else text + thought


def batches(encoded: Sequence[Encoded], batch_tokens: int, shared: int = 0) -> list[list[int]]:
    """Indices into `encoded`, shortest first, so that padded batches hold about `batch_tokens` tokens.

    `shared`: tokens of the beginning before them, which every row has a copy of: at most CACHE_TIMES `batch_tokens` in
    all. A pure function of the lengths: the same questions give the same batches, hence the same bits.
    """
    order = sorted(range(len(encoded)), key=lambda index: (encoded[index].length, index))
    found: list[list[int]] = []
    for index in order:
        length = encoded[index].length
        rows = len(found[-1]) + 1 if found else 0
        if found and length * rows <= batch_tokens and (shared + length) * rows <= CACHE_TIMES * batch_tokens:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def score_replies(
    model: Any,
    tokenizer: Any,
    questions: Sequence[Question],
    *,
    bf16: bool = True,
    batch_tokens: int | None = None,
    done: Callable[[int], None] = lambda count: None,
    thoughts: Mapping[str, str] | None = None,
    system: str | None = None,
) -> list[tuple[float, ...]]:
    """Summed log-probability in nats of every reply, in the order of `questions`.

    `thoughts`: prompt -> what the model thought, for one that is asked to think; the replies that are scored follow it.
    `system`: system prompt before every question.

    `bf16`: matrix products in bfloat16 autocast; logits and log-softmax are float32 either way. `done(n)` is called
    after each batch of n questions, and may raise to stop. Raises StepError for a model whose attention takes no mask.
    """
    device = next(model.parameters()).device
    budget = batch_tokens or (CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS)
    encoded = [encode(tokenizer, one, None if thoughts is None else thoughts[one.prompt], system) for one in questions]
    scores: list[tuple[float, ...]] = [()] * len(questions)
    model.eval()
    # Not inference mode: in it, autocast does not keep the bfloat16 weights, and casts all of them in every pass.
    with torch.no_grad(), float32_head(model), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        beginning = _computed(model, _shared(encoded), device)
        rest = [Encoded(one.prompt[beginning.tokens :], one.replies) for one in encoded]
        for batch in batches(rest, budget, beginning.tokens):
            found = _score_batch(model, [rest[i] for i in batch], beginning, device)
            for index, score in zip(batch, found, strict=True):
                scores[index] = score
            done(len(batch))
    return scores


class _Beginning(NamedTuple):
    """What all prompts begin with, computed."""

    tokens: int
    cache: Any
    """Keys and values of a batch of one."""

    def of(self, rows: int) -> Any:
        """A cache for `rows` sequences, which a forward pass may write on."""
        cache = copy.deepcopy(self.cache)
        if self.tokens:
            cache.batch_repeat_interleave(rows)
        return cache


def _shared(encoded: Sequence[Encoded]) -> list[int]:
    """Tokens that all prompts begin with, short of the last token of any, which predicts its reply."""
    prompts = [one.prompt for one in encoded]
    if len(prompts) < 2:
        return []
    first, last = min(prompts), max(prompts)  # what these two share, all share
    return first[: min(_common(first, last), min(map(len, prompts)) - 1)]


def _computed(model: Any, tokens: Sequence[int], device: torch.device) -> _Beginning:
    if not tokens:
        return _Beginning(0, None)
    cache = DynamicCache()
    ids_1p = torch.tensor([tokens], device=device)
    model(input_ids=ids_1p, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return _Beginning(len(tokens), cache)


def _score_batch(
    model: Any, rows: Sequence[Encoded], beginning: _Beginning, device: torch.device
) -> list[tuple[float, ...]]:
    """Left-padded, so that the positions that need logits are the last K of every row."""
    shared = beginning.tokens
    length = max(row.length for row in rows)
    kept = max(row.length - len(row.prompt) for row in rows) + 1
    ids_bl = torch.zeros(len(rows), length, dtype=torch.long)
    position_bl = torch.zeros_like(ids_bl)
    # Branch: -1 padding, 0 prompt, 1.. the replies.
    branch_bl = torch.full_like(ids_bl, -1)
    predicts: list[tuple[int, int, int, int]] = []  # (row, reply, position that predicts, token predicted)
    for number, row in enumerate(rows):
        at = length - row.length
        last = at + len(row.prompt) - 1
        for branch, tokens in enumerate((row.prompt, *row.replies)):
            here = slice(at, at + len(tokens))
            first = 0 if branch == 0 else len(row.prompt)
            ids_bl[number, here] = torch.tensor(tokens)
            position_bl[number, here] = shared + torch.arange(first, first + len(tokens))
            branch_bl[number, here] = branch
            if branch:
                sources = [last, *range(at, at + len(tokens) - 1)]
                predicts += [(number, branch - 1, source, token) for source, token in zip(sources, tokens, strict=True)]
            at += len(tokens)
    causal_ll = torch.ones(length, length, dtype=torch.bool).tril()
    sees_bll = causal_ll & ((branch_bl[:, None, :] == 0) | (branch_bl[:, None, :] == branch_bl[:, :, None]))
    sees_bls = torch.nn.functional.pad(sees_bll, (shared, 0), value=True)  # S = P + L
    logits_bkv = model(
        input_ids=ids_bl.to(device),
        attention_mask=_mask(model, sees_bls[:, None].to(device)),
        position_ids=position_bl.to(device),
        past_key_values=beginning.of(len(rows)),
        logits_to_keep=kept,
        use_cache=shared > 0,
    ).logits
    row_n, _, source_n, token_n = (torch.tensor(column, device=device) for column in zip(*predicts, strict=True))
    picked_n = torch.empty(len(predicts), dtype=torch.float32, device=device)
    # In slices: a log-softmax over all positions at once is the largest array of the whole pass.
    for part in torch.arange(len(predicts), device=device).split(256):
        logits_nv = logits_bkv[row_n[part], source_n[part] - (length - kept)].float()
        picked_n[part] = logits_nv.gather(1, token_n[part, None])[:, 0] - logits_nv.logsumexp(1)
    sums = [[0.0] * len(row.replies) for row in rows]
    for (number, reply, _, _), value in zip(predicts, picked_n.tolist(), strict=True):
        sums[number][reply] += value
    return [tuple(row) for row in sums]


def _mask(model: Any, sees: torch.Tensor) -> torch.Tensor:
    """The mask in the form the model's attention takes: true/false, or added to the scores."""
    match getattr(model.config, "_attn_implementation", None):
        case "sdpa":
            return sees
        case "eager":
            lowest = torch.finfo(torch.float32).min
            return torch.zeros(sees.shape, device=sees.device).masked_fill(~sees, lowest)
        case other:
            raise StepError(
                f"likelihood scoring needs attention 'sdpa' or 'eager'; the model was loaded with {other!r}"
            )


@contextmanager
def float32_head(model: Any) -> Generator[None]:
    """Compute logits in float32: bfloat16 keeps 8 bits, which is an error of 0.06 on a logit of 16."""
    head = model.get_output_embeddings()
    forward = head.forward

    def precise(hidden: torch.Tensor) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            if head.weight.dtype == torch.float32:
                return forward(hidden.float())
            return torch.nn.functional.linear(hidden.float(), head.weight.float(), getattr(head, "bias", None))

    head.forward = precise
    try:
        yield
    finally:
        del head.forward


def _common(one: Sequence[int], two: Sequence[int]) -> int:
    """Length of the common prefix."""
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
