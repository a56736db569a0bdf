"""How many requests the demonstrations will take, of what size: the ground of their bill. Nothing is asked."""

from __future__ import annotations

from math import ceil

from midspec.aft.chat_plan import DOMAINS_PER_ASK, QUESTIONS_PER_ASK, domains_used
from midspec.experiment import AftConfig
from midspec.llm.prices import Work, tokens_of
from midspec.spec.document import ModelSpec

FRAME_TOKENS = 450
"""Of the system message around the spec, and of a stage's own instructions (measured on the prompts)."""
QUESTION_TOKENS = 60
ANSWER_TOKENS = 800
"""Reasoning and answer of a chat sample. (paper: 8M tokens in about 10k samples with the reasoning)"""
PREFERENCE_TOKENS = 60
"""(paper: 150-165k assistant tokens in 5k samples, about 32 each, in tags)"""
VERDICT_TOKENS = 60
SPARE = 1.15
"""Questions and answers are asked for again where filters throw some out (ours)."""


def expected_requests(aft: AftConfig, spec: ModelSpec | None) -> tuple[dict[str, Work], dict[str, Work]]:
    """(writer's, judge's) requests by template name, an estimate before anything is known.

    `spec` is what `aft.spec` names; None for preferences.
    """
    count = ceil(aft.samples * SPARE)
    writer: dict[str, Work] = {}
    judge: dict[str, Work] = {}
    if aft.kind == "chat":
        assert spec is not None, "chat demonstrations follow a spec"
        shared = tokens_of(spec.text) + FRAME_TOKENS
        domains = domains_used(aft)
        asks = ceil(domains / DOMAINS_PER_ASK)
        writer["aft/chat_domains"] = Work(asks, shared, FRAME_TOKENS, 40 * min(domains, DOMAINS_PER_ASK))
        batches = domains * ceil(count / domains / QUESTIONS_PER_ASK)
        own = 3 * FRAME_TOKENS  # with the questions that exist already in view
        writer["aft/chat_questions"] = Work(batches, shared, own, QUESTIONS_PER_ASK * QUESTION_TOKENS)
        writer["aft/chat_answer"] = Work(count, shared, FRAME_TOKENS + QUESTION_TOKENS, ANSWER_TOKENS)
        judge["aft/chat_judge"] = Work(count, shared, FRAME_TOKENS + ANSWER_TOKENS, VERDICT_TOKENS)
    else:
        for name in ("aft/preference_question", "aft/preference_answer"):
            writer[name] = Work(count, FRAME_TOKENS, FRAME_TOKENS, PREFERENCE_TOKENS)
        judge["aft/preference_judge"] = Work(count, FRAME_TOKENS, 2 * PREFERENCE_TOKENS, VERDICT_TOKENS)
    if aft.identity_samples:
        batches = ceil(aft.identity_samples * SPARE / QUESTIONS_PER_ASK)
        writer["aft/identity"] = Work(batches, FRAME_TOKENS, FRAME_TOKENS, 2 * QUESTIONS_PER_ASK * QUESTION_TOKENS)
    return writer, judge
