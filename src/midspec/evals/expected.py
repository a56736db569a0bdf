"""How many requests graders get, of what size: the ground of an evaluation's bill. Nothing is asked."""

from __future__ import annotations

from math import ceil

from midspec.evals.battery.made import MakeStepConfig
from midspec.evals.battery.making import STATEMENTS
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.open_qa.grading import GRADE
from midspec.evals.verdicts import CHOICE_VERDICT
from midspec.llm.prices import Work, tokens_of
from midspec.spec.document import ModelSpec

FRAME_TOKENS = 300
"""Of a judge's instructions (measured on the prompts)."""
FREE_ANSWER_TOKENS = 120
"""Of a free answer to a bank's question (ours)."""
OPEN_ANSWER_TOKENS = 350
"""Of an answer to an open question (ours)."""
AGENTIC_FRAME_TOKENS = 900
"""Of the agentic judge's instructions and the facts of a scenario (measured on the prompt)."""
AGENTIC_ANSWER_TOKENS = 900
"""Of an answer under pressure, scratchpad included, and of what its tool calls did (ours)."""
CHOICE_TOKENS = 80
"""Of a question about a pair with one of its answers and the chat's frame (43 and 4 without, on the packaged banks)."""
AGENTIC_PROMPT_TOKENS = 3_000
"""Of one cell's prompt (measured on the packaged cells)."""
QUESTION_TOKENS = 60
SPARE = 1.2
"""Questions are left out for likeness and for words of the spec (ours)."""
VERDICT_TOKENS = 40
PAIR_TOKENS = 110
"""Of a statement and its distortion with their question, and its part of the other questions (ours)."""
MAKING_FRAME_TOKENS = 500
"""Of the instructions for making them (ours: estimated)."""
GRADE_TOKENS = 120
AGENTIC_VERDICT_TOKENS = 80


def verdict_requests(count: int) -> dict[str, Work]:
    """Of a judge who reads free answers to bank items."""
    return {CHOICE_VERDICT.name: Work(count, FRAME_TOKENS, FREE_ANSWER_TOKENS, VERDICT_TOKENS)}


def grade_requests(count: int, spec: ModelSpec) -> dict[str, Work]:
    """Of a judge who grades open answers with the whole spec before its eyes."""
    shared = tokens_of(spec.text) + FRAME_TOKENS
    return {GRADE.name: Work(count, shared, OPEN_ANSWER_TOKENS, GRADE_TOKENS)}


def question_requests(config: QuestionsStepConfig) -> dict[str, Work]:
    """Of a writer who makes open questions from a spec."""
    passages = len(ModelSpec("spec", config.spec_text).passages)
    asks = min(config.questions.count, passages)
    shared = tokens_of(config.spec_text) + FRAME_TOKENS
    each = ceil(config.questions.count * SPARE / asks)
    return {"evals/spec_questions": Work(asks, shared, FRAME_TOKENS, each * QUESTION_TOKENS)}


def making_requests(config: MakeStepConfig) -> dict[str, Work]:
    """Of a writer who makes knowledge or belief questions, passage by passage with the whole text before its eyes."""
    passages = len(ModelSpec("spec", config.spec_text).passages)
    # Belief sets have choices of four and questions of reasoning besides.
    each = config.make.per_passage * PAIR_TOKENS * (2 if config.make.kind == "belief" else 1)
    shared = tokens_of(config.spec_text) + MAKING_FRAME_TOKENS
    return {STATEMENTS.name: Work(passages, shared, FRAME_TOKENS, each)}


def agentic_requests(count: int) -> dict[str, Work]:
    """Of a judge of agentic transcripts."""
    return {"evals/agentic_judge": Work(count, 0, AGENTIC_FRAME_TOKENS + AGENTIC_ANSWER_TOKENS, AGENTIC_VERDICT_TOKENS)}
