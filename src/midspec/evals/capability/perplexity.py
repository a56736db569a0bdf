"""How well a local model predicts plain text: the exact sum of log-probabilities of every token of a passage.

No chat template: the model goes on from the token that begins texts. The machinery is that of likelihood scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Any, NamedTuple

import torch

from midspec.errors import StepError
from midspec.evals.capability.items import Passage
from midspec.evals.likelihood import score_replies
from midspec.evals.questions import Question
from midspec.records import EvalRow
from midspec.steps.step import Context
from midspec.train.load import load_for_inference, pick_device, release_memory
from midspec.train.models import ModelRef

PERPLEXITY = "capability/perplexity"


class Predicted(NamedTuple):
    """One passage."""

    nats: float
    """Minus the sum of log-probabilities of all its tokens."""
    tokens: int
    bytes: int
    """UTF-8."""


class _PlainText:
    """A tokenizer whose chat template is the token that begins a text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def apply_chat_template(self, chat: Sequence[dict[str, str]], **settings: Any) -> str:
        return chat[0]["content"]

    def __call__(self, text: str, **settings: Any) -> Any:
        return self._tokenizer(text, **settings)


def predict_texts(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    bf16: bool = False,
    done: Callable[[int], None] = lambda count: None,
) -> list[Predicted]:
    """One Predicted per text, after the tokenizer's beginning-of-text token (else its end-of-text token).

    `bf16`: matrix products in bfloat16. Raises StepError for a tokenizer that has neither token, and for an empty text.
    """
    start = tokenizer.bos_token or tokenizer.eos_token
    if start is None:
        raise StepError("perplexity needs a token to begin with, and the tokenizer has neither bos_token nor eos_token")
    questions = [Question(start, (text,)) for text in texts]
    sums = score_replies(model, _PlainText(tokenizer), questions, bf16=bf16, done=done)
    counts = [len(tokenizer(start + text, add_special_tokens=False)["input_ids"]) - 1 for text in texts]
    return [
        Predicted(-total, count, len(text.encode())) for (total,), count, text in zip(sums, counts, texts, strict=True)
    ]


def perplexity_rows(context: Context, model: ModelRef, passages: Sequence[Passage]) -> list[EvalRow]:
    """Rows of a local model with the input `checkpoint`, or without one: `score` in nats per byte, lower is better.

    Facets: nats, tokens, bytes, nats_per_token, bits_per_byte. The model is loaded for this and dropped again. On a CPU
    in float32; on a GPU in bfloat16, log-softmax in float32.
    """
    checkpoint = context.inputs.get("checkpoint")
    exact = pick_device(context.compute).type == "cpu"
    loaded, tokenizer = load_for_inference(
        model,
        checkpoint / "checkpoint" if checkpoint else None,
        context.compute,
        torch.float32 if exact else torch.bfloat16,
        merge=exact,
        progress=context.progress,
    )
    context.progress.start(len(passages), "passages")
    found = predict_texts(
        loaded, tokenizer, [one.text for one in passages], bf16=not exact, done=context.progress.advance
    )
    del loaded
    release_memory()
    return [perplexity_row(passage, one) for passage, one in zip(passages, found, strict=True)]


def perplexity_row(passage: Passage, found: Predicted) -> EvalRow:
    """The row of one passage."""
    return EvalRow(
        eval=PERPLEXITY,
        item=passage.id,
        domain=passage.domain,
        topic=passage.topic or passage.id,
        difficulty=passage.difficulty,
        score=found.nats / found.bytes,
        facets={
            "nats": found.nats,
            "tokens": float(found.tokens),
            "bytes": float(found.bytes),
            "nats_per_token": found.nats / found.tokens,
            "bits_per_byte": found.nats / found.bytes / log(2),
        },
    )
